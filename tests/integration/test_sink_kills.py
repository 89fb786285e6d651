"""A sink is killed with SIGKILL at each of its points; the next one must heal everything."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.engine import make_sync_engine
from events.failpoints import FAILPOINTS, Failpoint
from events.lake import Lake
from events.sink import flush
from tests.event_samples import record_events, samples
from tests.lake_oracle import assert_lake_holds_every_event_once

SINK_POINTS = [point for point in FAILPOINTS if point.startswith("sink.")]

# The lease ends as it begins, so that the next sink may take over at once: nothing waits.
SINK = """
import sys
from datetime import timedelta
from pathlib import Path
from db.engine import make_sync_engine
from events.lake import Lake
from events.sink import flush

flush(make_sync_engine(sys.argv[1]), Lake(Path(sys.argv[2])), limit=30, lease=timedelta(0))
"""


@pytest.fixture
def outbox(database_url: str) -> Iterator[Engine]:
    """Yield the blocking engine that a sink has."""
    engine = make_sync_engine(database_url)
    yield engine
    engine.dispose()


def start_sink(
    database_url: str, lake: Path, *, failpoint: Failpoint | None
) -> subprocess.Popen[bytes]:
    """Start a sink in a process of its own, to be killed at `failpoint`."""
    return subprocess.Popen(
        [sys.executable, "-c", SINK, database_url, str(lake)],
        env=os.environ | {"GOALS_FAILPOINTS": failpoint or ""},
    )


@pytest.mark.parametrize("failpoint", SINK_POINTS)
def test_a_sink_killed_there_loses_and_doubles_nothing(
    failpoint: Failpoint, database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    record_events(database_url, samples(100))

    killed = start_sink(database_url, tmp_path, failpoint=failpoint).wait()
    flush(outbox, Lake(tmp_path), limit=30)

    assert killed == -signal.SIGKILL
    assert_lake_holds_every_event_once(outbox, tmp_path)


def test_sinks_killed_side_by_side_and_again_lose_and_double_nothing(
    database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    record_events(database_url, samples(200))
    pairs = zip(SINK_POINTS[::2], SINK_POINTS[1::2], strict=False)

    exits = [
        [sink.wait() for sink in [start_sink(database_url, tmp_path, failpoint=p) for p in pair]]
        for pair in pairs
    ]
    flush(outbox, Lake(tmp_path), limit=30)

    # One that was taken over before its point finds nothing left to do, and ends well.
    assert {code for pair in exits for code in pair} <= {-signal.SIGKILL, 0}
    assert_lake_holds_every_event_once(outbox, tmp_path)


def test_a_sink_that_nobody_kills_finishes(
    database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    record_events(database_url, samples(100))

    ended = start_sink(database_url, tmp_path, failpoint=None).wait()

    assert ended == 0
    assert_lake_holds_every_event_once(outbox, tmp_path)
