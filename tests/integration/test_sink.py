"""From recorded events to Parquet on a real PostgreSQL."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, text

from db import batches
from db.engine import make_sync_engine
from db.enums import EventType
from db.events import DomainEvent
from events.lake_folder import FolderLake
from events.sink import FlushPolicy, drain_if_due, drain_once, flush
from tests.database import connect
from tests.event_samples import NOON, any_event, record_events, sample, samples
from tests.lake_oracle import (
    assert_lake_holds_every_event_once,
    count_by_type,
    lake_files,
    read_lake,
)

EXPIRED = timedelta(0)


def test_recorded_events_of_every_type_reach_parquet(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, samples(81))

    finished = drain_once(outbox, lake)

    assert finished == 81
    assert count_by_type(lake.root) == {event_type.value: 3 for event_type in EventType}
    assert len(lake_files(lake.root)) == 7
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_second_drain_finds_nothing(database_url: str, outbox: Engine, lake: FolderLake) -> None:
    record_events(database_url, samples(27))
    drain_once(outbox, lake)

    finished = drain_once(outbox, lake)

    assert finished == 0
    assert len(lake_files(lake.root)) == 7


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(any_event(), min_size=1, max_size=20))
def test_any_payload_that_postgresql_stores_is_equal_in_parquet(
    database_url: str, outbox: Engine, lake: FolderLake, events: list[DomainEvent]
) -> None:
    record_events(database_url, events)

    flush(outbox, lake)

    assert_lake_holds_every_event_once(outbox, lake.root)


@pytest.mark.parametrize("zone", ["America/Mexico_City", "Pacific/Kiritimati"])
def test_the_month_is_that_of_utc_wherever_host_and_session_are(
    zone: str, database_url: str, lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    outbox = create_engine(database_url, connect_args={"options": f"-c timezone={zone}"})
    last = datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    event = sample(EventType.GOAL_STARTED)
    record_events(database_url, [event], at=last)
    record_events(database_url, [event], at=last + timedelta(microseconds=1))

    flush(outbox, lake)

    folders = [path.parent.relative_to(lake.root).as_posix() for path in lake_files(lake.root)]
    assert folders == ["events/year=2026/month=10", "events/year=2026/month=11"]
    assert_lake_holds_every_event_once(outbox, lake.root)
    outbox.dispose()
    monkeypatch.undo()
    time.tzset()


def test_two_sinks_at_once_share_the_events_each_once(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, samples(2_000))
    together = threading.Barrier(2)

    def drain_all() -> int:
        engine = make_sync_engine(database_url)
        together.wait()
        total = 0
        while finished := drain_once(engine, lake, limit=100):
            total += finished
        engine.dispose()
        return total

    with ThreadPoolExecutor(2) as pool:
        totals = [done.result() for done in [pool.submit(drain_all) for _ in range(2)]]

    flush(outbox, lake)
    assert sum(totals) == 2_000
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_an_event_that_commits_after_younger_ones_is_not_lost(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    insert = "insert into events (id, event_type, payload) values (%s, 'user.login', '{}')"
    with connect(database_url) as slow, connect(database_url) as fast:
        with slow.transaction():
            slow.execute(insert, ["evt_1"])
            fast.execute(insert, ["evt_2"])
            first = flush(outbox, lake)
        second = flush(outbox, lake)

    assert (first, second) == (1, 1)


def test_a_row_without_metadata_reaches_parquet(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    with connect(database_url) as connection:
        connection.execute(
            "insert into events (id, event_type, payload) values ('evt_1', 'system.error', '[1]')"
        )

    flush(outbox, lake)

    assert count_by_type(lake.root) == {"system.error": 1}


def test_two_claims_at_once_are_disjoint_and_do_not_wait(database_url: str, outbox: Engine) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 10)
    with outbox.begin() as first, outbox.begin() as second:
        second.execute(text("set local statement_timeout = '2s'"))

        claims = [batches.freeze(claimer, 5, lease=EXPIRED) for claimer in (first, second)]
        members = [
            {key.id for batch in claim for key in batches.keys(claimer, batch)}
            for claimer, claim in zip((first, second), claims, strict=True)
        ]

    assert [len(ids) for ids in members] == [5, 5]
    assert members[0] & members[1] == set()


def test_rows_are_in_the_order_of_time_then_id(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    for minute in (3, 1, 2):
        moment = NOON + timedelta(minutes=minute)
        record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 3, at=moment)

    flush(outbox, lake)

    keys = [(row["created_at"], row["id"]) for row in read_lake(lake.root)]
    assert len(keys) == 9
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("policy", "age", "expected"),
    [
        (FlushPolicy(max_rows=10, max_age=timedelta(hours=1)), timedelta(0), 0),
        (FlushPolicy(max_rows=3, max_age=timedelta(hours=1)), timedelta(0), 3),
        (FlushPolicy(max_rows=10, max_age=timedelta(minutes=1)), timedelta(minutes=2), 3),
        (FlushPolicy(max_rows=10, max_age=timedelta(minutes=1)), -timedelta(days=9), 3),
    ],
    ids=["few and young", "many", "old", "dated far into the future"],
)
def test_a_file_is_made_when_events_are_many_or_old(
    policy: FlushPolicy,
    age: timedelta,
    expected: int,
    database_url: str,
    outbox: Engine,
    lake: FolderLake,
) -> None:
    record_events(database_url, [sample(EventType.GOAL_CREATED)] * 3, at=datetime.now(UTC) - age)

    finished = drain_if_due(outbox, lake, policy=policy)

    assert finished == expected


def test_flushing_takes_more_than_one_round_where_it_must(
    database_url: str, outbox: Engine, lake: FolderLake
) -> None:
    record_events(database_url, samples(54))

    finished = flush(outbox, lake, limit=20)

    assert finished == 54
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_the_sink_never_loads_a_model_library(tmp_path: Path) -> None:
    program = "import sys, json, events.worker; print(json.dumps(sorted(sys.modules)))"

    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=os.environ
    )

    loaded = {name.split(".")[0] for name in json.loads(child.stdout)}
    assert loaded & {"langchain_core", "langgraph", "openai", "fastapi"} == set()


def test_claiming_never_reads_the_whole_table(outbox: Engine) -> None:
    with outbox.begin() as connection:
        connection.execute(
            text(
                "insert into parquet_batches (id, family, year, month, state, lease_until) "
                "values ('bat_old', 'user', 2025, 1, 'done', now())"
            )
        )
        connection.execute(
            text(
                "insert into events (id, event_type, payload, batch_id) select 'evt_' || n, "
                "'user.login', '{}', case when n <= 50000 then 'bat_old' end "
                "from generate_series(1, 50500) n"
            )
        )
    with outbox.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("analyze events"))
        plan = connection.execute(
            text(f"explain {batches.FREEZE.text}"), {"limit": 500, "lease": EXPIRED}
        )
        lines = "\n".join(plan.scalars())

    assert "Seq Scan on events" not in lines
