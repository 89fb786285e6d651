"""What one user has done, as the lake has it: events by day and family, and verdicts on code."""

import json
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from events.lake import Lake, LakeUnavailable
from events.query import open_view

SECONDS: Final = 5.0
THREADS: Final = 2
TRIES: Final = 2
"""A file that was merged into its month's between its finding and its reading is not there."""

_DAYS: Final = """
select cast(created_at as date) as day, split_part(event_type, '.', 1) as family,
       count(*) as events
from events
where user_id = $user and created_at >= $since
  and (year::int > $year or (year::int = $year and month::int >= $month))
group by day, family order by day, family
"""
_VERDICTS: Final = """
select epoch_us(created_at), payload
from events
where user_id = $user and event_type = 'task.validated' and created_at >= $since
  and (year::int > $year or (year::int = $year and month::int >= $month))
order by created_at desc, id limit 500
"""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class FamilyDay:
    """How many `events` of a family there were on a UTC `day`."""

    day: date
    family: str
    events: int


@dataclass(frozen=True, kw_only=True)
class JudgedTask:
    """A verdict on code for a task; the score is 0 to 1, `passed` None where nobody could tell."""

    at: datetime
    task_id: str
    title: str
    snapshot_id: str
    passed: bool | None
    score: float | None


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Days in their order, then verdicts, oldest first and at most 500, the newest."""

    days: tuple[FamilyDay, ...]
    verdicts: tuple[JudgedTask, ...]


def read_activity(lake: Lake, *, user_id: str, since: date) -> Activity:
    """Return what `user_id` did from the UTC day `since` on.

    The user is a bound parameter of every statement. Raises LakeUnavailable where the lake cannot
    be read, or not within five seconds.
    """
    import duckdb

    for left in reversed(range(TRIES)):
        try:
            return _read(lake, user_id, since)
        except duckdb.InterruptException as error:
            raise LakeUnavailable(f"it does not answer within {SECONDS:g} s") from error
        except (duckdb.Error, OSError) as error:
            if not left:
                raise LakeUnavailable(f"a file cannot be read: {type(error).__name__}") from error
    raise AssertionError


def _read(lake: Lake, user_id: str, since: date) -> Activity:
    import duckdb

    midnight = datetime(since.year, since.month, since.day, tzinfo=UTC)
    asked = {"user": user_id, "since": midnight, "year": since.year, "month": since.month}
    with duckdb.connect(":memory:", config={"threads": THREADS}) as connection:
        late = threading.Timer(SECONDS, connection.interrupt)
        late.start()
        try:
            open_view(connection, lake)
            days = connection.execute(_DAYS, asked).fetchall()
            verdicts = connection.execute(_VERDICTS, asked).fetchall()
        finally:
            late.cancel()
    return Activity(
        days=tuple(FamilyDay(day=day, family=family, events=n) for day, family, n in days),
        verdicts=tuple(one for row in reversed(verdicts) if (one := as_verdict(*row)) is not None),
    )


def as_verdict(microseconds: int, payload: str) -> JudgedTask | None:
    """Return the verdict of an event's time and payload, None where it is not one of ours."""
    said: Any = json.loads(payload)
    names = ("task_id", "title", "code_snapshot_id")
    if not isinstance(said, dict) or not all(isinstance(said.get(name), str) for name in names):
        return None
    passed, score = said.get("passed"), said.get("validation_score")
    return JudgedTask(
        at=_EPOCH + timedelta(microseconds=microseconds),
        task_id=said["task_id"],
        title=said["title"],
        snapshot_id=said["code_snapshot_id"],
        passed=passed if isinstance(passed, bool) else None,
        score=float(score) if isinstance(score, int | float) else None,
    )
