"""Events are recorded with the COMMIT of their change: both, or neither, and no wait of its own."""

from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from db.base import utc_now
from db.engine import Sessions
from db.enums import CourseStatus, EventType
from db.events import CourseCreated
from db.models import Course, Event, OutboxEntry
from db.outbox import record
from db.reads import execute, execute_later, make_statement
from tests.event_samples import sample


def make_course(name: str) -> Course:
    now = utc_now()
    return Course(
        id=name, user_id=None, title=name, status=CourseStatus.DRAFT, created_at=now, updated_at=now
    )


def record_sample(session: AsyncSession, event_type: EventType = EventType.COURSE_CREATED) -> None:
    record(session, sample(event_type), user_id=None, source="test", at=utc_now())


async def found(sessions: Sessions) -> tuple[list[str], list[EventType], int]:
    """Return the ids of the courses, the types of the events, and how many are in the outbox."""
    async with sessions() as session:
        courses = await session.scalars(select(Course.id).order_by(Course.id))
        types = await session.scalars(select(Event.event_type).order_by(Event.id))
        entries = await session.scalars(select(OutboxEntry.event_id))
        return list(courses), list(types), len(list(entries))


async def test_a_change_and_its_events_are_committed_together(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        session.add(make_course("kept"))
        record_sample(session)
        record_sample(session, EventType.COURSE_UPDATED)

    types = [EventType.COURSE_CREATED, EventType.COURSE_UPDATED]
    assert await found(sessions) == (["kept"], types, 2)


async def test_an_event_keeps_what_was_recorded(sessions: Sessions) -> None:
    now = utc_now()
    event = CourseCreated(course_id="crs_1", title="C'est; -- «50 %s» {año} 🎯", status="draft")

    async with sessions.begin() as session:
        record(session, event, user_id=None, source="te'st", at=now)
    async with sessions() as session:
        row = (await session.scalars(select(Event))).one()

    assert (row.event_type, row.entity_type, row.entity_id) == (event.type, "course", "crs_1")
    assert row.payload == event.payload()
    assert row.meta == {"source": "te'st", "version": event.version}
    assert row.created_at == now


async def test_what_is_rolled_back_leaves_no_event(sessions: Sessions) -> None:
    async with sessions() as session:
        session.add(make_course("undone"))
        record_sample(session)
        await session.rollback()
        session.add(make_course("kept"))
        await session.commit()

    assert await found(sessions) == (["kept"], [], 0)


async def test_an_event_that_the_database_refuses_undoes_its_change(sessions: Sessions) -> None:
    bad = CourseCreated(course_id="crs_1", title="nul \0", status="draft")

    with pytest.raises(DBAPIError, match="Unicode"):
        async with sessions.begin() as session:
            session.add(make_course("undone"))
            record(session, bad, user_id=None, source="test", at=utc_now())

    assert await found(sessions) == ([], [], 0)
    async with sessions.begin() as session:
        session.add(make_course("after it"))
    assert (await found(sessions))[0] == ["after it"]


async def test_a_savepoint_that_is_undone_takes_its_events_with_it(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        session.add(make_course("kept"))
        record_sample(session)
        savepoint = await session.begin_nested()
        record_sample(session, EventType.COURSE_COMPLETED)
        await savepoint.rollback()

    assert await found(sessions) == (["kept"], [EventType.COURSE_CREATED], 1)


ADD: Final = make_statement("insert into courses (id, title) values (:name, :name)")
RENAME: Final = make_statement("update courses set title = :title where id = :name")
NAME: Final = make_statement("select id from courses where id = :name")


async def test_a_statement_that_nobody_reads_keeps_its_place_among_the_others(
    sessions: Sessions,
) -> None:
    async with sessions.begin() as session:
        await execute_later(session, ADD, {"name": "a"})
        seen_past = await execute(session, NAME, {"name": "a"})
        await execute_later(session, ADD, {"name": "b"})
        seen_by_session = await session.scalar(select(Course.id).where(Course.id == "b"))
        session.add(make_course("c"))
        await execute_later(session, RENAME, {"name": "c", "title": "after it"})
        await execute_later(session, ADD, {"name": "d"})

    assert (seen_past, seen_by_session) == ([("a",)], "b")
    assert (await found(sessions))[0] == ["a", "b", "c", "d"]
    async with sessions() as session:
        title = await session.scalar(select(Course.title).where(Course.id == "c"))
    assert title == "after it"


async def test_a_statement_that_waits_is_undone_with_its_transaction(sessions: Sessions) -> None:
    async with sessions() as session:
        await execute_later(session, ADD, {"name": "undone"})
        await session.rollback()
        await session.commit()
    with pytest.raises(IntegrityError):
        async with sessions.begin() as session:
            record_sample(session)
            await execute_later(session, ADD, {"name": "twice"})
            await execute_later(session, ADD, {"name": "twice"})

    assert await found(sessions) == ([], [], 0)


async def test_a_connection_that_is_lost_at_the_commit_is_a_database_error(
    sessions: Sessions, engine: AsyncEngine
) -> None:
    async with engine.connect() as other:
        with pytest.raises(DBAPIError) as raised:
            async with sessions.begin() as session:
                session.add(make_course("undone"))
                await session.flush()
                pid = (await session.execute(text("select pg_backend_pid()"))).scalar_one()
                await other.execute(text(f"select pg_terminate_backend({pid})"))
                record_sample(session)

    assert raised.value.connection_invalidated
    assert await found(sessions) == ([], [], 0)


async def test_an_event_costs_no_round_trip_of_its_own(sessions: Sessions, tmp_path: Path) -> None:
    """What the client sends (F) between two answers (B) is one message on the wire."""
    trace = tmp_path / "protocol"

    async with sessions.begin() as session:
        session.add(make_course("kept"))
        await session.flush()
        record_sample(session)
        record_sample(session)
        pooled: Any = await (await session.connection()).get_raw_connection()
        protocol = pooled.driver_connection.pgconn
        with trace.open("wb") as handle:
            protocol.trace(handle.fileno())
            await session.commit()
            protocol.untrace()

    parts = [line.split("\t") for line in trace.read_text().splitlines()]
    directions = [part[1] for part in parts if part[1:] and part[1] in {"F", "B"}]
    turns = [
        way for way, before in zip(directions, ["", *directions], strict=False) if way != before
    ]
    assert turns == ["F", "B"]


async def test_a_deleted_event_leaves_the_outbox(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        record_sample(session)
        record_sample(session, EventType.COURSE_UPDATED)

    async with sessions.begin() as session:
        await session.execute(text("delete from events where event_type = 'course.created'"))

    assert await found(sessions) == ([], [EventType.COURSE_UPDATED], 1)
