"""The loop that carries events away until it is told to stop."""

import threading
from datetime import timedelta

import structlog
from sqlalchemy import Engine

from db.engine import UNAVAILABLE
from db.retry import reason, retry_delay
from events import metrics
from events.lake import Lake, LakeUnavailable
from events.sink import LEASE, FlushPolicy, drain_if_due, flush

log = structlog.get_logger(__name__)


def run_worker(
    engine: Engine,
    lake: Lake,
    *,
    stop: threading.Event,
    poll_seconds: float = 0.1,
    policy: FlushPolicy | None = None,
    lease: timedelta = LEASE,
) -> None:
    """Move events to `lake` as `policy` says until `stop` is set, then flush and return.

    A database or a lake that cannot be reached is logged and tried again after a jittered, growing
    delay of at most 30 seconds; events wait in their table meanwhile.
    """
    policy = policy or FlushPolicy()
    failures = 0
    delay = 0.0
    while not stop.wait(delay):
        try:
            finished = drain_if_due(engine, lake, policy=policy, lease=lease)
        except (*UNAVAILABLE, LakeUnavailable) as error:
            failures += 1
            metrics.count_failure("worker")
            delay = retry_delay(failures)
            log.warning("worker.unavailable", reason=reason(error), retry_seconds=round(delay, 2))
            continue
        if failures:
            log.info("worker.recovered", failures=failures)
        failures = 0
        delay = 0.0 if finished >= policy.max_rows else poll_seconds
    _flush_on_stop(engine, lake, policy=policy, lease=lease)


def _flush_on_stop(engine: Engine, lake: Lake, *, policy: FlushPolicy, lease: timedelta) -> None:
    try:
        flush(engine, lake, limit=policy.max_rows, lease=lease)
    except (*UNAVAILABLE, LakeUnavailable) as error:
        log.warning("worker.stopped_unflushed", reason=reason(error))
