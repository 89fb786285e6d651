"""Runs beyond one process: taken up, followed and cancelled from elsewhere, and never left."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

import api.runs.hub
from agent.stream import read_event
from api.runs.hub import RunHub, open_hub
from db.base import new_id
from db.run_events import append_past
from tests.agents import opened
from tests.conversations import add_thread
from tests.service import Service
from tests.talkers import Turn, played
from tools.errors import GoalsError

HELLO = Turn(text=["Hola, ", "todo ", "bien."])


@contextlib.asynccontextmanager
async def hub_of(service: Service, *turns: Turn, **settings: Any) -> AsyncIterator[RunHub]:
    """Yield a process's hub whose model says these turns."""
    services = replace(
        service.services, settings=service.services.settings.model_copy(update=settings)
    )
    async with opened(services, played(*turns)) as complete:
        assert complete.services.hub is not None
        yield complete.services.hub


async def told(
    hub: RunHub, user_id: str, run_id: str, after: int = 0, *, early: bool = False
) -> list[Any]:
    return [
        read_event(stored.data)
        async for stored in hub.follow(user_id, run_id, after=after, early=early)
        if stored is not None
    ]


async def orphan(service: Service, user_id: str, **more: Any) -> str:
    """Store a run as it stands when its process has died, and return its id."""
    run_id, now = new_id("run"), service.services.now()
    thread_id = await add_thread(service.services.system, user_id, at=now)
    request = '{"message": "hola", "language": null, "message_id": "m", "thread_id": "%s"}'
    async with service.services.system.begin() as session:
        await session.execute(
            text(
                "insert into runs (id, user_id, thread_id, kind, state, checkpoint_id, request,"
                " worker, lease_until, cancel_requested) values (:id, :user, :thread, 'converse',"
                " 'running', :id, cast(:request as jsonb), 'dead', timestamp '2020-01-01', :cancel)"
            ),
            {
                "id": run_id,
                "user": user_id,
                "thread": thread_id,
                "request": request % thread_id,
                "cancel": more.get("cancel", False),
            },
        )
        for seq in range(1, more.get("attempts", 0) + 1):
            await session.execute(
                text(
                    "insert into run_events (run_id, user_id, seq, type, data)"
                    " select id, user_id, :seq, 'run_started', '{}' from runs where id = :id"
                ),
                {"id": run_id, "seq": seq},
            )
    return run_id


async def test_a_run_whose_process_has_gone_is_begun_again(service: Service) -> None:
    ana = await service.sign_in("ana")
    run_id = await orphan(service, ana.id, attempts=1)

    async with hub_of(service, HELLO) as hub:
        await hub.take_over()
        events = await told(hub, ana.id, run_id, after=1)

    assert (events[0].type, events[0].attempt) == ("run_started", 2)
    assert events[-1].message.text == "Hola, todo bien."


async def test_a_run_whose_process_went_when_it_had_asked_asks_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await service.sign_in("ana")
    propose = Turn(calls=[("propose_goals", {"wish": "probar", "count": 2})])

    def gone(point: str) -> None:
        if point == "run.before_end":
            raise asyncio.CancelledError

    async with hub_of(service, propose) as hub:
        with monkeypatch.context() as patch:
            patch.setattr("api.runs.work.hit", gone)
            begun = await hub.talk(ana.id, message="quiero")
            task = hub._tasks.get(begun.run.id)
            assert task is not None
            await asyncio.wait([task.task])
        async with service.services.system.begin() as session:
            await session.execute(text("update runs set lease_until = timestamp '2020-01-01'"))

        await hub.take_over()

        [*_, last] = await told(hub, ana.id, begun.run.id)
        async with service.services.system() as session:
            questions = (await session.execute(text("select id from interrupts"))).scalars().all()
    assert (last.type, last.outcome) == ("run_finished", "interrupt")
    assert questions == [last.question.id]


async def test_who_follows_early_misses_nothing_of_a_run_that_is_begun_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await service.sign_in("ana")
    refused: list[str] = []

    async def refuse_once(writes: Any, rows: Any) -> Any:
        if not refused and any("Hola" in row[3] for row in rows):
            refused.append("Hola")
            raise IntegrityError("insert", {}, Exception("the run is gone"))
        return await append_past(writes, rows)

    monkeypatch.setattr("api.runs.log.append_past", refuse_once)
    async with hub_of(service, HELLO, run_lease=0.2) as hub:
        begun = await hub.talk(ana.id, message="hola")
        events = await told(hub, ana.id, begun.run.id, early=True)

    again = next(at for at, event in enumerate(events) if getattr(event, "attempt", 1) == 2)
    said = [event.text for event in events[again:] if event.type == "text_delta"]
    assert refused
    assert "".join(said) == events[-1].message.text == "Hola, todo bien."


