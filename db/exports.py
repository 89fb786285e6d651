"""All that is stored about one user, table by table, as they may have it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncSession

import db.conversation_models  # noqa: F401 - half of the tables
from db.base import Base

PAGE_ROWS: Final = 500
Row = dict[str, Any]

TABLES: Final = (
    "users",
    "courses",
    "goals",
    "tasks",
    "code_snapshots",
    "dismissed_findings",
    "embeddings",
    "events",
    "threads",
    "messages",
    "runs",
    "run_events",
    "interrupts",
    "usage_records",
    "usage_days",
)
"""In the order in which a reader would want them."""

LEFT_OUT: Final[Mapping[str, str]] = {
    "operations": "answers that were given before, kept for a day to give them again",
    "erasures": "who asked to be forgotten; nothing about them",
}
"""Tables with a user's id that hold nothing which the others do not, and why."""

WITHOUT: Final[Mapping[str, frozenset[str]]] = {
    "users": frozenset({"hashed_password"}),
    "embeddings": frozenset({"embedding", "search", "content_hash"}),
    "events": frozenset({"batch_id", "parquet_path"}),
    "runs": frozenset({"worker", "lease_until"}),
    "interrupts": frozenset({"draft"}),
}
"""Columns that are secrets, or of use to nobody but the program."""


async def read_pages(
    session: AsyncSession, name: str, user_id: str
) -> AsyncIterator[Sequence[Row]]:
    """Yield the user's rows of a table in pages, by primary key, without what is left out.

    Each is a dictionary by the names of the columns; moments are aware.
    """
    pages = await session.stream(
        _select(Base.metadata.tables[name], user_id), execution_options={"yield_per": PAGE_ROWS}
    )
    async for page in pages.partitions():
        yield [dict(row._mapping) for row in page]


def _select(table: Table, user_id: str) -> Select[Any]:
    hidden = WITHOUT.get(table.name, frozenset())
    columns = [column for column in table.columns if column.name not in hidden]
    rows = select(*columns).order_by(*table.primary_key.columns)
    owner = table.c.id if table.name == "users" else table.c.user_id
    return rows.where(owner == user_id)
