"""Lake care on a real PostgreSQL: what is damaged is rebuilt, closed months are merged."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from db import batches, manifest
from db.base import new_id
from db.batches import Batch
from db.engine import make_sync_engine
from db.enums import EventType
from events.care import LakeBusy, open_care
from events.compact import compact
from events.erase import erase_user
from events.lake import QUARANTINE, STAGING, StagedFile
from events.lake_folder import FolderLake
from events.query import query_lake
from events.schema import to_table
from events.scrub import Fault, Finding, scrub
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
CANARY = "canary-7f3a"


@pytest.fixture
def filled(database_url: str, outbox: Engine, lake: FolderLake) -> FolderLake:
    """Return a lake of three files for each family, all in November 2026."""
    for day in range(3):
        record_events(database_url, samples(54), at=NOON - timedelta(days=day))
        flush(outbox, lake)
    return lake


def one_file(lake: FolderLake) -> tuple[Path, str]:
    """Return one file of the lake and its path in the lake."""
    path = lake_files(lake.root)[4]
    return path, path.relative_to(lake.root).as_posix()


def names(lake: FolderLake) -> list[str]:
    """Return the paths of all files that a glob of the lake finds."""
    return [path.relative_to(lake.root).as_posix() for path in lake_files(lake.root)]


def flip_a_byte_of_a_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x01
    path.write_bytes(data)


def test_a_sound_lake_has_no_findings(outbox: Engine, filled: FolderLake) -> None:
    report = scrub(outbox, filled)

    assert (report.checked, report.findings) == (21, ())
    assert_lake_holds_every_event_once(outbox, filled.root)


@pytest.mark.parametrize(
    ("fault", "damage", "kept"),
    [
        ("size", lambda path: os.truncate(path, path.stat().st_size // 2), 1),
        ("size", lambda path: path.write_bytes(b""), 1),
        ("checksum", flip_a_byte_of_a_page, 1),
        ("missing", lambda path: path.unlink(), 0),
    ],
    ids=["truncated", "emptied", "flipped", "deleted"],
)
@pytest.mark.parametrize("files", ["batches", "months"])
def test_a_damaged_file_is_quarantined_and_rebuilt_under_its_name(
    fault: Fault,
    damage: Callable[[Path], object],
    kept: int,
    files: str,
    outbox: Engine,
    filled: FolderLake,
) -> None:
    if files == "months":
        compact(outbox, filled, now=NEXT_MONTH)
    path, name = one_file(filled)
    whole = pq.read_table(path)
    damage(path)

    report = scrub(outbox, filled)

    assert report.findings == (Finding(path=name, fault=fault, healed=True),)
    assert len(list(filled.root.glob(f"{QUARANTINE}/**/*.quarantined"))) == kept
    assert pq.read_table(path) == whole
    assert_lake_holds_every_event_once(outbox, filled.root)
    assert scrub(outbox, filled).findings == ()


def test_files_that_no_manifest_names_are_quarantined(outbox: Engine, filled: FolderLake) -> None:
    path, name = one_file(filled)
    before = names(filled)
    planted = path.with_name("half.parquet")
    planted.write_bytes(path.read_bytes()[:100])
    copy = path.with_name("copy.parquet")
    copy.write_bytes(path.read_bytes())

    report = scrub(outbox, filled)

    folder = name.rpartition("/")[0]
    assert report.findings == (
        Finding(path=f"{folder}/copy.parquet", fault="stray", healed=True),
        Finding(path=f"{folder}/half.parquet", fault="stray", healed=True),
    )
    assert names(filled) == before
    assert len(list(filled.root.glob(f"{QUARANTINE}/**/*.quarantined"))) == 2
    assert_lake_holds_every_event_once(outbox, filled.root)


def test_staging_of_finished_batches_is_removed_and_that_of_others_is_not(
    database_url: str, outbox: Engine, filled: FolderLake
) -> None:
    with connect(database_url) as connection:
        finished = connection.execute("select id from parquet_batches limit 1").fetchone()
        connection.execute(
            "insert into parquet_batches (id, family, year, month, epoch, lease_until) "
            "values ('bat_held', 'user', 2026, 11, 2, now() + interval '1 hour')"
        )
    assert finished is not None
    staging = filled.root / STAGING
    for name in (f"{finished[0]}.1.part", "bat_held.1.part", "bat_held.2.part"):
        (staging / name).write_bytes(b"PAR1")

    report = scrub(outbox, filled)

    assert [finding.fault for finding in report.findings] == ["staging", "staging"]
    assert [path.name for path in staging.iterdir()] == ["bat_held.2.part"]


def test_a_file_that_a_sink_has_placed_and_not_yet_finished_is_no_stray(
    database_url: str, outbox: Engine, filled: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.GOAL_CREATED)], at=NOON)
    with outbox.begin() as connection:
        (batch,) = batches.freeze(connection, 10, lease=timedelta(minutes=5))
        rows = batches.read(connection, [key.id for key in batches.keys(connection, batch)])
    placed = filled.publish(filled.stage(batch, to_table("goal", rows)))

    report = scrub(outbox, filled)

    assert report.findings == ()
    assert placed.path in names(filled)


def test_a_closed_month_becomes_one_file_for_each_family(
    outbox: Engine, filled: FolderLake
) -> None:
    months = compact(outbox, filled, now=NEXT_MONTH)

    families = ["ai", "code", "course", "goal", "system", "task", "user"]
    folder = "events/year=2026/month=11"
    assert names(filled) == [f"{folder}/{family}_events.parquet" for family in families]
    assert [month.path for month in months] == names(filled)
    assert [month.merged for month in months] == [3] * 7
    assert sum(month.rows for month in months) == 162
    assert_lake_holds_every_event_once(outbox, filled.root)
    assert compact(outbox, filled, now=NEXT_MONTH) == []


def test_a_month_is_merged_in_the_order_of_time_then_id_page_by_page(
    outbox: Engine, filled: FolderLake
) -> None:
    compact(outbox, filled, now=NEXT_MONTH, page_rows=4)

    rows = read_lake(filled.root)
    assert len(rows) == 162
    keys = [(row["path"], row["created_at"], row["id"]) for row in rows]
    assert keys == sorted(keys)
    assert_lake_holds_every_event_once(outbox, filled.root)


@pytest.mark.parametrize("now", [NOON, NEXT_MONTH - timedelta(microseconds=1)])
def test_a_month_that_is_not_over_is_left_alone(
    now: datetime, outbox: Engine, filled: FolderLake
) -> None:
    before = names(filled)

    months = compact(outbox, filled, now=now)

    assert (months, names(filled)) == ([], before)


def test_months_and_families_with_one_file_are_left_alone(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    for at in (NOON, NOON - timedelta(days=30)):
        record_events(database_url, [sample(EventType.GOAL_CREATED)], at=at)
        flush(outbox, lake)
    before = names(lake)

    months = compact(outbox, lake, now=NEXT_MONTH)

    assert (months, names(lake)) == ([], before)


def test_a_late_event_has_a_file_of_its_own_until_the_next_compaction(
    database_url: str, outbox: Engine, filled: FolderLake
) -> None:
    compact(outbox, filled, now=NEXT_MONTH)
    record_events(database_url, [sample(EventType.GOAL_CREATED)], at=NOON)
    flush(outbox, filled)
    between = len(names(filled))

    months = compact(outbox, filled, now=NEXT_MONTH)

    assert between == 8
    assert [month.path for month in months] == ["events/year=2026/month=11/goal_events.parquet"]
    assert len(names(filled)) == 7
    assert_lake_holds_every_event_once(outbox, filled.root)


def test_a_reader_with_the_manifest_sees_each_row_once_while_months_are_merged(
    database_url: str, outbox: Engine, filled: FolderLake
) -> None:
    expected = {event["id"]: 1 for event in read_events(outbox)}
    engine = make_sync_engine(database_url)
    seen = []

    with ThreadPoolExecutor(1) as pool:
        merging = pool.submit(compact, outbox, filled, now=NEXT_MONTH)
        while not merging.done():
            seen.append(read_through_manifest(engine, filled.root))
        merging.result()
    engine.dispose()

    assert seen != []
    assert [counts for counts in seen if counts != expected] == []


def test_one_takes_care_of_the_lake_at_a_time(
    database_url: str, outbox: Engine, filled: FolderLake
) -> None:
    engine = make_sync_engine(database_url)

    with open_care(engine):
        with pytest.raises(LakeBusy):
            compact(outbox, filled, now=NEXT_MONTH)
        with pytest.raises(LakeBusy):
            scrub(outbox, filled)
        with pytest.raises(LakeBusy):
            erase_user(outbox, filled, user_id="usr_1")

    engine.dispose()
    assert len(compact(outbox, filled, now=NEXT_MONTH)) == 7


@pytest.mark.parametrize(
    "change",
    [
        "update parquet_batches set epoch = epoch + 1",
        "update parquet_batches set state = 'frozen', lease_until = '2026-01-01' "
        "where state = 'done'",
    ],
    ids=["taken over", "a source is rebuilt"],
)
def test_what_changed_while_it_was_merged_is_not_swapped(
    change: str,
    database_url: str,
    outbox: Engine,
    filled: FolderLake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def overtake(point: str) -> None:
        if point == "compact.file_written":
            with connect(database_url) as connection:
                connection.execute(change)

    with monkeypatch.context() as patch:
        patch.setattr("events.compact.hit", overtake)
        with pytest.raises(LakeBusy):
            compact(outbox, filled, now=NEXT_MONTH)
    overtaken = read_through_manifest(outbox, filled.root)

    flush(outbox, filled)
    compact(outbox, filled, now=NEXT_MONTH)

    assert overtaken == {event["id"]: 1 for event in read_events(outbox)}
    assert len(names(filled)) == 7
    assert_lake_holds_every_event_once(outbox, filled.root)


def test_a_compaction_that_was_overtaken_while_it_wrote_puts_nothing_in_place(
    database_url: str, outbox: Engine, filled: FolderLake
) -> None:
    class StallingLake(FolderLake):
        """A lake whose writer loses its session, and stalls while another compacts the month."""

        def stage_parts(
            self, batch: Batch, parts: Iterable[pa.Table], *, schema: pa.Schema
        ) -> StagedFile:
            with connect(database_url) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_locks join pg_database "
                    "on database = pg_database.oid and datname = current_database() "
                    "where locktype = 'advisory'"
                )
            compact(next_one, filled, now=NEXT_MONTH)
            inodes.extend(path.stat().st_ino for path in lake_files(filled.root))
            return super().stage_parts(batch, parts, schema=schema)

    inodes: list[int] = []
    next_one = make_sync_engine(database_url)

    with pytest.raises(LakeBusy, match="another process compacts"):
        compact(outbox, StallingLake(filled.root), now=NEXT_MONTH)

    next_one.dispose()
    assert [path.stat().st_ino for path in lake_files(filled.root)] == inodes
    assert_lake_holds_every_event_once(outbox, filled.root)


def record_canaries(database_url: str, *, users: tuple[str, ...]) -> None:
    """Record two events of each user, and one about the user's row, with a canary in each."""
    with connect(database_url) as connection:
        for user in users:
            connection.execute(
                "insert into users (id, email, username, hashed_password) "
                "values (%s, %s, %s, 'x') on conflict do nothing",
                [user, f"{user}@example.org", user],
            )
            for owner, kind, entity, entity_id in (
                (user, "goal.created", "goal", "gol_1"),
                (user, "system.error", "goal", "gol_1"),
                (None, "user.created", "user", user),
            ):
                connection.execute(
                    "insert into events (id, event_type, user_id, entity_type, entity_id, payload, "
                    "metadata, created_at) values (%s, %s, %s, %s, %s, "
                    "jsonb_build_object('title', %s::text), '{}', '2026-11-05')",
                    [new_id("evt"), kind, owner, entity, entity_id, f"{CANARY}-{user}"],
                )


