"""An event that kills whoever reads or writes it is found, alone; its neighbours arrive."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from api.lake import run_scrub
from api.settings import Settings
from db import batches, manifest, quarantine
from db.batches import Batch, EventRow
from db.enums import EventType
from db.events import TaskStarted
from events.compact import compact
from events.consumer import run_consumer
from events.erase import erase_user
from events.lake import STAGING, BatchTakenOver, Lake, LakeUnavailable, StagedFile
from events.lake_folder import FolderLake
from events.poison import isolate
from events.relay import run_relay
from events.schema import to_table
from events.scrub import scrub
from events.sink import FlushPolicy, drain_once, flush, store, take_over
from events.topology import DEAD_LETTER_QUEUE, EXCHANGE, LAKE_QUEUE
from tests.database import connect
from tests.event_path import StopWhen, all_published, count, take_all
from tests.event_samples import NOON, record_events, sample
from tests.lake_oracle import (
    assert_lake_holds_every_event_once,
    lake_files,
    read_events,
    read_lake,
)

EXPIRED: Final = timedelta(0)
NEIGHBOURS: Final = 199
POISON: Final = "poison-5c1e"
PATIENCE_SECONDS: Final = 60
DEATHS_AT_MOST: Final = 20

# A row of POISON kills the process where it becomes a table, a message of POISON where it is read,
# as a crash in native code would. Leases end as they begin: nothing waits for them.
PROGRAM: Final = f"""
import os, signal, sys
from datetime import timedelta
from pathlib import Path
import events.consumer, events.pages
from db.engine import make_sync_engine
from events.lake_folder import FolderLake
from events.sink import FlushPolicy
from events.worker import run_worker
from tests.event_path import LAKE_QUEUE, StopWhen, count
from tests.integration.test_poison import is_quiet

make_table, decode = events.pages.to_table, events.consumer.decode

def fatal_table(family, rows):
    if any({POISON!r} in row.payload for row in rows):
        os.kill(os.getpid(), signal.SIGKILL)
    return make_table(family, rows)

def fatal_decode(body):
    if {POISON!r}.encode() in body:
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(body)

where, database_url, lake, amqp_url = sys.argv[1:5]
if where == "row":
    events.pages.to_table = fatal_table
else:
    events.consumer.decode = fatal_decode
engine, lake = make_sync_engine(database_url), FolderLake(Path(lake))
stop = StopWhen(lambda: is_quiet(engine, amqp_url))
policy = FlushPolicy(max_rows=200, max_age=timedelta(milliseconds=50))
if amqp_url:
    events.consumer.run_consumer(
        engine, amqp_url, lake, stop=stop, policy=policy, lease=timedelta(0)
    )
else:
    run_worker(engine, lake, stop=stop, policy=policy, lease=timedelta(0))
