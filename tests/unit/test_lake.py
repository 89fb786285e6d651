"""Files of the lake: whole or absent, the same every time, under a name known before."""

import hashlib
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from db.batches import Batch, EventRow
from db.enums import EventType
from events.lake import BatchTakenOver, LakeUnavailable, batch_path
from events.lake_folder import FolderLake
from events.schema import to_table
from tests.event_samples import sample
from tests.lake_oracle import lake_files

BATCH = Batch(id="bat_1", family="task", year=2026, month=3, epoch=1)
PATH = "events/year=2026/month=03/task_events-bat_1.parquet"


def make_table(count: int = 50) -> pa.Table:
    """Return `count` finished tasks as a table."""
    event = sample(EventType.TASK_COMPLETED)
    rows = [
        EventRow(
            id=f"evt_{number}",
            event_type=event.type.value,
            user_id=None,
            entity_type="task",
            entity_id="tsk_1",
            created_at=datetime(2026, 3, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            payload='{"title": "t"}',
            metadata=None,
        )
        for number in range(count)
    ]
    return to_table("task", rows)


def test_a_batch_has_its_path_before_it_is_written() -> None:
    assert str(batch_path(BATCH)) == PATH


def test_a_staged_file_is_not_seen_by_readers(tmp_path: Path) -> None:
    FolderLake(tmp_path).stage(BATCH, make_table())

    assert lake_files(tmp_path) == []


def test_a_published_file_is_in_place_and_described(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    table = make_table()

    file = lake.publish(lake.stage(BATCH, table))

    target = tmp_path / PATH
    assert lake_files(tmp_path) == [target]
    assert file.path == PATH
    assert file.rows == 50
    assert file.bytes == target.stat().st_size
    assert file.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert pq.ParquetFile(target).read().equals(table)
    assert sorted(tmp_path.glob(".staging/*")) == []


def test_the_same_batch_written_twice_is_the_same_bytes_under_the_same_name(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)

    first = lake.publish(lake.stage(BATCH, make_table()))
    again = Batch(id="bat_1", family="task", year=2026, month=3, epoch=2)
    second = lake.publish(lake.stage(again, make_table()))

    assert second == first
    assert len(lake_files(tmp_path)) == 1


def test_a_file_is_durable_before_it_has_its_name_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, bool]] = []
    fsync = os.fsync

    def record_and_sync(descriptor: int) -> None:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        synced.append((is_file, (tmp_path / PATH).exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record_and_sync)
    lake = FolderLake(tmp_path)

    lake.publish(lake.stage(BATCH, make_table()))

    assert [named for is_file, named in synced if is_file] == [False]
    assert synced[-1] == (False, True)


def test_a_file_is_zstd_with_page_checksums(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    file = lake.publish(lake.stage(BATCH, make_table()))
    target = tmp_path / file.path
    column = pq.ParquetFile(target).metadata.row_group(0).column(0)
    content = bytearray(target.read_bytes())
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 0x10

    target.write_bytes(content)

    assert column.compression == "ZSTD"
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(target, page_checksum_verification=True).read()


def test_a_stalled_holder_cannot_put_its_file_in_place_after_a_take_over(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    stalled = lake.stage(BATCH, make_table())
    again = Batch(id="bat_1", family="task", year=2026, month=3, epoch=2)

    lake.discard_earlier(again)
    published = lake.publish(lake.stage(again, make_table()))

    with pytest.raises(BatchTakenOver):
        lake.publish(stalled)
    assert lake_files(tmp_path) == [tmp_path / published.path]


def test_a_take_over_leaves_the_staged_files_of_other_batches(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    lake.stage(Batch(id="bat_2", family="task", year=2026, month=3, epoch=1), make_table())

    lake.discard_earlier(Batch(id="bat_1", family="task", year=2026, month=3, epoch=2))

    assert (tmp_path / ".staging" / "bat_2.1.part").exists()


def test_a_lake_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file where the folder should be")

    with pytest.raises(LakeUnavailable, match="lake"):
        FolderLake(tmp_path / "lake").stage(BATCH, make_table())


def test_a_tree_that_cannot_be_written_leaves_no_staged_file(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("a file where the folder should be")
    lake = FolderLake(tmp_path)
    staged = lake.stage(BATCH, make_table())

    with pytest.raises(LakeUnavailable):
        lake.publish(staged)

    assert sorted(tmp_path.glob(".staging/*")) == []


def test_a_table_that_cannot_be_written_leaves_no_staged_file(tmp_path: Path) -> None:
    unwritable = pa.table({"a": pa.array([None], pa.month_day_nano_interval())})

    with pytest.raises(pa.ArrowException):
        FolderLake(tmp_path).stage(BATCH, unwritable)

    assert sorted(tmp_path.glob(".staging/*")) == []
