"""Cursors: a place in a list as an opaque word of a URL."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from db.keyset import Position
from db.models import CodeSnapshot, Course, DismissedFinding, Event, Goal, Task
from db.ordering import Place, SortColumns
from tools.errors import InputError
from tools.texts import is_storable

NEWEST_FIRST: Final = "-created_at"
Row = TypeVar("Row", Course, Goal, Task, CodeSnapshot, Event, DismissedFinding)
Sorted = TypeVar("Sorted", Course, Goal, Task)


def encode_cursor(position: Position) -> str:
    """Return the word for a place in a list."""
    moment = position.created_at.astimezone(UTC).replace(tzinfo=None).isoformat()
    return base64.urlsafe_b64encode(f"{moment} {position.id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> Position | None:
    """Return the place that `cursor` stands for, None for the beginning.

    Raises InputError where it is none of ours.
    """
    if cursor is None:
        return None
    try:
        moment, row_id = decode_text(cursor).split(" ")
        created_at = datetime.fromisoformat(moment)
    except (ValueError, binascii.Error) as error:
        raise _not_ours() from error
    if created_at.tzinfo is not None or "\0" in row_id:
        raise _not_ours()
    return Position(created_at=created_at.replace(tzinfo=UTC), id=row_id)


def cut_page(rows: Sequence[Row], *, limit: int) -> tuple[Sequence[Row], str | None]:
    """Split off the row that was read beyond the page, and return the page and the next cursor."""
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    return page, encode_cursor(Position(created_at=page[-1].created_at, id=page[-1].id))


def encode_place(sort: str, place: Place) -> str:
    """Return the word for a place in a list of this order."""
    value = place.value
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None).isoformat()
    elif isinstance(value, StrEnum):
        value = value.value
    return encode_text(
        json.dumps([sort, value, place.id], ensure_ascii=False, separators=(",", ":"))
    )


def decode_place(cursor: str | None, *, sort: str, columns: SortColumns) -> Place | None:
    """Return the place that `cursor` stands for in a list of this order, None for the beginning.

    Raises InputError where it is none of ours, or of a list in another order.
    """
    if cursor is None:
        return None
    try:
        found = json.loads(decode_text(cursor))
        named, value, row_id = found if isinstance(found, list) else (None, None, None)
        if value is not None:
            value = columns[sort.removeprefix("-")].read(value)
    except (ValueError, RecursionError) as error:
        raise _not_ours() from error
    if not _fits(value) or not isinstance(row_id, str) or not is_storable(row_id):
        raise _not_ours()
    if named != sort:
        raise InputError("the cursor belongs to a list in another order")
    return Place(value=value, id=row_id)


def cut_sorted(
    rows: Sequence[Sorted], *, limit: int, sort: str, columns: SortColumns
) -> tuple[Sequence[Sorted], str | None]:
    """Split off the row that was read beyond the page, and return the page and the next cursor."""
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    value = getattr(page[-1], columns[sort.removeprefix("-")].column.key)
    return page, encode_place(sort, Place(value=value, id=page[-1].id))


def encode_text(text: str) -> str:
    """Return a text as a word of a URL."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_text(cursor: str) -> str:
    """Return the text that is in a word of a URL. Raises ValueError."""
    padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True).decode()


def _fits(value: Any) -> bool:
    return not isinstance(value, str) or is_storable(value)


def _not_ours() -> InputError:
    return InputError("the cursor is not one that this service gave")
