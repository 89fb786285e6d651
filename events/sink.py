"""From the outbox to Parquet, each event once, whatever is killed.

tx1 freezes which events make which file; the file is written, checked, and put in place while no
transaction is open; tx2 says so in PostgreSQL, if the batch is still ours. Whoever dies in between
leaves a lease that expires, and the next sink repeats the same rows under the same name.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from db import batches
from db.batches import Batch, BatchFile
from db.engine import UNAVAILABLE
from db.failpoints import hit
from events import metrics
from events.lake import BatchTakenOver, Lake, LakeUnavailable, StagedFile
from events.pages import make_tables, read_rows
from events.poison import isolate
from events.schema import schema_for

MAX_ROWS: Final = 10_000
MAX_BYTES: Final = 16 * 2**20
MAX_AGE: Final = timedelta(seconds=60)
LEASE: Final = timedelta(seconds=60)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class FlushPolicy:
    """When waiting events become files: at `max_rows`, or when the first is `max_age` old.

    Where they come as messages also when their bodies have `max_bytes` together.
    """

    max_rows: int = MAX_ROWS
    max_bytes: int = MAX_BYTES
    max_age: timedelta = MAX_AGE


def drain_once(
    engine: Engine, lake: Lake, *, limit: int = MAX_ROWS, lease: timedelta = LEASE
) -> int:
    """Write up to `limit` abandoned batches and `limit` waiting events; return the events finished.

    Raises LakeUnavailable or sqlalchemy's DBAPIError; what was frozen by then is repeated, by any
    sink, after `lease`.
    """
    with engine.begin() as connection:
        abandoned = batches.reclaim(connection, limit, lease=lease)
        held = batches.freeze(connection, limit, lease=lease)
    hit("sink.batch_frozen")
    held += _least_suspicious_first(engine, lake, abandoned, lease=lease)
    return sum(store_or_leave(engine, lake, batch=batch) for batch in held)


def take_over(
    engine: Engine, lake: Lake, *, limit: int = MAX_ROWS, lease: timedelta = LEASE
) -> int:
    """Write up to `limit` batches that their sinks abandoned; return the events finished."""
    with engine.begin() as connection:
        abandoned = batches.reclaim(connection, limit, lease=lease)
    held = _least_suspicious_first(engine, lake, abandoned, lease=lease)
    return sum(store_or_leave(engine, lake, batch=batch) for batch in held)


def drain_if_due(
    engine: Engine, lake: Lake, *, policy: FlushPolicy, lease: timedelta = LEASE
) -> int:
    """Drain once if the policy or an expired lease asks for it; return the events finished."""
    with engine.connect() as connection:
        waits = batches.backlog(connection, policy.max_rows)
    old = waits.distance is not None and waits.distance >= policy.max_age
    if old or waits.expired or waits.waiting >= policy.max_rows:
        return drain_once(engine, lake, limit=policy.max_rows, lease=lease)
    return 0


def flush(engine: Engine, lake: Lake, *, limit: int = MAX_ROWS, lease: timedelta = LEASE) -> int:
    """Drain until a round finds less than `limit`, however young; return the events finished."""
    total = 0
    while (finished := drain_once(engine, lake, limit=limit, lease=lease)) >= limit:
        total += finished
    return total + finished


def store_or_leave(engine: Engine, lake: Lake, *, batch: Batch) -> int:
    """Store a batch as `store` does; leave one whose rows make no file to whoever comes after.

    That counts as a death, so that a row which raises is isolated as one which kills.
    """
    try:
        return store(engine, lake, batch=batch)
    except (*UNAVAILABLE, LakeUnavailable):
        raise
    except Exception as error:
        # Not the error's text: it may quote the row.
        log.error("sink.batch_failed", batch=batch.id, error=type(error).__name__)
        return 0


def store(engine: Engine, lake: Lake, *, batch: Batch) -> int:
    """Write the file of a frozen batch and finish it; return its events, 0 if it is not ours now.

    Raises LakeUnavailable or sqlalchemy's DBAPIError, and may be called again then.
    """
    started = time.monotonic()
    if batch.epoch > 1:
        lake.discard_earlier(batch)
    with engine.begin() as connection:
        if not batches.begin_attempt(connection, batch):
            return 0
    try:
        staged, oldest = _stage(engine, lake, batch=batch)
    except (*UNAVAILABLE, LakeUnavailable):
        # Whoever fails and lives is no victim: an outage must not look like poison.
        with contextlib.suppress(*UNAVAILABLE), engine.begin() as connection:
            batches.end_attempt(connection, batch)
        raise
    with engine.begin() as connection:
        batches.end_attempt(connection, batch)
        held = batches.is_held(connection, batch)
    hit("sink.before_rename")
    if not held:
        lake.discard(staged)
        return 0
    try:
        file = lake.publish(staged)
    except BatchTakenOver:
        log.info("sink.batch_taken_over", batch=batch.id, epoch=batch.epoch)
        return 0
    hit("sink.before_tx2")
    finished = _finish(engine, batch, file=file)
    hit("sink.after_tx2")
    if finished and oldest is not None:
        metrics.count_file(batch.family, file, oldest=oldest, started=started)
    log.info("sink.batch_done", batch=batch.id, events=finished, path=file.path, bytes=file.bytes)
    return finished


def _least_suspicious_first(
    engine: Engine, lake: Lake, abandoned: Sequence[Batch], *, lease: timedelta
) -> list[Batch]:
    """Return what to write of batches that were taken over; who dies of one has done the others."""
    return [
        part
        for batch in sorted(abandoned, key=attrgetter("attempts"))
        for part in isolate(engine, lake, batch=batch, lease=lease)
    ]


def _stage(engine: Engine, lake: Lake, *, batch: Batch) -> tuple[StagedFile, datetime | None]:
    """Write the file of `batch` aside; return it and the `created_at` of its oldest event."""
    rows = read_rows(engine, partial(batches.keys, batch=batch))
    tables = make_tables(batch.family, rows)
    first = next(tables, None)
    known = [] if first is None else [first]
    staged = lake.stage_parts(batch, chain(known, tables), schema=schema_for(batch.family))
    return staged, None if first is None else first["created_at"][0].as_py()


def _finish(engine: Engine, batch: Batch, *, file: BatchFile) -> int:
    try:
        with engine.begin() as connection:
            return batches.finish(connection, batch, file=file)
    except DBAPIError:
        # A commit whose answer was lost may have happened: ask, and never remove the file.
        with engine.connect() as connection:
            if batches.is_done(connection, batch):
                return file.rows
        raise
