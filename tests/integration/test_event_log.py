"""The log of runs' events: steps wait a moment for what comes after them, nothing else does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
import pytest_asyncio
from sqlalchemy.exc import IntegrityError

from agent.stream import StepFinished, StepStarted, TextDelta
from api.runs import log
from api.runs.log import EventLog, Live, LogFailed, Stored, follow_live
from db.engine import Sessions, make_writes
from db.run_events import NewEvent, append_past
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


async def seen(live: Live, *, early: bool) -> Stored:
    """Return the first event that who follows `live` sees."""
    async with asyncio.timeout(60):
        async for event in follow_live(live, 0, heartbeat=60, early=early):
            assert event is not None
            return event
    raise AssertionError


async def test_an_event_is_shown_early_before_it_is_stored_and_to_others_then(
    database_url: str, live: Live
) -> None:
    go_on = asyncio.Event()

    async def held(*given: Any) -> int:
        await go_on.wait()
        return await append_past(*given)

    async with at_work(database_url) as (events, _):
        with mock.patch.object(log, "append_past", held):
            others = asyncio.create_task(seen(live, early=False))

            await events.write(live, 1, TextDelta(message_id="msg_1", text="Hola"))

            early = await seen(live, early=True)
            assert (live.stored, others.done()) == (0, False)
            go_on.set()
            assert await others == early
    assert live.last_stored == 1


async def test_behind_an_event_that_cannot_be_stored_none_is(database_url: str, live: Live) -> None:
    async def refused(*_given: Any) -> int:
        raise IntegrityError("insert", {}, Exception("the run is gone"))

    async with at_work(database_url) as (events, stored):
        await events.write(live, 1, StepStarted(step="converse"))
        await events.flush(live)
        with mock.patch.object(log, "append_past", refused):
            await events.write(live, 2, TextDelta(message_id="msg_1", text="Hola, "))
            written = asyncio.create_task(events.flush(live))
            with pytest.raises(LogFailed):
                await written
        await events._queue.put((live, as_told(live, 3)))
        with pytest.raises(LogFailed):
            await events.flush(live)

    assert stored == [1]
    assert (live.last_stored, live.failed) == (1, True)


def as_told(live: Live, seq: int) -> NewEvent:
    return log.as_row(live.run_id, seq, TextDelta(message_id="msg_1", text="Ana"), at=NOW)
