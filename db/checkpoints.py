"""LangGraph's checkpoints of given runs: they know no foreign key, so we delete them by hand."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.columns import JsonObject
from db.reads import Reads, execute, make_statement

TABLES: Final = ("checkpoint_writes", "checkpoint_blobs", "checkpoints")
DELETE: Final = tuple(
    text(f"delete from {table} where thread_id = any(:threads) returning thread_id")  # noqa: S608 - constants only
    for table in TABLES
)
_FORGET: Final = make_statement("""
with writes as (delete from checkpoint_writes where thread_id = any(:threads::text[])),
     blobs as (delete from checkpoint_blobs where thread_id = any(:threads::text[]))
delete from checkpoints where thread_id = any(:threads::text[])
""")
_KEEP: Final = make_statement("""
with blobs as (
    insert into checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    select :thread_id, :space, channel, version, type, blob
    from unnest(:channels::text[], :versions::text[], :types::text[], :blobs::bytea[])
         as new (channel, version, type, blob)
    on conflict (thread_id, checkpoint_ns, channel, version) do nothing
)
insert into checkpoints
       (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
values (:thread_id, :space, :checkpoint_id, :parent_id, :checkpoint, :metadata)
on conflict (thread_id, checkpoint_ns, checkpoint_id) do update
set checkpoint = excluded.checkpoint, metadata = excluded.metadata
""")

Blob = tuple[str, str, str, str, str, bytes | None]
"""Run, name space, channel, version, type and value: a row of `checkpoint_blobs`."""


async def keep_checkpoint(
    writes: Reads,
    *,
    thread_id: str,
    space: str,
    checkpoint_id: str,
    parent_id: str | None,
    checkpoint: JsonObject,
    metadata: Mapping[str, Any],
    blobs: Sequence[Blob],
    tenant: str,
) -> None:
    """Store what LangGraph keeps at a step, in one commit that does not wait for the disk.

    It is the user's whom `tenant` names, and nobody else reads it.
    """
    values = {
        "thread_id": thread_id,
        "space": space,
        "checkpoint_id": checkpoint_id,
        "parent_id": parent_id,
        "checkpoint": Jsonb(checkpoint),
        "metadata": Jsonb(dict(metadata)),
        "channels": [blob[2] for blob in blobs],
        "versions": [str(blob[3]) for blob in blobs],
        "types": [blob[4] for blob in blobs],
        "blobs": [blob[5] for blob in blobs],
    }
    await writes.write(_KEEP, [values[name] for name in _KEEP.names], tenant=tenant)


async def forget_checkpoints(session: AsyncSession, checkpoint_ids: Collection[str]) -> None:
    """Delete all that LangGraph keeps under these ids."""
    if checkpoint_ids:
        await execute(session, _FORGET, {"threads": list(checkpoint_ids)})


def delete_checkpoints(connection: Connection, checkpoint_ids: Collection[str]) -> int:
    """Delete all that LangGraph keeps under these ids; return how many of them had something."""
    if not checkpoint_ids:
        return 0
    values = {"threads": list(checkpoint_ids)}
    had: set[str] = set()
    for statement in DELETE:
        had.update(connection.execute(statement, values).scalars())
    return len(had)
