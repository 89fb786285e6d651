"""A talk's graph begins while its run is stored; what is not stored has never been."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

import agent.nodes.converse
from db.base import new_id
from tests.integration.test_run_hub import HELLO, hub_of, told
from tests.service import Learner, Service
from tests.talkers import Turn
from tools.errors import RunActive
from tools.runs import begin_talk

KEPT = text(
    "select (select count(*) from runs), (select count(*) from run_events where run_id <> :id),"
    " (select count(*) from checkpoints), (select count(*) from checkpoint_writes)"
)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return what tells that the graph has begun: until then no run is stored."""
    begun = asyncio.Event()
    begin = agent.nodes.converse._begin

    async def noted(*given: Any) -> Any:
        begun.set()
        return await begin(*given)

    async def stored(*given: Any, **named: Any) -> Any:
        async with asyncio.timeout(60):
            await begun.wait()
        return await begin_talk(*given, **named)

    monkeypatch.setattr(agent.nodes.converse, "_begin", noted)
    monkeypatch.setattr("api.runs.hub.begin_talk", stored)
    return begun


@pytest_asyncio.fixture
async def ana(service: Service) -> Learner:
    """Return a learner."""
    return await service.sign_in("ana")


def at_work() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("run_")]


async def test_the_graph_begins_while_its_run_is_stored(
    service: Service, ana: Learner, begun: asyncio.Event
) -> None:
    async with hub_of(service, HELLO) as hub:
        run = await hub.talk(ana.id, message="hola")
        events = await told(hub, ana.id, run.run.id)

    assert begun.is_set()
    assert [events[0].type, events[-1].type] == ["run_started", "run_finished"]
    assert events[-1].message.text == "Hola, todo bien."


async def test_a_run_that_is_not_stored_asks_nothing_and_leaves_nothing(
    service: Service, ana: Learner, begun: asyncio.Event
) -> None:
    held = Turn(text=["Un ", "momento"], wait=asyncio.Event())
    async with hub_of(service, held, HELLO) as hub:
        first = (await hub.talk(ana.id, message="uno")).run
        await held.begun.wait()
        begun.clear()

        with pytest.raises(RunActive):
            await hub.talk(ana.id, message="dos", thread_id=first.thread_id)

        assert begun.is_set()
        left = [task for task in at_work() if task.get_name() != first.id]
        if left:
            await asyncio.wait(left)
        assert hub.active == 1
        async with service.services.system() as session:
            assert (await session.execute(KEPT, {"id": first.id})).one() == (1, 0, 0, 0)
        assert held.wait is not None
        held.wait.set()
        [*_, last] = await told(hub, ana.id, first.id)
    assert last.message.text == "Un momento"
    async with service.services.system() as session:
        assert (await session.execute(KEPT, {"id": first.id})).one() == (1, 0, 0, 0)


async def test_a_run_that_is_asked_for_again_goes_on_alone(
    service: Service, ana: Learner, begun: asyncio.Event
) -> None:
    held = Turn(text=["Un ", "momento"], wait=asyncio.Event())
    run_id = new_id("run")
    async with hub_of(service, held, HELLO) as hub:
        first = await hub.talk(ana.id, message="uno", run_id=run_id)
        await held.begun.wait()
        begun.clear()

        again = await hub.talk(ana.id, message="uno", run_id=run_id)

        assert begun.is_set()
        assert (first.is_new, again.is_new, again.run.id) == (True, False, run_id)
        while len(at_work()) > 1:
            await asyncio.wait(at_work(), return_when=asyncio.FIRST_COMPLETED)
        assert hub.active == 1
        assert held.wait is not None
        held.wait.set()
        [*_, last] = await told(hub, ana.id, run_id)
        async with service.services.system() as session:
            assert (await session.execute(KEPT, {"id": run_id})).one() == (1, 0, 0, 0)
    assert last.message.text == "Un momento"


async def test_an_answer_begins_behind_the_first_step(service: Service, ana: Learner) -> None:
    async with hub_of(service, HELLO) as hub:
        run = (await hub.talk(ana.id, message="hola")).run

        await hub.under_way(run.id)

        mine = hub._tasks.get(run.id)
        assert mine is not None
        assert [event.type for event in mine.work.live.events][:2] == [
            "run_started",
            "step_started",
        ]
        await told(hub, ana.id, run.id)
        await hub.under_way(run.id)
