"""The outbox: a fact is recorded in the transaction of its change, or not at all.

Recorded events wait in the session and leave in one message with its COMMIT, so that they cost no
round trip of their own. What PostgreSQL says against one of them undoes the change too.
"""

from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from db.base import new_id
from db.events import DomainEvent
from db.models import Event

RECORDED: Final = "recorded events"

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


@event.listens_for(RecordingSession, "before_commit")
def _send_with_commit(session: Session) -> None:
    recorded = session.info.pop(RECORDED, None)
    if not recorded:
        return
    session.flush()
    connection = session.connection()
    rows = [
        values | {"payload": Jsonb(values["payload"]), "metadata": Jsonb(values["metadata"])}
        for values in recorded
    ]

    async def insert_and_commit(raw: psycopg.AsyncConnection[Any]) -> None:
        async with raw.pipeline():
            for values in rows:
                await raw.execute(INSERT, values)
            await raw.execute(b"commit")

    dbapi_connection: Any = connection.connection.dbapi_connection
    try:
        dbapi_connection.run_async(insert_and_commit)
    except psycopg.Error as error:
        raise as_sqlalchemy(error, connection, INSERT) from error


@event.listens_for(RecordingSession, "after_transaction_end")
def _forget_rolled_back(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(RECORDED, None)


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