def canaries(lake: FolderLake, user: str) -> list[str]:
    """Return the files below the lake, hidden ones too, that hold the user's canary or id."""
    found = []
    for path in sorted(lake.root.glob("**/*")):
        if path.is_dir():
            continue
        text = path.read_bytes()
        if path.suffix == ".parquet":
            text += repr(pq.read_table(path, partitioning=None).to_pylist()).encode()
        if f"{CANARY}-{user}".encode() in text or user.encode() in text:
            found.append(path.name)
    return found


@pytest.mark.parametrize("files", ["batches", "months"])
def test_an_erased_user_is_nowhere_and_others_keep_every_row(
    files: str, database_url: str, outbox: Engine, filled: FolderLake
) -> None:
    for _ in range(2):
        record_canaries(database_url, users=("usr_a", "usr_b"))
        flush(outbox, filled)
    if files == "months":
        compact(outbox, filled, now=NEXT_MONTH)
    record_canaries(database_url, users=("usr_a",))
    kept = filled.root / QUARANTINE / "events" / "x.parquet.1.quarantined"
    kept.parent.mkdir(parents=True)
    kept.write_text(f"{CANARY}-usr_a")
    others = {event["id"] for event in read_events(outbox)} - {
        row["id"]
        for row in read_events(outbox)
        if row["user_id"] == "usr_a" or row["entity_id"] == "usr_a"
    }

    report = erase_user(outbox, filled, user_id="usr_a")

    flush(outbox, filled)
    assert report.events == 9
    assert {event["id"] for event in read_events(outbox)} == others
    assert canaries(filled, "usr_a") == []
    assert canaries(filled, "usr_b") != []
    assert_lake_holds_every_event_once(outbox, filled.root)
    assert scrub(outbox, filled).findings == ()


