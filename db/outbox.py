"""The outbox: a fact is recorded in the transaction of its change, or not at all.

Recorded events wait in the session and leave in one message with its COMMIT, so that they cost no
round trip of their own. What PostgreSQL says against one of them undoes the change too. So do
statements whose answer nobody needs, which leave before whatever the session sends next.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from db.base import new_id
from db.events import DomainEvent
from db.models import Event

RECORDED: Final = "recorded events"
WAITING: Final = "waiting statements"
BEGIN_WAITS: Final = "begin waits"

Waiting = tuple[str, Sequence[Any]]
"""SQL with parameters as `$1`, and their values."""

INSERT: Final = b"""
insert into events (id, event_type, user_id, entity_type, entity_id, payload, metadata, created_at)
values (%(id)s, %(event_type)s::eventtype, %(user_id)s, %(entity_type)s, %(entity_id)s,
        %(payload)s, %(metadata)s, %(created_at)s at time zone 'utc')
"""


class RecordingSession(Session):
    """A session that sends its recorded events with its COMMIT, over psycopg's asynchronous API."""


def record(
    session: AsyncSession, event: DomainEvent, *, user_id: str | None, source: str, at: datetime
) -> None:
    """Add `event` to the session's transaction, at `at` (aware); it is written at the commit.

    `source` names the edge that the change came through (api, cli, demo, …).
    """
    entity_type, entity_id = event.entity
    values = {
        "id": new_id("evt"),
        "event_type": event.type.value,
        "user_id": user_id,
        "entity_type": entity_type,
        "entity_id": entity_id,
        "payload": event.payload(),
        "metadata": {"source": source, "version": event.version},
        "created_at": at,
    }
    waits = session.sync_session
    if isinstance(waits, RecordingSession) and not waits.in_nested_transaction():
        waits.info.setdefault(RECORDED, []).append(values)
    else:  # a savepoint may yet take it back: it goes the ordinary way
        meta = values.pop("metadata")
        session.add(Event(**values, meta=meta))


def wait_to_send(session: AsyncSession, sql: str, parameters: Sequence[Any]) -> None:
    """Let a statement, whose answer nobody needs, leave before the next one or with the COMMIT.

    What PostgreSQL says against it is said there.
    """
    session.info.setdefault(WAITING, []).append((sql, parameters))


def wait_first(session: Session, sql: str, parameters: Sequence[Any]) -> None:
    """Let a statement leave before all that waits."""
    session.info.setdefault(WAITING, []).insert(0, (sql, parameters))


def has_to_send(session: Session) -> bool:
    """Tell whether something waits for the COMMIT."""
    return RECORDED in session.info or WAITING in session.info


@contextlib.contextmanager
def begin_waits(session: AsyncSession | Session) -> Iterator[None]:
    """Let a transaction that begins in the block name its tenant with what is sent next.

    Whoever enters it sends what waits (`take_waiting`) before anything else: without the tenant a
    transaction sees nothing. In a savepoint it is named at once: that may be rolled back.
    """
    session.info[BEGIN_WAITS] = True
    try:
        yield
    finally:
        del session.info[BEGIN_WAITS]


def take_waiting(session: AsyncSession | Session) -> list[Waiting]:
    """Return what waits, in its order, for the caller to send."""
    waiting: list[Waiting] = session.info.pop(WAITING, [])
    return waiting


async def send(raw: psycopg.AsyncConnection[Any], waiting: Sequence[Waiting]) -> None:
    """Send statements over a connection in pipeline mode."""
    for sql, parameters in waiting:
        await psycopg.AsyncRawCursor(raw).execute(sql, parameters)


@event.listens_for(RecordingSession, "before_commit")
def _send_with_commit(session: Session) -> None:
    recorded = session.info.pop(RECORDED, [])
    if not recorded and WAITING not in session.info:
        return
    session.flush()
    with begin_waits(session):
        session.connection()
    waiting = take_waiting(session)
    rows = [
        values | {"payload": Jsonb(values["payload"]), "metadata": Jsonb(values["metadata"])}
        for values in recorded
    ]

    async def send_and_commit(raw: psycopg.AsyncConnection[Any]) -> None:
        async with raw.pipeline():
            await send(raw, waiting)
            for values in rows:
                await raw.execute(INSERT, values)
            await raw.execute(b"commit")

    _run(session, send_and_commit)


def _send_waiting(session: Session) -> None:
    """Send what waits before what the session itself sends next."""
    if WAITING not in session.info:
        return
    waiting = take_waiting(session)

    async def send_all(raw: psycopg.AsyncConnection[Any]) -> None:
        async with raw.pipeline():
            await send(raw, waiting)

    _run(session, send_all)


def _run(session: Session, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]) -> None:
    connection = session.connection()
    dbapi_connection: Any = connection.connection.dbapi_connection
    try:
        dbapi_connection.run_async(work)
    except psycopg.Error as error:
        raise as_sqlalchemy(error, connection, INSERT) from error


@event.listens_for(RecordingSession, "do_orm_execute")
def _send_before_statement(state: ORMExecuteState) -> None:
    _send_waiting(state.session)


@event.listens_for(RecordingSession, "before_flush")
def _send_before_flush(session: Session, _context: Any, _instances: Any) -> None:
    _send_waiting(session)


@event.listens_for(RecordingSession, "after_transaction_end")
def _forget_rolled_back(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(RECORDED, None)
        session.info.pop(WAITING, None)


def as_sqlalchemy(error: psycopg.Error, connection: Connection, statement: bytes) -> Exception:
    """Return `error` as SQLAlchemy would have raised it; a lost connection leaves the pool."""
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)  # type: ignore[arg-type]  # our driver's own error
    wrapped = DBAPIError.instance(
        statement.decode(),
        None,
        error,
        psycopg.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
    if lost:
        connection.invalidate(error)
    return wrapped
