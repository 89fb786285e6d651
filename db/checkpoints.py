"""LangGraph's checkpoints of given runs: they know no foreign key, so we delete them by hand."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
_BLOBS: Final = """
    insert into checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    select :thread_id, :space, channel, version, type, blob
    from unnest(:channels::text[], :versions::text[], :types::text[], :blobs::bytea[])
         as new (channel, version, type, blob) {where}
    on conflict (thread_id, checkpoint_ns, channel, version) do nothing
"""
_CHECKPOINT: Final = """
insert into checkpoints
       (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
select :thread_id, :space, :checkpoint_id, :parent_id, :checkpoint, :metadata {where}
on conflict (thread_id, checkpoint_ns, checkpoint_id) do update
set checkpoint = excluded.checkpoint, metadata = excluded.metadata
"""
_NOW: Final = {"where": ""}
_KEEP: Final = make_statement(
    f"with blobs as ({_BLOBS.format(**_NOW)}) {_CHECKPOINT.format(**_NOW)}"
)
# What is written behind an answer may come after the user's erasure, which deletes what the run
# used of their budget first: whoever holds that is waited for, and whoever comes later finds none.
_STILL: Final = {"where": "where exists (select from still)"}
_HOLD: Final = "select 1 from usage_records where id = :operation_id for key share"
_KEEP_BEHIND: Final = make_statement(
    f"with still as ({_HOLD}), blobs as ({_BLOBS.format(**_STILL)}) {_CHECKPOINT.format(**_STILL)}"
)
AT_ONCE: Final = 50
"""Checkpoints that go in one message."""

Blob = tuple[str, str, str, str, str, bytes | None]
"""Run, name space, channel, version, type and value: a row of `checkpoint_blobs`."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What LangGraph keeps at a step of `operation_id`: its user's, and nobody else reads it."""

    operation_id: str
    user_id: str
    thread_id: str
    space: str
    checkpoint_id: str
    parent_id: str | None
    checkpoint: JsonObject
    metadata: Mapping[str, Any]
    blobs: Sequence[Blob]

    @property
    def values(self) -> dict[str, Any]:
        """Return what the statements name."""
        return {
            "operation_id": self.operation_id,
            "thread_id": self.thread_id,
            "space": self.space,
            "checkpoint_id": self.checkpoint_id,
            "parent_id": self.parent_id,
            "checkpoint": Jsonb(self.checkpoint),
            "metadata": Jsonb(dict(self.metadata)),
            "channels": [blob[2] for blob in self.blobs],
            "versions": [str(blob[3]) for blob in self.blobs],
            "types": [blob[4] for blob in self.blobs],
            "blobs": [blob[5] for blob in self.blobs],
        }


async def keep_checkpoint(writes: Reads, kept: Checkpoint) -> None:
    """Store a checkpoint in one commit that does not wait for the disk."""
    values = kept.values
    await writes.write(_KEEP, [values[name] for name in _KEEP.names], tenant=kept.user_id)


async def keep_behind(writes: Reads, several: Sequence[Checkpoint]) -> None:
    """Store checkpoints of runs that have ended, many in one commit.

    That of a run whose user has been erased since is not kept.
    """
    for first in range(0, len(several), AT_ONCE):
        await writes.write_together(
            _KEEP_BEHIND,
            [(one.user_id, one.values) for one in several[first : first + AT_ONCE]],
        )


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
