"""Cursors: a place in a list as an opaque word of a URL."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from db.keyset import Position
from db.models import CodeSnapshot, Course, DismissedFinding, Event, Goal, Task
from tools.errors import InputError

Row = TypeVar("Row", Course, Goal, Task, CodeSnapshot, Event, DismissedFinding)


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
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        moment, row_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split(" ")
        created_at = datetime.fromisoformat(moment)
    except (ValueError, binascii.Error) as error:
        raise InputError("the cursor is not one that this service gave") from error
    if created_at.tzinfo is not None or "\0" in row_id:
        raise InputError("the cursor is not one that this service gave")
    return Position(created_at=created_at.replace(tzinfo=UTC), id=row_id)


def cut_page(rows: Sequence[Row], *, limit: int) -> tuple[Sequence[Row], str | None]:
    """Split off the row that was read beyond the page, and return the page and the next cursor."""
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    return page, encode_cursor(Position(created_at=page[-1].created_at, id=page[-1].id))
