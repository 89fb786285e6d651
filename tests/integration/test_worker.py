"""The worker's loop: it waits, it survives, it stops; each of its waits is a step of a script."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from db.engine import make_sync_engine
from events.lake_folder import FolderLake
from events.worker import run_worker
from tests.database import connect
from tests.event_samples import record_events, samples
from tests.lake_oracle import assert_lake_holds_every_event_once, lake_files


class Script(threading.Event):
    """A stop event whose every `wait` runs the next step instead of waiting; the end stops."""

    def __init__(self, *steps: Callable[[], Any]) -> None:
        super().__init__()
        self.steps = list(steps)
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Run one step and return False, or True when none is left."""
        self.waits.append(timeout or 0.0)
        if not self.steps:
            return True
        self.steps.pop(0)()
        return False


def nothing() -> None:
    """Let one round pass."""


def test_a_worker_waits_for_age_and_flushes_when_told_to_stop(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    seen: list[int] = []
    stop = Script(
        lambda: record_events(database_url, samples(27)),
        lambda: seen.append(len(lake_files(lake.root))),
    )

    run_worker(outbox, lake, stop=stop, poll_seconds=0.25)

    assert seen == [0]
    assert stop.waits == [0.0, 0.25, 0.25]
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_worker_survives_an_outage_of_the_database(
    database_url: str, outbox: Engine, lake: FolderLake, server_url: str
) -> None:
    name = make_url(database_url).database or ""

    def allow_connections(allowed: str) -> None:
        alter = sql.SQL("alter database {} with allow_connections " + allowed)
        terminate = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
        with connect(server_url) as connection:
            connection.execute(alter.format(sql.Identifier(name)))
            connection.execute(terminate, [name])

    record_events(database_url, samples(27))
    stop = Script(
        nothing,
        lambda: allow_connections("false"),
        nothing,
        nothing,
        lambda: allow_connections("true"),
    )
    with capture_logs() as logs:
        run_worker(outbox, lake, stop=stop, poll_seconds=0.0)

    events = Counter(entry["event"] for entry in logs)
    assert (events["worker.unavailable"], events["worker.recovered"]) == (3, 1)
    assert 0.25 <= stop.waits[2] <= 0.5 <= stop.waits[3] <= 1.0 <= stop.waits[4] <= 2.0
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_worker_that_must_stop_during_an_outage_returns_and_says_so(
    tmp_path: Path, lake: FolderLake
) -> None:
    unreachable = make_sync_engine(f"postgresql://nobody@/none?host={tmp_path}")

    with capture_logs() as logs:
        run_worker(unreachable, lake, stop=Script(nothing))

    assert [entry["event"] for entry in logs] == ["worker.unavailable", "worker.stopped_unflushed"]
    assert not lake.root.exists()
