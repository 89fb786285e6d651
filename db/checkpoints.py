"""LangGraph's checkpoints of given runs: they know no foreign key, so we delete them by hand."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncSession

TABLES: Final = ("checkpoint_writes", "checkpoint_blobs", "checkpoints")
DELETE: Final = tuple(
    text(f"delete from {table} where thread_id = any(:threads) returning thread_id")  # noqa: S608 - constants only
    for table in TABLES
)


async def forget_checkpoints(session: AsyncSession, checkpoint_ids: Collection[str]) -> None:
    """Delete all that LangGraph keeps under these ids."""
    if checkpoint_ids:
        for statement in DELETE:
            await session.execute(statement, {"threads": list(checkpoint_ids)})


def delete_checkpoints(connection: Connection, checkpoint_ids: Collection[str]) -> int:
    """Delete all that LangGraph keeps under these ids; return how many of them had something."""
    if not checkpoint_ids:
        return 0
    values = {"threads": list(checkpoint_ids)}
    had: set[str] = set()
    for statement in DELETE:
        had.update(connection.execute(statement, values).scalars())
    return len(had)
