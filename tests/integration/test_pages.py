"""Rows come in tables of bounded size, the same for the same rows, however many there are."""

import subprocess
import sys
from datetime import timedelta
from functools import partial
from typing import Final

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

from db import batches
from db.batches import Batch
from db.enums import EventType
from events import pages
from events.compact import compact
from events.lake_folder import FolderLake
from events.pages import make_tables, read_rows
from events.scrub import scrub
from events.sink import flush
from tests.event_samples import NOON, record_events, sample
from tests.lake_oracle import assert_lake_holds_every_event_once, lake_files

MEGABYTES: Final = 400
WRITE: Final = """
import resource, sys
from pathlib import Path
from db.engine import make_sync_engine
from events.lake_folder import FolderLake
from events.sink import flush

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
flush(make_sync_engine(sys.argv[1]), FolderLake(Path(sys.argv[2])))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def record_large(engine: Engine, count: int, *, characters: int) -> None:
    """Record events of one month with a payload of about that size, which does not compress."""
    noise = "(select string_agg(md5(n::text || m::text), '') from generate_series(1, :parts) m)"
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into events (id, event_type, payload, metadata, created_at) "
                f"select 'evt_' || n, 'task.started', jsonb_build_object('title', {noise}),"
                " '{}', '2026-11-05' from generate_series(1, :count) n"
            ),
            {"count": count, "parts": characters // 32},
        )


def frozen(engine: Engine) -> Batch:
    """Freeze everything that waits as one batch."""
    with engine.begin() as connection:
        (batch,) = batches.freeze(connection, 100_000, lease=timedelta(minutes=5))
    return batch


def test_large_rows_make_small_groups(outbox: Engine, lake: FolderLake) -> None:
    record_large(outbox, 40, characters=1_000_000)

    flush(outbox, lake)

    (path,) = lake_files(lake.root)
    about = pq.read_metadata(path)
    assert [about.row_group(group).num_rows for group in range(about.num_row_groups)] == [17, 17, 6]
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_group_ends_with_its_last_row_or_its_last_character(outbox: Engine) -> None:
    record_large(outbox, 10, characters=96)
    find = partial(batches.keys, batch=frozen(outbox))
    (row, *_) = rows = list(read_rows(outbox, find))
    size = len(row.payload) + len(row.metadata or "")

    by_rows = [len(each) for each in make_tables("task", rows, group_rows=4)]
    by_size = [len(each) for each in make_tables("task", rows, group_characters=2 * size + 1)]

    assert (by_rows, by_size) == ([4, 4, 2], [3, 3, 3, 1])


@pytest.mark.parametrize("keys_at_once", [1, 3, 10, 1_000])
def test_how_rows_are_fetched_changes_nothing(
    keys_at_once: int,
    database_url: str,
    outbox: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 20, at=NOON)
    record_events(database_url, [sample(EventType.TASK_STARTED)] * 10, at=NOON - timedelta(days=1))
    find = partial(batches.keys, batch=frozen(outbox))
    expected = list(read_rows(outbox, find))

    monkeypatch.setattr(pages, "KEYS_AT_ONCE", keys_at_once)
    monkeypatch.setattr(pages, "STORED_BYTES_AT_ONCE", 500)

    assert list(read_rows(outbox, find)) == expected
    assert [row.id for row in expected] == [
        row.id for row in sorted(expected, key=lambda row: (row.created_at, row.id))
    ]
    assert len(expected) == 30


def test_a_rebuilt_file_has_the_same_bytes(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_large(outbox, 30, characters=700_000)
    flush(outbox, lake)
    (path,) = lake_files(lake.root)
    whole = path.read_bytes()
    path.unlink()

    scrub(outbox, lake, rebuild_all=True)

    assert path.read_bytes() == whole


def test_a_month_that_is_rebuilt_has_the_rows_and_groups_that_it_had(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    for _ in range(2):
        record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 50, at=NOON)
        flush(outbox, lake)
    compact(outbox, lake, now=NOON + timedelta(days=30))
    (path,) = lake_files(lake.root)
    whole = pq.read_table(path, partitioning=None)
    path.unlink()

    scrub(outbox, lake, rebuild_all=True)

    assert pq.read_table(path, partitioning=None) == whole
    assert pq.read_metadata(path).num_row_groups == 1


@pytest.mark.faults
def test_hundreds_of_megabytes_pass_through_bounded_memory(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_large(outbox, MEGABYTES, characters=1_000_000)

    done = subprocess.run(
        [sys.executable, "-c", WRITE, database_url, str(lake.root)],
        check=True,
        capture_output=True,
        text=True,
    )

    assert len(lake_files(lake.root)) == 1
    assert int(done.stdout.splitlines()[-1]) < MEGABYTES
