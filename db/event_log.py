"""What was recorded about one user."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db.enums import EventType
from db.keyset import Position, newest_first
from db.models import Event


class EventLog:
    """The recorded events of one user, read only."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def page(
        self, *, limit: int, after: Position | None, event_type: EventType | None
    ) -> Sequence[Event]:
        """Return at most `limit` events, newest first, from behind `after`."""
        statement = select(Event).where(Event.user_id == self._user_id)
        if event_type is not None:
            statement = statement.where(Event.event_type == event_type)
        found = await self._session.scalars(
            newest_first(statement, Event, after=after, limit=limit)
        )
        return found.all()