"""


def is_quiet(engine: Engine, amqp_url: str) -> bool:
    """Tell whether everything is in the lake or set aside, and no message waits or is held."""
    with engine.connect() as connection:
        query = (
            "select count(*) from outbox left join parquet_batches on batch_id = id"
            " where state is distinct from 'quarantined'"
        )
        if connection.execute(text(query)).scalar_one():
            return False
    return not amqp_url or waiting_in(amqp_url, LAKE_QUEUE) == 0


def waiting_in(amqp_url: str, queue: str) -> int:
    """Return how many messages wait in a queue, without those that a consumer holds."""
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    declared = connection.channel().queue_declare(queue, passive=True)
    connection.close()
    return int(declared.method.message_count)


def record_with_poison(database_url: str, *, neighbours: int = NEIGHBOURS) -> None:
    """Record `neighbours` events, half of them on each side of the poison, in one file's month."""
    innocent = [sample(EventType.TASK_COMPLETED)] * neighbours
    record_events(database_url, innocent[: neighbours // 2], at=NOON)
    record_events(database_url, [TaskStarted(task_id="tsk_1", title=POISON)], at=NOON)
    record_events(database_url, innocent[neighbours // 2 :], at=NOON)


def supervise(where: str, *, database_url: str, lake: Lake, amqp_url: str) -> int:
    """Start the sink again whenever it was killed, until it ends by itself; return the deaths."""
    program = [sys.executable, "-c", PROGRAM, where, database_url, lake.location, amqp_url]
    for deaths in range(DEATHS_AT_MOST + 1):
        ended = subprocess.run(
            program, check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        if ended.returncode == 0:
            return deaths
        assert ended.returncode == -signal.SIGKILL, ended.stderr
    raise AssertionError(f"the sink was killed more than {DEATHS_AT_MOST} times")


def consume_the_rest(
    engine: Engine, amqp_url: str, channel: Any, *, lake: Lake, dead: int
) -> list[bytes]:
    """Take what was handed back when a consumer ended; return the dead letters, `dead` of them.

    The last message is nobody's: when it is a dead letter, each one before it has been taken.
    """
    last = b"the last one"
    channel.basic_publish(EXCHANGE, "task.started", last)
    all_taken = StopWhen(lambda: waiting_in(amqp_url, DEAD_LETTER_QUEUE) > dead)
    run_consumer(engine, amqp_url, lake, stop=all_taken)
    assert waiting_in(amqp_url, LAKE_QUEUE) == 0
    return [body for _, body in take_all(channel, DEAD_LETTER_QUEUE) if body != last]


def assert_only_the_poison_is_missing(engine: Engine, lake: FolderLake) -> None:
    """Check that all but the poison is in the lake once, and that it waits, named, in its table."""
    poison = {row["id"] for row in read_events(engine) if POISON in str(row["payload"])}
    with engine.connect() as connection:
        aside = quarantine.list_set_aside(connection)
    unprocessed = {row["id"] for row in read_events(engine) if row["processed_at"] is None}
    held = Counter(row["id"] for row in read_lake(lake.root))

    assert len(poison) == 1
    assert {each.event_id for each in aside} == unprocessed == poison
    assert held == Counter(row["id"] for row in read_events(engine) if row["id"] not in poison)


@pytest.mark.faults
def test_a_row_that_kills_its_sink_is_set_aside_alone(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    record_with_poison(database_url)
    run_relay(outbox, amqp_url, stop=all_published(outbox))

    deaths = supervise("row", database_url=database_url, lake=lake, amqp_url=amqp_url)
    dead_letters = consume_the_rest(outbox, amqp_url, channel, lake=lake, dead=0)

    assert 3 <= deaths <= 8
    assert dead_letters == []
    assert_only_the_poison_is_missing(outbox, lake)


@pytest.mark.faults
def test_a_row_that_kills_a_worker_without_a_broker_is_set_aside_alone(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_with_poison(database_url)

    deaths = supervise("row", database_url=database_url, lake=lake, amqp_url="")

    assert 3 <= deaths <= 8
    assert_only_the_poison_is_missing(outbox, lake)


@pytest.mark.faults
def test_a_message_that_kills_its_reader_is_taken_by_its_name_and_no_other_is_blamed(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    record_with_poison(database_url)
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    nameless = f"{POISON} and nobody's".encode()
    channel.basic_publish(EXCHANGE, "task.started", nameless)

    deaths = supervise("body", database_url=database_url, lake=lake, amqp_url=amqp_url)

    assert deaths == 3
    assert consume_the_rest(outbox, amqp_url, channel, lake=lake, dead=1) == [nameless]
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_row_that_raises_is_set_aside_alone_and_no_process_ends(
    database_url: str, outbox: Engine, lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(family: str, rows: Sequence[EventRow]) -> pa.Table:
        if any(POISON in row.payload for row in rows):
            raise ValueError(f"{POISON} makes no table")
        return to_table(family, rows)

    record_with_poison(database_url)
    monkeypatch.setattr("events.pages.to_table", raising)

    with capture_logs() as logs:
        for _ in range(8):
            drain_once(outbox, lake, lease=EXPIRED)

    assert POISON not in str(logs)
    assert_only_the_poison_is_missing(outbox, lake)


def die_over(engine: Engine, *, times: int = 1) -> None:
    """Take over what is abandoned and die while its file is made, some times."""
    for _ in range(times):
        with engine.begin() as connection:
            for batch in batches.reclaim(connection, 100, lease=EXPIRED):
                batches.begin_attempt(connection, batch)


def freeze_one(engine: Engine) -> Batch:
    """Freeze what waits as one batch whose lease is over."""
    with engine.begin() as connection:
        (batch,) = batches.freeze(connection, 1_000, lease=EXPIRED)
    return batch


def states(engine: Engine) -> Counter[str]:
    """Count the batches of the manifest by state."""
    with engine.connect() as connection:
        return Counter(connection.execute(text("select state from parquet_batches")).scalars())


def stage_all(engine: Engine, lake: Lake, batch: Batch) -> StagedFile:
    """Stage the file of all rows that `batch` has now."""
    with engine.connect() as connection:
        ids = [key.id for key in batches.keys(connection, batch)]
        rows = batches.read(connection, ids)
    return lake.stage(batch, to_table(batch.family, rows))


@pytest.fixture
def set_aside(database_url: str, outbox: Engine) -> str:
    """Return the id of the one recorded event, which no sink survived."""
    record_events(database_url, [sample(EventType.TASK_COMPLETED)], at=NOON)
    freeze_one(outbox)
    die_over(outbox, times=3)
    (event,) = read_events(outbox)
    return str(event["id"])


def test_what_is_set_aside_is_told_by_its_ids_and_not_by_its_content(
    set_aside: str, outbox: Engine, lake: FolderLake
) -> None:
    with capture_logs() as logs:
        take_over(outbox, lake)

    (entry,) = [each for each in logs if each["log_level"] == "error"]
    assert entry["event"] == "sink.event_quarantined"
    assert set(entry) == {"event", "log_level", "batch", "event_id"}
    assert entry["event_id"] == set_aside
    assert states(outbox) == {"quarantined": 1}


def test_two_deaths_split_a_batch_and_every_part_arrives_once(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 20, at=NOON)
    freeze_one(outbox)
    die_over(outbox, times=2)

    finished = take_over(outbox, lake)

    assert finished == 20
    assert len(lake_files(lake.root)) == 8
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_file_of_all_rows_that_a_dead_sink_had_put_in_place_doubles_nothing(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 20, at=NOON)
    batch = freeze_one(outbox)
    lake.publish(stage_all(outbox, lake, batch))
    die_over(outbox, times=2)

    flush(outbox, lake)

    assert len(lake_files(lake.root)) == 9
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_the_file_of_the_poison_alone_is_made_empty_when_it_is_set_aside(
    set_aside: str, outbox: Engine, lake: FolderLake
) -> None:
    with outbox.connect() as connection:
        (entry,) = manifest.entries(connection)
    lake.publish(stage_all(outbox, lake, entry.batch))

    flush(outbox, lake)

    assert read_lake(lake.root) == []
    assert states(outbox) == {"quarantined": 1, "done": 1}


def test_a_sink_that_stalled_before_the_split_can_neither_place_nor_finish_the_file_of_all(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 20, at=NOON)
    batch = freeze_one(outbox)
    stalled = stage_all(outbox, lake, batch)
    die_over(outbox, times=2)
    take_over(outbox, lake)

    with pytest.raises(BatchTakenOver):
        lake.publish(stalled)

    with outbox.begin() as connection:
        assert batches.finish(connection, batch, file=stalled.file) == 0
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_an_outage_is_no_poison_however_long_it_lasts(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 20, at=NOON)
    lake.root.write_text("in the way")
    for _ in range(5):
        with pytest.raises(LakeUnavailable):
            drain_once(outbox, lake, lease=EXPIRED)
    lake.root.unlink()

    flush(outbox, lake)

    assert len(lake_files(lake.root)) == 1
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_who_is_finished_has_a_clean_record(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 20, at=NOON)
    freeze_one(outbox)
    die_over(outbox)
    flush(outbox, lake)

    with outbox.connect() as connection:
        attempts = connection.execute(text("select attempts from parquet_batches")).scalars().all()
    assert attempts == [0]


def test_scrubbing_names_what_is_set_aside_and_offers_it_again_when_asked(
    set_aside: str, outbox: Engine, lake: FolderLake
) -> None:
    flush(outbox, lake)

    told = scrub(outbox, lake)
    before = flush(outbox, lake)
    retried = scrub(outbox, lake, retry_quarantined=True)
    after = flush(outbox, lake)

    assert (told.quarantined, retried.quarantined) == ((set_aside,), ())
    assert (before, after) == (0, 1)
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_the_command_names_what_is_set_aside_and_fails(
    set_aside: str,
    database_url: str,
    outbox: Engine,
    lake: FolderLake,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flush(outbox, lake)
    settings = Settings(_env_file=None, DATABASE_URL=database_url, GOALS_LAKE=str(lake.root))

    codes = [
        run_scrub(settings, rebuild_all=False, retry_quarantined=retry) for retry in (False, True)
    ]

    assert codes == [1, 0]
    assert f"{set_aside}: quarantined, in no file" in capsys.readouterr().out


def test_what_is_offered_again_and_kills_again_is_set_aside_after_one_death(
    set_aside: str, outbox: Engine, lake: FolderLake
) -> None:
    flush(outbox, lake)
    scrub(outbox, lake, retry_quarantined=True)
    die_over(outbox)

    flush(outbox, lake)

    assert scrub(outbox, lake).quarantined == (set_aside,)


def test_a_stray_file_under_the_name_of_what_is_set_aside_is_found(
    set_aside: str, outbox: Engine, lake: FolderLake
) -> None:
    with outbox.connect() as connection:
        (entry,) = manifest.entries(connection)
    late = stage_all(outbox, lake, entry.batch)
    content = next((lake.root / STAGING).iterdir()).read_bytes()
    flush(outbox, lake)
    path = lake.root / late.file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)

    report = scrub(outbox, lake)

    assert [finding.fault for finding in report.findings] == ["stray"]
    assert read_lake(lake.root) == []


def test_a_month_is_merged_beside_what_is_set_aside(
    set_aside: str, database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    for _ in range(2):
        record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 5, at=NOON)
        flush(outbox, lake)

    months = compact(outbox, lake, now=datetime(2026, 12, 1, tzinfo=UTC))

    assert [month.rows for month in months] == [10]
    assert len(read_lake(lake.root)) == 10
    assert scrub(outbox, lake).quarantined == (set_aside,)


def test_a_user_whose_event_is_set_aside_can_be_erased(
    set_aside: str, database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    flush(outbox, lake)
    with connect(database_url) as connection:
        connection.execute(
            "insert into users (id, email, username, hashed_password) values ('usr_a', '', 'a', '')"
        )
        connection.execute("update events set user_id = 'usr_a'")

    report = erase_user(outbox, lake, user_id="usr_a")

    assert report.events == 1
    assert scrub(outbox, lake).quarantined == ()
    assert_lake_holds_every_event_once(outbox, lake.root)


@pytest.mark.parametrize("files", ["batch", "month"])
def test_a_file_whose_rebuilding_kills_is_split_and_nothing_erased_stays(
    files: str, database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    for _ in range(2):
        record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 10, at=NOON)
        flush(outbox, lake)
    if files == "month":
        compact(outbox, lake, now=datetime(2026, 12, 1, tzinfo=UTC))
    with connect(database_url) as connection:
        connection.execute(
            "insert into users (id, email, username, hashed_password) values ('usr_a', '', 'a', '')"
        )
        connection.execute(
            "update events set user_id = 'usr_a' where id in (select min(id) from events)"
        )
    with outbox.begin() as connection:
        manifest.erase_user(connection, "usr_a", lease=EXPIRED)
    die_over(outbox, times=2)

    flush(outbox, lake)

    assert len(read_events(outbox)) == 19
    assert_lake_holds_every_event_once(outbox, lake.root)
    compact(outbox, lake, now=datetime(2026, 12, 1, tzinfo=UTC))
    assert len(lake_files(lake.root)) == 1
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_month_that_is_merged_while_parts_of_a_file_wait_doubles_nothing(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    for _ in range(2):
        record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 10, at=NOON)
        flush(outbox, lake)
    with outbox.connect() as connection:
        (entry, _) = manifest.entries(connection)
    with outbox.begin() as connection:
        manifest.refreeze(connection, entry.batch, lease=EXPIRED)
    die_over(outbox, times=2)
    with outbox.begin() as connection:
        (batch,) = batches.reclaim(connection, 1, lease=EXPIRED)
    (emptied, *_) = isolate(outbox, lake, batch=batch, lease=EXPIRED)
    store(outbox, lake, batch=emptied)

    compact(outbox, lake, now=datetime(2026, 12, 1, tzinfo=UTC))
    flush(outbox, lake)

    assert emptied.id == batch.id
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_rebuilt_file_leaves_the_moment_of_its_events_alone(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 3, at=NOON)
    flush(outbox, lake)
    before = {event["id"]: event["processed_at"] for event in read_events(outbox)}
    os.truncate(lake_files(lake.root)[0], 10)

    report = scrub(outbox, lake)

    assert [finding.fault for finding in report.findings] == ["size"]
    assert {event["id"]: event["processed_at"] for event in read_events(outbox)} == before


def test_a_consumer_writes_when_the_bodies_are_many_bytes(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    large = TaskStarted(task_id="tsk_1", title="a" * 10_000)
    record_events(database_url, [large] * 20, at=NOON)
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    policy = FlushPolicy(max_rows=1_000, max_bytes=50_000, max_age=timedelta(hours=1))

    run_consumer(
        outbox,
        amqp_url,
        lake,
        stop=StopWhen(lambda: count(outbox, "processed_at is null") == 0),
        policy=policy,
    )

    assert len(lake_files(lake.root)) == 4
    assert_lake_holds_every_event_once(outbox, lake.root)
