"""Declarative base, constraint names, prefixed ids and UTC timestamps."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal

import uuid_utils
from sqlalchemy import DateTime, MetaData
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator, UserDefinedType

IdPrefix = Literal[
    "usr", "crs", "gol", "tsk", "cs", "evt", "emb", "opr", "bat", "clm", "run", "crt",
    "dsm", "thr", "msg", "int",
]  # fmt: skip

ID_LENGTH: Final = 36

NAMING_CONVENTION: Final = {
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


def new_id(prefix: IdPrefix) -> str:
    """Return `<prefix>_<uuid7 hex>`: at most 36 characters, ascending in time."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def utc_now() -> datetime:
    """Return the present moment as an aware UTC datetime."""
    return datetime.now(UTC)


def as_text(moment: datetime) -> str:
    """Return an aware moment in UTC as ISO 8601 that ends in `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class UTCDateTime(TypeDecorator[datetime]):
    """Store an aware datetime in a `TIMESTAMP` column that holds UTC.

    Raises ValueError for a naive value, whose zone nobody knows.
    """

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware datetime into the naive UTC one that the column holds."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored: its time zone is unknown")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Mark what the column holds as UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Vector(UserDefinedType[Any]):
    """A column of pgvector's type; values are arrays, or lists, of `dim` numbers.

    It is ours because pgvector's own imports numpy, which is for those who compute with vectors.
    """

    cache_ok = True

    def __init__(self, dim: int) -> None:
        """Keep the number of dimensions."""
        self.dim = dim

    def get_col_spec(self, **_options: Any) -> str:
        """Return the type's name in DDL."""
        return f"VECTOR({self.dim})"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        """Return what makes pgvector's text of a value."""

        def process(value: Any) -> str | None:
            from pgvector import Vector as Value

            return None if value is None else Value(value).to_text()

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Return what makes an array of a value: text where the connection knows no vectors."""

        def process(value: Any) -> Any:
            from pgvector import Vector as Value

            return Value.from_text(value).to_numpy() if isinstance(value, str) else value

        return process


class Base(DeclarativeBase):
    """Base of every mapped class."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: dict[Any, Any] = {datetime: UTCDateTime}  # noqa: RUF012 - SQLAlchemy's own contract
