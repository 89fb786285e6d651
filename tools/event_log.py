"""What was recorded about the learner, as they may read it."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, JsonValue

from db.enums import EventType
from db.event_log import EventLog
from db.models import Event
from tools.context import ToolContext
from tools.cursors import cut_page, decode_cursor


class EventOut(BaseModel):
    """A recorded fact; `parquet_path` says which file of the lake holds it."""

    model_config = ConfigDict(frozen=True)

    id: str
    event_type: EventType
    entity_type: str | None
    entity_id: str | None
    payload: dict[str, JsonValue]
    metadata: dict[str, JsonValue]
    created_at: datetime
    processed_at: datetime | None
    parquet_path: str | None


class EventPage(BaseModel):
    """Recorded facts, newest first; `next_cursor` is null at the end."""

    model_config = ConfigDict(frozen=True)

    items: list[EventOut]
    next_cursor: str | None


async def list_events(
    tools: ToolContext,
    *,
    limit: int = 20,
    cursor: str | None = None,
    event_type: EventType | None = None,
) -> EventPage:
    """Return a page of the learner's events, newest first. Raises InputError for a bad cursor."""
    found = await EventLog(tools.session, tools.user_id).page(
        limit=limit + 1, after=decode_cursor(cursor), event_type=event_type
    )
    rows, next_cursor = cut_page(found, limit=limit)
    return EventPage(items=[_out(row) for row in rows], next_cursor=next_cursor)


def _out(row: Event) -> EventOut:
    return EventOut(
        id=row.id,
        event_type=row.event_type,
        entity_type=row.entity_type,
        entity_id=row.entity_id,
        payload=row.payload,
        metadata=row.meta or {},
        created_at=row.created_at,
        processed_at=row.processed_at,
        parquet_path=row.parquet_path,
    )
