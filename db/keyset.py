"""Pages by key: where one page ended is where the next begins, whatever was added meanwhile."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Select, literal, tuple_

from db.base import UTCDateTime
from db.models import CodeSnapshot, DismissedFinding, Event

Row = TypeVar("Row", CodeSnapshot, Event, DismissedFinding)


@dataclass(frozen=True)
class Position:
    """The last row of a page: its moment of creation (UTC) and its id."""

    created_at: datetime
    id: str


def newest_first(
    statement: Select[Row], table: type[Row], *, after: Position | None, limit: int
) -> Select[Row]:
    """Order `statement` by creation, newest first, from behind `after`, at most `limit` rows."""
    if after is not None:
        last = tuple_(literal(after.created_at, UTCDateTime), literal(after.id))
        statement = statement.where(tuple_(table.created_at, table.id) < last)
    return statement.order_by(table.created_at.desc(), table.id.desc()).limit(limit)
