"""Runs over HTTP: begun, followed, cancelled, decided on, and written once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.agents import opened
from tests.service import Learner, Service
from tests.talkers import Turn, frames, played

PROPOSE = Turn(calls=[("propose_goals", {"wish": "probar mi API con pytest", "count": 2})])


@pytest_asyncio.fixture
async def planner(service: Service) -> AsyncIterator[Service]:
    """Yield the application with a model that proposes goals."""
    async with opened(service.services, played(PROPOSE)) as complete:
        yield complete


async def run_to_end(learner: Learner, run_id: str, **headers: str) -> list[dict[str, Any]]:
    """Return all events of a run."""
    found = []
    async with learner.client.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        async for frame in frames(answer):
            found.append({**frame.json, "seq": int(frame.id or 0)})
    return found


async def test_a_proposed_plan_writes_nothing_until_it_is_accepted(planner: Service) -> None:
    ana = await planner.sign_in("ana")

    begun = await ana.client.post("/v1/runs", json={"message": "Quiero probar mi API"})
    assert begun.status_code == 202, begun.text
    events = await run_to_end(ana, begun.json()["id"])

    end = events[-1]
    assert (end["type"], end["outcome"]) == ("run_finished", "interrupt"), end
    assert await planner.count("select count(*) from goals") == 0
    assert await ana.event_types() == ["ai.goal_suggested"] * 2
    keys = [item["key"] for item in end["question"]["items"]]

    decided = await ana.client.post(
        f"/v1/interrupts/{end['question']['id']}",
        json={"decisions": {keys[0]: {"action": "accept"}}, "rest": "reject"},
    )

    assert decided.status_code == 200, decided.text
    stored = await ana.read("/v1/goals")
    assert [goal["title"] for goal in stored["items"]] == [end["question"]["items"][0]["title"]]
    again = await ana.client.post(
        f"/v1/interrupts/{end['question']['id']}", json={"rest": "accept"}
    )
    assert (again.status_code, again.json()["code"]) == (409, "INTERRUPT_STALE")


async def test_events_are_numbered_from_one_without_a_gap(planner: Service) -> None:
    ana = await planner.sign_in("ana")

    begun = await ana.client.post("/v1/runs", json={"message": "Quiero probar mi API"})
    events = await run_to_end(ana, begun.json()["id"])

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "run_started"


async def test_a_client_that_comes_back_at_any_event_gets_the_rest(planner: Service) -> None:
    ana = await planner.sign_in("ana")
    begun = await ana.client.post("/v1/runs", json={"message": "Quiero probar mi API"})
    whole = await run_to_end(ana, begun.json()["id"])

    for seen in range(len(whole) + 1):
        rest = await run_to_end(ana, begun.json()["id"], **{"Last-Event-ID": str(seen)})

        assert rest == whole[seen:]
