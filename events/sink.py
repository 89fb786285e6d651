"""From the outbox to Parquet, each event once, whatever is killed.

tx1 freezes which events make which file; the file is written, checked, and put in place while no
transaction is open; tx2 says so in PostgreSQL, if the batch is still ours. Whoever dies in between
leaves a lease that expires, and the next sink repeats the same rows under the same name.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from db import batches
from db.batches import Batch, BatchFile
from events.failpoints import hit
from events.lake import BatchTakenOver, Lake
from events.schema import to_table

MAX_ROWS: Final = 5_000
MAX_AGE: Final = timedelta(seconds=60)
LEASE: Final = timedelta(seconds=60)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class FlushPolicy:
    """When waiting events become files: at `max_rows`, or when the first is `max_age` old."""

    max_rows: int = MAX_ROWS
    max_age: timedelta = MAX_AGE


def drain_once(
    engine: Engine, lake: Lake, *, limit: int = MAX_ROWS, lease: timedelta = LEASE
) -> int:
    """Write up to `limit` abandoned batches and `limit` waiting events; return the events finished.

    Raises LakeUnavailable or sqlalchemy's DBAPIError; what was frozen by then is repeated, by any
    sink, after `lease`.
    """
    with engine.begin() as connection:
        held = batches.reclaim(connection, limit, lease=lease)
        held += batches.freeze(connection, limit, lease=lease)
    hit("sink.batch_frozen")
    return sum(store(engine, lake, batch=batch) for batch in held)


def take_over(
    engine: Engine, lake: Lake, *, limit: int = MAX_ROWS, lease: timedelta = LEASE
) -> int:
    """Write up to `limit` batches that their sinks abandoned; return the events finished."""
    with engine.begin() as connection:
        held = batches.reclaim(connection, limit, lease=lease)
    return sum(store(engine, lake, batch=batch) for batch in held)


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


def store(engine: Engine, lake: Lake, *, batch: Batch) -> int:
    """Write the file of a frozen batch and finish it; return its events, 0 if it is not ours now.

    Raises LakeUnavailable or sqlalchemy's DBAPIError, and may be called again then.
    """
    if batch.epoch > 1:
        lake.discard_earlier(batch)
    with engine.connect() as connection:
        rows = batches.read(connection, batch)
    staged = lake.stage(batch, to_table(batch.family, rows))
    with engine.connect() as connection:
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
    log.info("sink.batch_done", batch=batch.id, events=finished, path=file.path, bytes=file.bytes)
    return finished


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
