"""Closed months become one file for each family.

The month's file is put in place, then one fenced transaction moves its events to it, then the
files that it replaces are removed. Whoever dies in between is finished by the next care operation.

Through the manifest (a row counts in the file that `events.parquet_path` names) each row is there
once at every instant. A plain glob sees the month's rows twice from the moment its file is in place
until the last replaced one is gone, and a reader that listed a replaced file before may not find
it any more: it lists again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog
from sqlalchemy import Engine

from db import batches, manifest
from db.batches import Batch
from db.failpoints import hit
from db.manifest import Entry, Month
from events.care import LakeBusy, open_care, refuse_lost_lake
from events.lake import BatchTakenOver, Lake
from events.pages import GROUP_ROWS, make_tables, read_rows
from events.schema import schema_for

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class CompactedMonth:
    """A month's one file: `merged` counts the files that went into it, `path` is in the lake."""

    path: str
    rows: int
    bytes: int
    merged: int


def compact(
    engine: Engine, lake: Lake, *, now: datetime, page_rows: int = GROUP_ROWS
) -> list[CompactedMonth]:
    """Merge every month that is closed at `now` (aware) and has more than one file of a family.

    Returns the months' files, in their order; `page_rows` events at most make a row group. Raises
    LakeBusy, LakeUnavailable or sqlalchemy's DBAPIError; run it again to finish what was begun.
    A month with a file that may not be removed yet waits (see `events.lake_s3`).
    """
    with open_care(engine):
        refuse_lost_lake(engine, lake)
        _remove_replaced(engine, lake)
        with engine.connect() as connection:
            months = manifest.interrupted(connection)
            mergeable = manifest.mergeable(connection, now.astimezone(UTC))
            entries = manifest.entries(connection)
        mergeable = [month for month in mergeable if _may_replace(lake, month, entries=entries)]
        months += [month for month in mergeable if month not in months]
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
        _compact_month(engine, lake, month=month, page_rows=GROUP_ROWS)


def _may_replace(lake: Lake, month: Month, *, entries: Sequence[Entry]) -> bool:
    """Tell whether the month's files could be removed as soon as they are merged."""
    return all(
        lake.may_remove(entry.file.path)
        for entry in entries
        if entry.state == "done"
        and entry.file is not None
        and month
        == Month(family=entry.batch.family, year=entry.batch.year, month=entry.batch.month)
        and entry.batch.id != manifest.month_id(month)
    )


def _compact_month(
    engine: Engine, lake: Lake, *, month: Month, page_rows: int
) -> CompactedMonth | None:
    with engine.begin() as connection:
        begun = manifest.begin_month(connection, month)
    if begun is None:
        return None
    batch, sources = begun
    lake.discard_earlier(batch)
    rows = read_rows(engine, partial(manifest.keys, ids=[batch.id, *sources]))
    parts = make_tables(batch.family, rows, group_rows=page_rows)
    staged = lake.stage_parts(batch, parts, schema=schema_for(batch.family))
    if not _is_begun(engine, batch):
        lake.discard(staged)
        raise LakeBusy(f"another process compacts {staged.file.path}")
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


def _is_begun(engine: Engine, batch: Batch) -> bool:
    """Tell whether the month is still merged in this epoch: a lost session has lost the lock."""
    ours = (batch.id, batch.epoch, "compacting")
    with engine.connect() as connection:
        entries = manifest.entries(connection)
    return any((each.batch.id, each.batch.epoch, each.state) == ours for each in entries)


def _swap(engine: Engine, batch: Batch, *, file: batches.BatchFile, sources: list[str]) -> None:
    with engine.begin() as connection:
        if not manifest.swap(connection, batch, file=file, sources=sources):
            raise LakeBusy(f"{file.path} changed while it was compacted: run it again")


def _remove_replaced(engine: Engine, lake: Lake) -> None:
    with engine.connect() as connection:
        replaced = [each for each in manifest.entries(connection) if each.state == "replaced"]
    replaced = [each for each in replaced if not each.file or lake.may_remove(each.file.path)]
    if not replaced:
        return
    for entry in replaced:
        hit("compact.before_delete")
        if entry.file is not None:
            lake.remove(entry.file.path)
    with engine.begin() as connection:
        manifest.forget(connection, [entry.batch.id for entry in replaced])