async def test_a_run_that_ends_its_process_each_time_is_given_up(service: Service) -> None:
    ana = await service.sign_in("ana")
    run_id = await orphan(service, ana.id, attempts=3)

    async with hub_of(service, HELLO) as hub:
        await hub.take_over()
        [*_, last] = await told(hub, ana.id, run_id, after=3)

    assert (last.type, last.code) == ("run_failed", "RUN_LOST")


async def test_a_run_that_was_cancelled_while_nobody_had_it_ends(service: Service) -> None:
    ana = await service.sign_in("ana")
    run_id = await orphan(service, ana.id, cancel=True)

    async with hub_of(service, HELLO) as hub:
        await hub.take_over()
        [last] = await told(hub, ana.id, run_id)

    assert (last.type, last.outcome) == ("run_finished", "cancelled")


async def test_a_run_is_followed_and_cancelled_from_another_process(service: Service) -> None:
    ana = await service.sign_in("ana")
    held = Turn(text=["Un ", "momento"], wait=asyncio.Event())
    async with hub_of(service, held, run_lease=0.5) as here, open_hub(here.services) as there:
        begun = await here.talk(ana.id, message="hola")
        await held.begun.wait()
        following = asyncio.create_task(told(there, ana.id, begun.run.id))

        await there.cancel(ana.id, begun.run.id)

        events = await following
    assert (events[-1].type, events[-1].outcome) == ("run_finished", "cancelled")


async def test_a_silent_run_has_a_heartbeat(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.runs.hub, "HEARTBEAT_SECONDS", 0.05)
    ana = await service.sign_in("ana")
    held = Turn(text=["Un ", "momento"], wait=asyncio.Event())

    async with hub_of(service, held) as hub:
        begun = await hub.talk(ana.id, message="hola")
        beats = 0
        async for stored in hub.follow(ana.id, begun.run.id):
            beats += stored is None
            if beats == 3 and held.wait is not None:
                held.wait.set()

    assert beats >= 3


def test_the_heartbeat_is_soon_enough_for_proxies() -> None:
    assert api.runs.hub.HEARTBEAT_SECONDS <= 15


async def test_events_that_are_gone_are_announced(service: Service) -> None:
    ana = await service.sign_in("ana")
    async with hub_of(service, HELLO) as hub:
        begun = await hub.talk(ana.id, message="hola")
        whole = await told(hub, ana.id, begun.run.id)
        async with service.services.system.begin() as session:
            await session.execute(text("delete from run_events where seq between 2 and 4"))

        rest = await told(hub, ana.id, begun.run.id, after=1)

    assert (rest[0].type, rest[0].first, rest[0].last) == ("gap", 2, 4)
    assert rest[1:] == whole[4:]


async def test_a_stopped_process_hands_its_runs_back(service: Service) -> None:
    ana = await service.sign_in("ana")
    held = Turn(text=["Un ", "momento"], wait=asyncio.Event())
    async with hub_of(service, held) as hub:
        begun = await hub.talk(ana.id, message="hola")
        await held.begun.wait()

    async with hub_of(service, HELLO) as successor:
        assert await successor.take_over() in {0, 1}
        [*_, last] = await told(successor, ana.id, begun.run.id)

    assert (last.type, last.message.text) == ("run_finished", "Hola, todo bien.")


async def test_an_erased_user_takes_no_other_run_along(service: Service) -> None:
    ana, bruno = await service.sign_in("ana"), await service.sign_in("bruno")
    held = Turn(text=["Un ", "momento"], wait=asyncio.Event())
    async with hub_of(service, held) as hub:
        runs = [await hub.talk(user.id, message="hola") for user in (ana, bruno)]
        following = asyncio.create_task(told(hub, bruno.id, runs[1].run.id))
        await held.begun.wait()
        async with service.services.system.begin() as session:
            await session.execute(text("delete from users where id = :id"), {"id": ana.id})

        assert held.wait is not None
        held.wait.set()

        events = await following
    assert events[-1].type == "run_finished"


