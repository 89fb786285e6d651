"""The columns that many tables have, and what statements past the ORM make of their values."""

from datetime import UTC, datetime
from typing import Any, overload

from psycopg.types.json import Jsonb
from sqlalchemy import ForeignKey, String, func
from sqlalchemy.orm import Mapped, mapped_column

from db.base import ID_LENGTH, IdPrefix, UTCDateTime, new_id

JsonObject = dict[str, Any]


def primary_key(prefix: IdPrefix) -> Mapped[str]:
    """Return the column of a row's id, which is made for a row that has none."""
    return mapped_column(String(ID_LENGTH), primary_key=True, default=lambda: new_id(prefix))


def moment_of_creation() -> Mapped[datetime]:
    """Return a column for a moment (UTC) that is the present one where none is given."""
    return mapped_column(UTCDateTime, server_default=func.current_timestamp())


def reference(target: str, *, ondelete: str) -> Mapped[str | None]:
    """Return a foreign key to `target`'s id that may be NULL."""
    return mapped_column(String(ID_LENGTH), ForeignKey(f"{target}.id", ondelete=ondelete))


def owned_by(target: str) -> Mapped[str]:
    """Return a foreign key to the row of `target` that this one goes with."""
    return mapped_column(String(ID_LENGTH), ForeignKey(f"{target}.id", ondelete="CASCADE"))


@overload
def naive(moment: datetime) -> datetime: ...
@overload
def naive(moment: None) -> None: ...
def naive(moment: datetime | None) -> datetime | None:
    """Return an aware moment as a column holds it."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


@overload
def aware(moment: datetime) -> datetime: ...
@overload
def aware(moment: None) -> None: ...
def aware(moment: datetime | None) -> datetime | None:
    """Return a moment of a column as an aware one."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def as_json(value: dict[str, Any] | list[Any] | None) -> Jsonb | None:
    """Return a value for a JSON column, in which None is SQL's null."""
    return None if value is None else Jsonb(value)
