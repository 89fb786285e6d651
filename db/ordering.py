"""Pages in an order that the caller chose: by one column, ties by id, rows without a value last."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Select, and_, literal, or_, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from db.models import Course, Goal, Task

Row = TypeVar("Row", Course, Goal, Task)
_INTEGER: Final = 2**31


@dataclass(frozen=True)
class SortColumn:
    """A column to sort by, and how its value in a cursor is read: ValueError for none of it."""

    column: InstrumentedAttribute[Any]
    read: Callable[[Any], Any]


SortColumns = Mapping[str, SortColumn]
"""By the name that callers give; with a minus in front of it the order is descending."""


@dataclass(frozen=True)
class Place:
    """The last row of a page: its value in the column sorted by, and its id."""

    value: Any
    id: str


def order_by(
    statement: Select[Row],
    table: type[Row],
    column: InstrumentedAttribute[Any],
    *,
    descending: bool,
    after: Place | None,
    limit: int,
) -> Select[Row]:
    """Order `statement` by `column` from behind `after`, at most `limit` rows."""
    if after is not None:
        statement = statement.where(_behind(table, column, after, descending=descending))
    first, then = (column.desc(), table.id.desc()) if descending else (column.asc(), table.id.asc())
    if column.nullable:
        first = first.nulls_last()
    return statement.order_by(first, then).limit(limit)


def _behind(
    table: type[Row], column: InstrumentedAttribute[Any], place: Place, *, descending: bool
) -> Any:
    if place.value is None:
        further = table.id < place.id if descending else table.id > place.id
        return and_(column.is_(None), further)
    here = tuple_(column, table.id)
    there = tuple_(literal(place.value, column.type), literal(place.id))
    beyond = here < there if descending else here > there
    return or_(beyond, column.is_(None)) if column.nullable else beyond


def read_moment(value: Any) -> datetime:
    """Return a moment of a cursor: naive there, UTC here."""
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is not None:
        raise ValueError("a cursor's moments have no zone")
    return moment.replace(tzinfo=UTC)


def read_text(value: Any) -> str:
    """Return a text of a cursor."""
    return _text(value)


def read_integer(value: Any) -> int:
    """Return an integer of a cursor that PostgreSQL can compare."""
    if type(value) is not int or not -_INTEGER <= value < _INTEGER:
        raise ValueError("not an integer")
    return value


def read_number(value: Any) -> float:
    """Return a finite number of a cursor."""
    if type(value) not in {int, float} or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value
