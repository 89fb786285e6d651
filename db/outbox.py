"""The outbox: a fact is recorded in the transaction of its change, or not at all."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from db.events import DomainEvent
from db.models import Event


def record(
    session: AsyncSession, event: DomainEvent, *, user_id: str | None, source: str, at: datetime
) -> Event:
    """Add `event` to the session's transaction and return its row.

    `source` names the edge that the change came through (api, cli, demo, …).
    """
    entity_type, entity_id = event.entity
    row = Event(
        event_type=event.type,
        user_id=user_id,
        entity_type=entity_type,
        entity_id=entity_id,
        payload=event.payload(),
        meta={"source": source, "version": event.version},
        created_at=at,
    )
    session.add(row)
    return row
