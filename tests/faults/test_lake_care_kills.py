"""Lake care is killed with SIGKILL at each of its points; the next run must heal everything."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.enums import EventType
from db.failpoints import Failpoint
from events.compact import compact
from events.lake_folder import FolderLake
from events.scrub import scrub
from events.sink import flush
from tests.database import connect
from tests.event_samples import NOON, record_events, sample, samples
from tests.lake_oracle import (
    assert_lake_holds_every_event_once,
    lake_files,
    read_events,
    read_lake,
    read_through_manifest,
)

NEXT_MONTH = datetime(2026, 12, 1, tzinfo=UTC)
PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from db.engine import make_sync_engine
from events.compact import compact
from events.erase import erase_user
from events.lake_folder import FolderLake
from events.scrub import scrub

engine, lake = make_sync_engine(sys.argv[1]), FolderLake(Path(sys.argv[2]))
if sys.argv[3] == "compact":
    compact(engine, lake, now=datetime(2026, 12, 1, tzinfo=UTC))
elif sys.argv[3] == "scrub":
    scrub(engine, lake)
else:
    erase_user(engine, lake, user_id="usr_a")
"""
COMPACTION: list[Failpoint] = [
    "sink.mid_write",
    "sink.closed_before_fsync",
    "sink.after_rename",
    "compact.file_written",
    "compact.swapped",
    "compact.before_delete",
]


@pytest.fixture
def lake(database_url: str, outbox: Engine, tmp_path: Path) -> FolderLake:
    """Return a lake of two files for each family, all in November 2026."""
    lake = FolderLake(tmp_path)
    for day in range(2):
        record_events(database_url, samples(54), at=NOON - timedelta(days=day))
        flush(outbox, lake)
    return lake


def run_to_the_end_or_death(
    operation: str, *, database_url: str, lake: FolderLake, failpoint: Failpoint
) -> int:
    """Run a care operation in a process of its own that dies at `failpoint`."""
    program = [sys.executable, "-c", PROGRAM, database_url, str(lake.root), operation]
    child = subprocess.run(
        program, env=os.environ | {"GOALS_FAILPOINTS": failpoint}, check=False, capture_output=True
    )
    return child.returncode


@pytest.mark.faults
@pytest.mark.parametrize("failpoint", COMPACTION)
def test_a_compaction_killed_there_is_healed_by_the_next(
    failpoint: Failpoint, database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    expected = {event["id"]: 1 for event in read_events(outbox)}

    killed = run_to_the_end_or_death(
        "compact", database_url=database_url, lake=lake, failpoint=failpoint
    )
    seen = read_through_manifest(outbox, lake.root)
    readable = {row["id"] for row in read_lake(lake.root)}
    compact(outbox, lake, now=NEXT_MONTH)

    assert killed == -signal.SIGKILL
    assert seen == expected
    assert readable == set(expected)
    assert len(lake_files(lake.root)) == 7
    assert_lake_holds_every_event_once(outbox, lake.root)


@pytest.mark.faults
@pytest.mark.parametrize("failpoint", COMPACTION)
def test_a_merge_of_late_events_killed_there_is_healed_by_scrub_too(
    failpoint: Failpoint, database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    compact(outbox, lake, now=NEXT_MONTH)
    record_events(database_url, [sample(EventType.GOAL_CREATED)] * 5, at=NOON)
    flush(outbox, lake)
    expected = {event["id"]: 1 for event in read_events(outbox)}

    killed = run_to_the_end_or_death(
        "compact", database_url=database_url, lake=lake, failpoint=failpoint
    )
    seen = read_through_manifest(outbox, lake.root)
    report = scrub(outbox, lake)

    assert killed == -signal.SIGKILL
    assert seen == expected
    assert report.findings == ()
    assert len(lake_files(lake.root)) == 7
    assert_lake_holds_every_event_once(outbox, lake.root)


@pytest.mark.faults
@pytest.mark.parametrize("failpoint", ["scrub.quarantined", "sink.mid_write", "sink.before_tx2"])
def test_a_scrub_killed_there_is_healed_by_the_next_and_a_sink(
    failpoint: Failpoint, database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    os.truncate(lake_files(lake.root)[0], 100)

    killed = run_to_the_end_or_death(
        "scrub", database_url=database_url, lake=lake, failpoint=failpoint
    )
    let_leases_end(database_url)
    flush(outbox, lake)
    scrub(outbox, lake)

    assert killed == -signal.SIGKILL
    assert_lake_holds_every_event_once(outbox, lake.root)


@pytest.mark.parametrize(
    "failpoint", ["erase.rows_gone", "sink.mid_write", "sink.after_rename", "sink.after_tx2"]
)
def test_an_erasure_killed_there_is_finished_by_any_sink(
    failpoint: Failpoint, database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    with connect(database_url) as connection:
        connection.execute(
            "insert into users (id, email, username, hashed_password) "
            "values ('usr_a', 'a@example.org', 'a', 'x')"
        )
        connection.execute(
            "update events set user_id = 'usr_a' where id in "
            "(select id from events order by id limit 60)"
        )
        connection.execute("update parquet_batches set state = 'frozen', lease_until = now()")
        connection.execute(
            "insert into outbox (event_id, published_at, batch_id)"
            " select id, now(), batch_id from events"
        )
    flush(outbox, lake)
    assert "usr_a" in {row["user_id"] for row in read_lake(lake.root)}

    killed = run_to_the_end_or_death(
        "erase", database_url=database_url, lake=lake, failpoint=failpoint
    )
    let_leases_end(database_url)
    flush(outbox, lake)

    assert killed == -signal.SIGKILL
    assert len(read_events(outbox)) == 48
    assert "usr_a" not in {row["user_id"] for row in read_lake(lake.root)}
    assert_lake_holds_every_event_once(outbox, lake.root)


def let_leases_end(database_url: str) -> None:
    """End every lease, as its time would."""
    with connect(database_url) as connection:
        connection.execute("update parquet_batches set lease_until = now() - interval '1 second'")
