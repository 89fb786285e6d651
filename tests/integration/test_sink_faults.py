"""Sinks that are overtaken, cut off or out of space: nothing lost, nothing doubled."""

import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from db import batches
from db.batches import Batch
from db.enums import EventType
from events.lake import BatchTakenOver, StagedFile, batch_path
from events.lake_folder import FolderLake
from events.schema import to_table
from events.sink import FlushPolicy, drain_if_due, drain_once, flush
from tests.event_samples import record_events, sample, samples
from tests.lake_oracle import assert_lake_holds_every_event_once, lake_files

EXPIRED = timedelta(0)
SMALL_FILE_LIMIT = """
import resource, sys
from pathlib import Path
from db.engine import make_sync_engine
from events.lake import LakeUnavailable
from events.lake_folder import FolderLake
from events.sink import drain_once
from datetime import timedelta

resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
try:
    drain_once(make_sync_engine(sys.argv[1]), FolderLake(Path(sys.argv[2])), lease=timedelta(0))
except LakeUnavailable as error:
    sys.exit(f"refused: {error}")
"""


def test_an_expired_lease_is_taken_over_under_the_same_name(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])
    with outbox.begin() as connection:
        (lost,) = batches.freeze(connection, 10, lease=EXPIRED)

    finished = drain_once(outbox, lake)

    assert finished == 1
    assert lake_files(lake.root) == [lake.root / batch_path(lost)]
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_lease_that_holds_is_respected(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])
    with outbox.begin() as connection:
        batches.freeze(connection, 10, lease=timedelta(minutes=5))

    finished = drain_once(outbox, lake)

    assert finished == 0
    assert lake_files(lake.root) == []


def test_what_a_stalled_sink_says_after_a_take_over_changes_nothing(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])
    with outbox.begin() as connection:
        (batch,) = batches.freeze(connection, 10, lease=EXPIRED)
        rows = batches.read(connection, [key.id for key in batches.keys(connection, batch)])
    stalled = lake.stage(batch, to_table("task", rows))
    drain_once(outbox, lake)

    with outbox.begin() as connection:
        held = batches.is_held(connection, batch)
        finished = batches.finish(connection, batch, file=stalled.file)

    assert (held, finished) == (False, 0)
    with pytest.raises(BatchTakenOver):
        lake.publish(stalled)
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_holder_that_was_overtaken_cannot_finish_while_the_next_one_writes(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])
    with outbox.begin() as connection:
        (overtaken,) = batches.freeze(connection, 10, lease=EXPIRED)
    staged = lake.stage(overtaken, to_table("task", []))
    with outbox.begin() as connection:
        (current,) = batches.reclaim(connection, 10, lease=timedelta(minutes=5))

    with outbox.begin() as connection:
        held = [batches.is_held(connection, batch) for batch in (overtaken, current)]
        finished = batches.finish(connection, overtaken, file=staged.file)

    assert (held, finished) == ([False, True], 0)


def test_a_sink_that_stalled_before_writing_leaves_the_finished_file_alone(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    class StallingLake(FolderLake):
        """A lake whose writer is overtaken by another sink before it writes."""

        def stage_parts(
            self, batch: Batch, parts: Iterable[pa.Table], *, schema: pa.Schema
        ) -> StagedFile:
            drain_once(outbox, lake)
            inodes.extend(path.stat().st_ino for path in lake_files(lake.root))
            return super().stage_parts(batch, parts, schema=schema)

    inodes: list[int] = []
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])

    finished = drain_once(outbox, StallingLake(lake.root), lease=EXPIRED)

    assert finished == 0
    assert [path.stat().st_ino for path in lake_files(lake.root)] == inodes
    assert_lake_holds_every_event_once(outbox, lake.root)


class Commits:
    """A driver's commit that fails once: the `nth`, after it was carried out or instead of it."""

    def __init__(self, engine: Engine, *, nth: int, carried_out: bool) -> None:
        self.commit = engine.dialect.do_commit
        self.left = nth
        self.carried_out = carried_out

    def __call__(self, connection: Any) -> None:
        """Commit, unless this is the one that fails."""
        self.left -= 1
        if self.left != 0 or self.carried_out:
            self.commit(connection)
        if self.left == 0:
            raise psycopg.OperationalError("server closed the connection unexpectedly")


def test_a_freeze_whose_answer_is_lost_is_found_again(
    database_url: str, outbox: Engine, lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])
    commits = Commits(outbox, nth=1, carried_out=True)
    monkeypatch.setattr(outbox.dialect, "do_commit", commits)

    with pytest.raises(DBAPIError):
        drain_once(outbox, lake, lease=EXPIRED)

    assert drain_once(outbox, lake) == 1
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_an_end_whose_answer_is_lost_is_seen_to_have_happened(
    database_url: str, outbox: Engine, lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])
    commits = Commits(outbox, nth=4, carried_out=True)
    monkeypatch.setattr(outbox.dialect, "do_commit", commits)

    finished = drain_once(outbox, lake)

    assert finished == 1
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_an_end_that_did_not_happen_leaves_the_file_and_is_repeated(
    database_url: str, outbox: Engine, lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])
    commits = Commits(outbox, nth=4, carried_out=False)
    monkeypatch.setattr(outbox.dialect, "do_commit", commits)
    with pytest.raises(DBAPIError):
        drain_once(outbox, lake, lease=EXPIRED)
    left = lake_files(lake.root)

    finished = drain_once(outbox, lake)

    assert (len(left), finished) == (1, 1)
    assert lake_files(lake.root) == left
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_full_disk_leaves_no_file_and_heals(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, samples(27))
    program = [sys.executable, "-c", SMALL_FILE_LIMIT, database_url, str(lake.root)]

    child = subprocess.run(program, check=False, capture_output=True, text=True)

    assert child.stderr.startswith("refused: OSError: [Errno 27] File too large")
    assert [path for path in lake.root.glob("**/*") if path.is_file()] == []
    flush(outbox, lake)
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_an_abandoned_batch_is_due_however_few_events_wait(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.GOAL_CREATED)])
    with outbox.begin() as connection:
        batches.freeze(connection, 10, lease=EXPIRED)

    finished = drain_if_due(outbox, lake, policy=FlushPolicy())

    assert finished == 1
