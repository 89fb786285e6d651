"""The loop that carries events away until it is told to stop."""

import random
import threading
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Engine

from db.engine import UNAVAILABLE
from events.lake import Lake, LakeUnavailable
from events.sink import LEASE, FlushPolicy, drain_if_due, flush

FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 30.0

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
            delay = _retry_delay(failures)
            log.warning("worker.unavailable", reason=_reason(error), retry_seconds=round(delay, 2))
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
        log.warning("worker.stopped_unflushed", reason=_reason(error))


def _retry_delay(failures: int) -> float:
    longest = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(failures - 1, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter is no secret


def _reason(error: Exception) -> str:
    """Return the error's first line; statements and their parameters stay out of the log."""
    lines = str(getattr(error, "orig", None) or error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
