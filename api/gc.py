"""`goals gc`, and the same once an hour in every server and worker: what nobody will read again."""

import contextlib
import itertools
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from api.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

RETENTION: Final = timedelta(days=30)
GRACE: Final = timedelta(hours=1)
"""How long what has just ended is left alone, and how long a reservation may stand."""
ANSWERS: Final = timedelta(hours=24)
"""How long the answer to an `Idempotency-Key` is kept."""
EVERY: Final = timedelta(hours=1)
FIRST_AFTER: Final = timedelta(minutes=1)
BATCH: Final = 500
RUNS_OF_A_BATCH: Final = 50


@dataclass(frozen=True, kw_only=True)
class Collected:
    """How many questions expired, how much went, and how many reservations were given back.

    `busy` where another process was at it, and the rest was left to that one.
    """

    interrupts: int = 0
    checkpoints: int = 0
    run_events: int = 0
    reservations: int = 0
    answers: int = 0
    busy: bool = False

    def __add__(self, other: "Collected") -> "Collected":
        return Collected(
            interrupts=self.interrupts + other.interrupts,
            checkpoints=self.checkpoints + other.checkpoints,
            run_events=self.run_events + other.run_events,
            reservations=self.reservations + other.reservations,
            answers=self.answers + other.answers,
            busy=self.busy or other.busy,
        )


class _Busy(Exception):
    """Another process collects."""


def run_gc(settings: Settings, *, older_than: timedelta, dry_run: bool) -> None:
    """Delete what nobody will read again, or count it, and print how much it is."""
    from rich.console import Console

    from api.bootstrap import open_database
    from db.base import utc_now

    console = Console(highlight=False, markup=False, soft_wrap=True)
    with open_database(settings) as url:
        done = collect(url, now=utc_now(), older_than=older_than, dry_run=dry_run)
    verb = "would be" if dry_run else "were"
    console.print(f"{done.interrupts} questions that nobody answered in time {verb} cancelled.")
    console.print(f"{done.checkpoints} checkpoints {verb} deleted.")
    console.print(f"{done.run_events} events of old runs {verb} deleted.")
    console.print(f"{done.reservations} reservations {verb} given back.")
    console.print(f"{done.answers} answers kept for repeated requests {verb} deleted.")
    if done.busy:
        console.print("Another process is at it: what is left, it deletes.")


def keep_tidy(url: str, settings: Settings, stop: threading.Event) -> None:
    """Delete what nobody will read again once an hour, until `stop` is set."""
    import structlog

    from db.base import utc_now

    log = structlog.get_logger(__name__)
    pause = FIRST_AFTER
    while not stop.wait(pause.total_seconds()):
        pause = EVERY
        try:
            done = collect(url, now=utc_now(), stop=stop)
        except Exception:  # the database is away for now: there is another hour
            log.exception("gc.failed")
            continue
        log.info("gc.done", **asdict(done))


def collect(
    url: str,
    *,
    now: datetime,
    older_than: timedelta = RETENTION,
    dry_run: bool = False,
    stop: threading.Event | None = None,
) -> Collected:
    """Delete what nobody will read again, in many short transactions; return how much it was.

    That is: questions whose time is over, with the runs that waited; checkpoints of ended runs;
    checkpoints of no run and events of ended ones, older than `older_than`; reservations that
    stand for an hour; answers to keys after a day. `stop` ends it after a transaction.
    """
    from db.engine import make_sync_engine

    engine = make_sync_engine(url, pool_size=1)
    try:
        if dry_run:
            return _count(engine, now=now, before=now - older_than)
        return _sweep(engine, now=now, before=now - older_than, stop=stop or threading.Event())
    finally:
        engine.dispose()


def _count(engine: "Engine", *, now: datetime, before: datetime) -> Collected:
    from db import garbage

    checkpoints = 0
    after: str | None = ""
    with engine.connect() as connection:
        waste = garbage.count_waste(
            connection,
            now=now,
            before=before,
            reserved_before=now - GRACE,
            answered_before=now - ANSWERS,
        )
        while after is not None:
            page = garbage.page_of_checkpoints(
                connection, after=after, ended_before=now - GRACE, made_before=before, limit=BATCH
            )
            checkpoints += len(page.done_with)
            after = page.last
    return Collected(
        interrupts=waste.interrupts,
        checkpoints=checkpoints + waste.checkpoints,
        run_events=waste.run_events,
        reservations=waste.reservations,
        answers=waste.answers,
    )


def _sweep(
    engine: "Engine", *, now: datetime, before: datetime, stop: threading.Event
) -> Collected:
    done = Collected()
    batches = itertools.chain(
        _cancel_questions(engine, now),
        _delete_checkpoints(engine, now, before),
        _forget_events(engine, before),
        _give_back(engine, now),
        _forget_answers(engine, now, before),
        _forget_windows(engine),
    )
    try:
        for batch in batches:
            done = done + batch
            if stop.is_set():
                break
    except _Busy:
        done = replace(done, busy=True)
    return done


def _cancel_questions(engine: "Engine", now: datetime) -> Iterator[Collected]:
    from db.garbage import cancel_expired

    asked = BATCH
    while asked == BATCH:
        with _turn(engine) as connection:
            asked, gone = cancel_expired(connection, now=now, limit=BATCH)
        yield Collected(interrupts=asked, checkpoints=gone)


def _delete_checkpoints(engine: "Engine", now: datetime, before: datetime) -> Iterator[Collected]:
    from db.checkpoints import delete_checkpoints
    from db.garbage import page_of_checkpoints

    after: str | None = ""
    while after is not None:
        with _turn(engine) as connection:
            page = page_of_checkpoints(
                connection, after=after, ended_before=now - GRACE, made_before=before, limit=BATCH
            )
            gone = delete_checkpoints(connection, page.done_with)
        yield Collected(checkpoints=gone)
        after = page.last


def _forget_events(engine: "Engine", before: datetime) -> Iterator[Collected]:
    from db.garbage import forget_events, page_of_events

    after: str | None = ""
    while after is not None:
        with _turn(engine) as connection:
            page = page_of_events(connection, after=after, before=before, limit=RUNS_OF_A_BATCH)
            gone = forget_events(connection, page.done_with)
        yield Collected(run_events=gone)
        after = page.last


def _give_back(engine: "Engine", now: datetime) -> Iterator[Collected]:
    from db.garbage import release_reservations

    given = BATCH
    while given == BATCH:
        with _turn(engine) as connection:
            given = release_reservations(connection, before=now - GRACE, limit=BATCH)
        yield Collected(reservations=given)


def _forget_answers(engine: "Engine", now: datetime, before: datetime) -> Iterator[Collected]:
    from db.garbage import forget_answers

    gone = BATCH
    while gone == BATCH:
        with _turn(engine) as connection:
            gone = forget_answers(
                connection, answered_before=now - ANSWERS, before=before, limit=BATCH
            )
        yield Collected(answers=gone)


def _forget_windows(engine: "Engine") -> Iterator[Collected]:
    from db.rate_windows import forget_old

    with _turn(engine) as connection:
        forget_old(connection)
    yield Collected()


@contextlib.contextmanager
def _turn(engine: "Engine") -> Iterator["Connection"]:
    """Open one short transaction. Raises _Busy where another process collects."""
    from db.garbage import take_turn

    with engine.begin() as connection:
        if not take_turn(connection):
            raise _Busy
        yield connection