async def test_who_has_used_up_the_day_is_told_so(service: Service) -> None:
    ana = await service.sign_in("ana")
    async with hub_of(service, HELLO, day_tokens=100, run_tokens=90) as hub:
        first = await hub.talk(ana.id, message="uno")
        await told(hub, ana.id, first.run.id)
        second = await hub.talk(ana.id, message="dos")
        [*_, last] = await told(hub, ana.id, second.run.id)

    assert (last.type, last.code, last.status) == ("run_failed", "BUDGET_EXCEEDED", 429)
    assert last.retry_after > 0


@pytest.mark.parametrize(
    ("finish", "code", "status"),
    [("length", "LLM_TRUNCATED", 502), ("content_filter", "LLM_REFUSED", 422)],
)
async def test_an_answer_that_is_none_ends_the_run_with_its_code(
    service: Service, finish: str, code: str, status: int
) -> None:
    ana = await service.sign_in("ana")
    async with hub_of(service, Turn(text=["A medi"], finish=finish)) as hub:
        begun = await hub.talk(ana.id, message="hola")
        events = await told(hub, ana.id, begun.run.id)

    assert [event.type for event in events][-2:] == ["text_ended", "run_failed"]
    assert (events[-1].code, events[-1].status) == (code, status)


async def test_a_model_that_stalls_is_a_time_out_of_the_run(service: Service) -> None:
    ana = await service.sign_in("ana")
    stalled = Turn(text=["Un ", "momento"], wait=asyncio.Event())
    async with hub_of(service, stalled, llm_timeout=0.1) as hub:
        begun = await hub.talk(ana.id, message="hola")
        [*_, last] = await told(hub, ana.id, begun.run.id)

    assert (last.type, last.code) == ("run_failed", "LLM_TIMEOUT")


async def test_a_proposal_that_cannot_be_is_told_to_the_model(service: Service) -> None:
    ana = await service.sign_in("ana")
    goal = await ana.make("goals", title="Mía", criteria=["a", "b"])
    odd = Turn(calls=[("propose_status", {"id": goal["id"], "status": "eaten"})])
    async with hub_of(service, odd, HELLO) as hub:
        begun = await hub.talk(ana.id, message="cómetela")
        events = await told(hub, ana.id, begun.run.id)

    [answered] = [event for event in events if event.type == "tool_answered"]
    assert answered.failed
    assert "not eaten" in answered.content
    assert events[-1].message.text == "Hola, todo bien."


async def test_a_model_that_never_ends_its_calls_is_stopped(service: Service) -> None:
    ana = await service.sign_in("ana")
    again = Turn(calls=[("search_goals", {"query": "x"})] * 50)
    async with hub_of(service, again) as hub:
        begun = await hub.talk(ana.id, message="busca")
        events = await told(hub, ana.id, begun.run.id)

    assert (events[-1].type, events[-1].code) == ("run_failed", "AGENT_STEP_LIMIT")
    answered = [event for event in events if event.type == "tool_answered"]
    assert sum(not event.failed for event in answered) <= 6 * 8


async def test_what_was_written_outweighs_how_the_run_broke(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose = Turn(calls=[("propose_goals", {"wish": "probar", "count": 2})])
    ana = await service.sign_in("ana")
    async with hub_of(service, propose) as hub:
        begun = await hub.talk(ana.id, message="quiero")
        [*_, asked] = await told(hub, ana.id, begun.run.id)

        def broken(*_: Any) -> Any:
            raise GoalsError("after the commit")

        monkeypatch.setattr("agent.nodes.steps.tell_result", broken)
        decided = await hub.decide(ana.id, asked.question.id, {}, rest="accept")
        [*_, last] = await told(hub, ana.id, decided.run.id)

    assert (last.type, len(last.result["suggestions"])) == ("run_finished", 2)


async def test_a_plan_whose_writing_failed_can_be_accepted_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose = Turn(calls=[("propose_goals", {"wish": "probar", "count": 2})])
    ana = await service.sign_in("ana")
    async with hub_of(service, propose) as hub:
        begun = await hub.talk(ana.id, message="quiero")
        [*_, asked] = await told(hub, ana.id, begun.run.id)

        async def broken(*_: Any, **__: Any) -> Any:
            raise GoalsError("before the commit")

        with monkeypatch.context() as patch:
            patch.setattr("agent.nodes.suggest.create_goals", broken)
            decided = await hub.decide(ana.id, asked.question.id, {}, rest="accept")
            [*_, failed] = await told(hub, ana.id, decided.run.id)
        again = await hub.decide(ana.id, asked.question.id, {}, rest="accept")
        [*_, last] = await told(hub, ana.id, again.run.id)

    assert failed.type == "run_failed"
    assert len(last.result["suggestions"]) == 2
