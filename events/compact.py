"""Closed months become one file for each family.

The month's file is put in place, then one fenced transaction moves its events to it, then the
files that it replaces are removed. Whoever dies in between is finished by the next care operation.

Through the manifest (a row counts in the file that `events.parquet_path` names) each row is there
once at every instant. A plain glob sees the month's rows twice from the moment its file is in place
until the last replaced one is gone, and a reader that listed a replaced file before may not find
it any more: it lists again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import structlog
from sqlalchemy import Engine

from db import batches, manifest
from db.batches import Batch
from db.manifest import Month
from events.care import LakeBusy, open_care
from events.failpoints import hit
from events.lake import BatchTakenOver, Lake
from events.schema import schema_for, to_table

PAGE_ROWS: Final = 20_000
BEGINNING: Final = (datetime(1, 1, 1, tzinfo=UTC), "")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class CompactedMonth:
    """A month's one file: `merged` counts the files that went into it, `path` is in the lake."""

    path: str
    rows: int
    bytes: int
    merged: int


def compact(
    engine: Engine, lake: Lake, *, now: datetime, page_rows: int = PAGE_ROWS
) -> list[CompactedMonth]:
    """Merge every month that is closed at `now` (aware) and has more than one file of a family.

    Returns the months' files, in their order; `page_rows` events are in memory at a time. Raises
    LakeBusy, LakeUnavailable or sqlalchemy's DBAPIError; run it again to finish what was begun.
    """
    with open_care(engine):
        _remove_replaced(engine, lake)
        with engine.connect() as connection:
            months = manifest.interrupted(connection)
            months += [
                month
                for month in manifest.mergeable(connection, now.astimezone(UTC))
                if month not in months
            ]
        done = [_compact_month(engine, lake, month=month, page_rows=page_rows) for month in months]
    return [month for month in done if month is not None]


def finish_interrupted(engine: Engine, lake: Lake) -> None:
    """Finish the compactions that others began; the caller holds the lock of lake care.

    Raises as `compact` does.
    """
    _remove_replaced(engine, lake)
    with engine.connect() as connection:
        months = manifest.interrupted(connection)
    for month in months:
        _compact_month(engine, lake, month=month, page_rows=PAGE_ROWS)


def _compact_month(
    engine: Engine, lake: Lake, *, month: Month, page_rows: int
) -> CompactedMonth | None:
    with engine.begin() as connection:
        begun = manifest.begin_month(connection, month)
    if begun is None:
        return None
    batch, sources = begun
    lake.discard_earlier(batch)
    parts = _read_parts(engine, batch.family, ids=[batch.id, *sources], page_rows=page_rows)
    staged = lake.stage_parts(batch, parts, schema=schema_for(batch.family))
    try:
        file = lake.publish(staged)
    except BatchTakenOver as error:
        raise LakeBusy(f"another process compacts {staged.file.path}") from error
    hit("compact.file_written")
    _swap(engine, batch, file=file, sources=sources)
    hit("compact.swapped")
    _remove_replaced(engine, lake)
    log.info("lake.compacted", path=file.path, rows=file.rows, bytes=file.bytes)
    return CompactedMonth(path=file.path, rows=file.rows, bytes=file.bytes, merged=len(sources))


def _swap(engine: Engine, batch: Batch, *, file: batches.BatchFile, sources: list[str]) -> None:
    with engine.begin() as connection:
        if not manifest.swap(connection, batch, file=file, sources=sources):
            raise LakeBusy(f"{file.path} changed while it was compacted: run it again")


def _read_parts(
    engine: Engine, family: str, *, ids: list[str], page_rows: int
) -> Iterator[pa.Table]:
    after = BEGINNING
    while True:
        with engine.connect() as connection:
            rows = manifest.page(connection, ids, after=after, limit=page_rows)
        if rows:
            yield to_table(family, rows)
        if len(rows) < page_rows:
            return
        after = (rows[-1].created_at, rows[-1].id)


def _remove_replaced(engine: Engine, lake: Lake) -> None:
    with engine.connect() as connection:
        replaced = [each for each in manifest.entries(connection) if each.state == "replaced"]
    if not replaced:
        return
    for entry in replaced:
        hit("compact.before_delete")
        if entry.file is not None:
            lake.remove(lake.root / entry.file.path)
    with engine.begin() as connection:
        manifest.forget(connection, [entry.batch.id for entry in replaced])
