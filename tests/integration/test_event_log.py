"""The log of runs' events: steps wait a moment for what comes after them, nothing else does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest_asyncio

from agent.stream import StepFinished, StepStarted, TextDelta
from api.runs import log
from api.runs.log import EventLog, Live
from db.engine import Sessions, make_writes
from db.run_events import append_past
from tests.conversations import add_user, start_run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest_asyncio.fixture
async def live(sessions: Sessions) -> Live:
    """Return a run of this process that has said nothing yet."""
    run = await start_run(sessions, await add_user(sessions, "ana"), at=NOW)
    assert run is not None
    return Live(run.id, 1)


@contextlib.asynccontextmanager
async def at_work(database_url: str) -> AsyncIterator[tuple[EventLog, list[int]]]:
    """Yield a log at work, and how many events each of its statements stored."""
    writes, stored = make_writes(database_url), list[int]()

    async def counted(*given: Any) -> int:
        stored.append(len(given[1]))
        return await append_past(*given)

    with mock.patch.object(log, "append_past", counted):
        events = EventLog(writes)
        task = asyncio.create_task(events.run())
        yield events, stored
        task.cancel()
        await asyncio.wait([task])
    writes.close()


async def test_steps_are_stored_with_what_comes_after_them(database_url: str, live: Live) -> None:
    async with at_work(database_url) as (events, stored):
        await events.write(live, 1, StepStarted(step="load"))
        await asyncio.sleep(0)
        await events.write(live, 2, StepFinished(step="load"))
        await asyncio.sleep(0)
        await events.write(live, 3, TextDelta(message_id="msg_1", text="Hola"))
        await events.flush(live)

    assert stored == [3]
    assert [event.seq for event in live.events] == [1, 2, 3]


async def test_a_step_after_which_nothing_comes_is_told_all_the_same(
    database_url: str, live: Live
) -> None:
    async with at_work(database_url) as (events, stored):
        await events.write(live, 1, StepStarted(step="converse"))
        async with asyncio.timeout(10):
            await live.changed.wait()

    assert stored == [1]
    assert [event.type for event in live.events] == ["step_started"]