@pytest.mark.parametrize("erasure", ["finished", "died after its transaction"])
def test_a_sink_that_read_the_rows_before_they_were_erased_cannot_put_them_back(
    erasure: str, database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    class StallingLake(FolderLake):
        """A lake whose writer stalls, with its file written aside, while the user is erased."""

        def stage_parts(
            self, batch: Batch, parts: Iterable[pa.Table], *, schema: pa.Schema
        ) -> StagedFile:
            staged = super().stage_parts(batch, parts, schema=schema)
            if erasure == "finished":
                erase_user(outbox, lake, user_id="usr_a")
            else:
                with outbox.begin() as connection:
                    manifest.erase_user(connection, "usr_a", lease=timedelta(0))
            return staged

    record_canaries(database_url, users=("usr_a", "usr_b"))

    flush(outbox, StallingLake(lake.root))

    assert canaries(lake, "usr_a") == []
    flush(outbox, lake)
    assert canaries(lake, "usr_a") == []
    assert canaries(lake, "usr_b") != []
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_erasing_nobody_changes_nothing(outbox: Engine, filled: FolderLake) -> None:
    before = {path: path.stat().st_ino for path in lake_files(filled.root)}

    report = erase_user(outbox, filled, user_id="usr_nobody")

    assert (report.events, report.files) == (0, ())
    assert {path: path.stat().st_ino for path in lake_files(filled.root)} == before


def test_a_month_left_empty_by_an_erasure_is_merged_and_read(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    for user in ("usr_a", "usr_b"):
        record_canaries(database_url, users=(user,))
        flush(outbox, lake)
    erase_user(outbox, lake, user_id="usr_a")

    compact(outbox, lake, now=NEXT_MONTH)

    assert query_lake(lake, "select count(*) from events").rows == ((3,),)
    assert_lake_holds_every_event_once(outbox, lake.root)
