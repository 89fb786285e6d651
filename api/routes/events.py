"""`/v1/events`."""

from typing import Annotated

from fastapi import Query

from api.deps import Cursor, Limit, Tools, make_router
from db.enums import EventType
from tools import event_log
from tools.event_log import EventPage

router = make_router("/v1/events", tag="events")


@router.get("")
async def list_events(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    type: Annotated[  # noqa: A002 - the parameter's name in the URL
        EventType | None, Query(description="Events of this type only")
    ] = None,
) -> EventPage:
    """List what was recorded about you, newest first."""
    return await event_log.list_events(tools, limit=limit, cursor=cursor, event_type=type)
