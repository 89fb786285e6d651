"""The lake in a bucket: every fault of every step heals, and whoever is late changes nothing."""

import itertools
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest
from sqlalchemy import Engine

from db import manifest
from db.batches import Batch, BatchFile
from db.enums import EventType
from db.failpoints import Failpoint
from events.compact import compact
from events.erase import erase_user
from events.lake import (
    QUARANTINE,
    BatchTakenOver,
    LakeMisplaced,
    LakeUnavailable,
    StagedFile,
    batch_path,
)
from events.lake_location import S3Location
from events.lake_s3 import S3Lake
from events.query import QueryRefused, count_by_type, daily_counts, query_lake
from events.s3_client import Patience, make_session
from events.schema import to_table
from events.scrub import Finding, scrub
from events.sink import drain_once, flush
from tests.database import connect
from tests.event_samples import NOON, record_events, sample
from tests.lake_oracle import assert_lake_holds_every_event_once, read_events
from tests.s3_server import BUCKET, FAULTS, Fault, Proxy, mirror, serve_proxy, serve_s3

NEXT_MONTH: Final = datetime(2026, 12, 1, tzinfo=UTC)
AT_ONCE: Final = timedelta(0)
ONE_ATTEMPT: Final = Patience(attempts=1)
HASTE: Final = Patience(read_seconds=0.6, attempts=1)
BATCH: Final = Batch(id="bat_1", family="task", year=2026, month=11, epoch=1)
SINK: Final = """
import sys
from datetime import timedelta
from db.engine import make_sync_engine
from events.lake import open_lake
from events.sink import flush

flush(make_sync_engine(sys.argv[1]), open_lake(sys.argv[2]), lease=timedelta(0))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Yield the address of moto's server."""
    with serve_s3() as address:
        yield address


@pytest.fixture
def proxy(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Yield a proxy before moto, which the environment names as S3."""
    with serve_proxy(server) as proxy:
        for name in [each for each in os.environ if each.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-7f3a")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield proxy


@pytest.fixture(scope="module")
def client(server: str) -> Any:
    """Return a client of the server itself, past the proxy; the bucket is there."""
    client = make_session().create_client(
        "s3",
        endpoint_url=f"http://{server}",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def place(client: Any) -> S3Location:
    """Return a prefix that this test has for itself."""
    return S3Location(bucket=BUCKET, prefix=f"a=b/{uuid.uuid4().hex}/")


@pytest.fixture(scope="module")
def session() -> Any:
    """Return one session: each of its own reads a megabyte of what S3 is."""
    return make_session()


@pytest.fixture
def lake(proxy: Proxy, place: S3Location, session: Any, monkeypatch: pytest.MonkeyPatch) -> S3Lake:
    """Return a lake that gives up at the first fault, and removes files however young."""
    monkeypatch.setattr("events.s3_bucket.make_session", lambda: session)
    return S3Lake(place, patience=ONE_ATTEMPT, settling=AT_ONCE)


@pytest.fixture
def hasty(lake: S3Lake, place: S3Location) -> S3Lake:
    """Return the same lake for what is repeated until it works: silence is soon a fault to it.

    On a busy machine an answer may come later than that, so nothing else is asked of it.
    """
    return S3Lake(place, patience=HASTE, settling=AT_ONCE)


@pytest.fixture
def copy_lake(client: Any, place: S3Location, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that copies the lake to a folder, as it is then."""
    return lambda: mirror(client, prefix=place.prefix, folder=tmp_path)


def in_epoch(epoch: int, *, batch: Batch = BATCH) -> Batch:
    return Batch(id=batch.id, family=batch.family, year=2026, month=11, epoch=epoch)


def some_table(rows: int = 3) -> pa.Table:
    """Return a table of so many rows."""
    return pa.table({"id": [f"evt_{number}" for number in range(rows)]})


def content(client: Any, place: S3Location, path: str) -> bytes:
    """Return what is at `path` of the lake."""
    body = client.get_object(Bucket=BUCKET, Key=f"{place.prefix}{path}")["Body"].read()
    assert isinstance(body, bytes)
    return body


def damage(client: Any, place: S3Location, path: str, *, with_bytes: bytes) -> None:
    client.put_object(Bucket=BUCKET, Key=f"{place.prefix}{path}", Body=with_bytes)


def give_an_event_to(database_url: str, *, user: str) -> None:
    """Make a user, and the first event theirs."""
    with connect(database_url) as connection:
        connection.execute(
            "insert into users (id, email, username, hashed_password) "
            "values (%s, 'a@example.org', 'a', 'x')",
            [user],
        )
        connection.execute(
            "update events set user_id = %s where id = (select min(id) from events)", [user]
        )


def attempt_with_a_fault_at_each_request(
    proxy: Proxy, operation: Callable[[], object], *, faults: tuple[Fault, ...] = FAULTS
) -> int:
    """Repeat `operation`, broken one request later each time, until nothing breaks it any more."""
    kinds = itertools.cycle(faults)
    for number in itertools.count(1):
        proxy.fail(at=number, how=next(kinds))
        try:
            operation()
        except LakeUnavailable as error:
            assert "\n" not in str(error)
            continue
        if proxy.disarm():
            return number - 1
    raise AssertionError


def find_no_damage(lake: S3Lake, file: BatchFile) -> None:
    assert lake.find_damage(file) is None


STEPS: Final[dict[str, Callable[[S3Lake, BatchFile], object]]] = {
    "check": lambda lake, _file: lake.check(),
    "stage": lambda lake, _file: lake.stage(in_epoch(2), some_table(2)),
    "publish": lambda lake, _file: lake.publish(lake.stage(in_epoch(2), some_table(2))),
    "verify": find_no_damage,
    "list": lambda lake, _file: lake.files(),
    "remove": lambda lake, file: lake.remove(file.path),
    "quarantine": lambda lake, file: lake.holds(file.path) and lake.quarantine(file.path),
    "settle": lambda lake, file: lake.may_remove(file.path),
}


@pytest.mark.parametrize("step", STEPS)
def test_each_fault_in_a_step_is_one_line_and_the_next_attempt_does_it(
    step: str, lake: S3Lake, hasty: S3Lake, proxy: Proxy
) -> None:
    for fault in FAULTS:
        file = lake.publish(lake.stage(BATCH, some_table()))

        broken = attempt_with_a_fault_at_each_request(
            proxy, partial(STEPS[step], hasty, file), faults=(fault,)
        )

        assert broken > 0
        gone = step in {"remove", "quarantine"}
        assert lake.files() == ([] if gone else [file.path])
        lake.remove(file.path)


def test_each_fault_anywhere_in_a_sinks_way_loses_and_doubles_nothing(
    database_url: str,
    outbox: Engine,
    lake: S3Lake,
    hasty: S3Lake,
    proxy: Proxy,
    copy_lake: Callable[[], Path],
) -> None:
    def carry_two_more() -> None:
        record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 2, at=NOON)
        flush(outbox, hasty, lease=AT_ONCE)

    broken = [
        attempt_with_a_fault_at_each_request(proxy, carry_two_more, faults=(fault,))
        for fault in FAULTS
    ]
    flush(outbox, lake, lease=AT_ONCE)

    assert min(broken) > 0
    assert_lake_holds_every_event_once(outbox, copy_lake())


@pytest.mark.parametrize("step", ["check", "publish", "verify", "list", "settle"])
def test_a_page_in_place_of_an_answer_is_no_answer(step: str, lake: S3Lake, proxy: Proxy) -> None:
    file = lake.publish(lake.stage(BATCH, some_table()))
    before = lake.files()
    number = {"check": 2, "publish": 2, "verify": 1, "list": 1, "settle": 1}[step]

    proxy.fail(at=number, how="a page")

    with pytest.raises(LakeUnavailable):
        STEPS[step](lake, file)
    assert lake.files() == before
    assert lake.find_damage(file) is None


@pytest.mark.parametrize("fault", ["503", "reset", "lost"])
def test_patience_heals_a_fault_without_a_word(
    fault: Fault, proxy: Proxy, place: S3Location, client: Any
) -> None:
    lake = S3Lake(place, patience=Patience(attempts=2))
    staged = lake.stage(BATCH, some_table())

    proxy.fail(at=1, how=fault)
    file = lake.publish(staged)

    assert lake.find_damage(file) is None
    assert lake.files() == [file.path]


def test_care_heals_whatever_breaks_on_its_way(
    database_url: str,
    outbox: Engine,
    lake: S3Lake,
    hasty: S3Lake,
    proxy: Proxy,
    client: Any,
    place: S3Location,
    copy_lake: Callable[[], Path],
) -> None:
    for _ in range(3):
        record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 2, at=NOON)
        flush(outbox, lake)
    give_an_event_to(database_url, user="usr_a")
    paths = lake.files()
    damage(client, place, paths[0], with_bytes=b"PAR1 and no more")
    damage(client, place, "events/year=2026/stray.parquet", with_bytes=b"PAR1")
    client.delete_object(Bucket=BUCKET, Key=f"{place.prefix}{paths[1]}")

    def end_leases_and(operate: Callable[[], object]) -> Callable[[], object]:
        def operate_then() -> None:
            with connect(database_url) as connection:
                connection.execute("update parquet_batches set lease_until = '2026-01-01'")
            flush(outbox, hasty)
            operate()

        return operate_then

    scrubbed = attempt_with_a_fault_at_each_request(
        proxy, end_leases_and(lambda: scrub(outbox, hasty))
    )
    assert_lake_holds_every_event_once(outbox, copy_lake())
    compacted = attempt_with_a_fault_at_each_request(
        proxy, end_leases_and(lambda: compact(outbox, hasty, now=NEXT_MONTH))
    )
    erased = attempt_with_a_fault_at_each_request(
        proxy, end_leases_and(lambda: erase_user(outbox, hasty, user_id="usr_a"))
    )

    assert min(scrubbed, compacted, erased) >= 5
    assert len(read_events(outbox)) == 5
    assert len(lake.files()) == 1
    assert lake.quarantined() == []
    assert_lake_holds_every_event_once(outbox, copy_lake())


@pytest.mark.parametrize(
    "failpoint",
    ["sink.mid_write", "sink.before_rename", "sink.after_rename", "sink.before_tx2"],
)
def test_a_sink_killed_there_loses_and_doubles_nothing(
    failpoint: Failpoint,
    database_url: str,
    outbox: Engine,
    lake: S3Lake,
    copy_lake: Callable[[], Path],
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 4, at=NOON)
    program = [sys.executable, "-c", SINK, database_url, lake.location]

    killed = subprocess.run(program, env=os.environ | {"GOALS_FAILPOINTS": failpoint}, check=False)
    flush(outbox, lake)

    assert killed.returncode == -signal.SIGKILL
    assert_lake_holds_every_event_once(outbox, copy_lake())


def test_the_server_of_these_tests_honours_conditions_and_one_that_does_not_is_refused(
    lake: S3Lake, proxy: Proxy, client: Any, place: S3Location
) -> None:
    lake.check()

    proxy.dropped_headers = frozenset({"if-none-match", "if-match"})

    with pytest.raises(LakeMisplaced, match="ignores If-None-Match or If-Match"):
        lake.check()
    assert client.list_objects_v2(Bucket=BUCKET, Prefix=place.prefix)["KeyCount"] == 0


def test_a_file_is_one_conditional_put_with_its_hash(
    lake: S3Lake, proxy: Proxy, client: Any, place: S3Location
) -> None:
    staged = lake.stage(BATCH, some_table())
    before = len(proxy.requests)

    file = lake.publish(staged)

    key = f"{place.prefix}{file.path}"
    assert [request.split()[0] for request in proxy.requests[before:]] == ["PUT"]
    assert client.head_object(Bucket=BUCKET, Key=key)["Metadata"]["sha256"] == file.sha256
    assert lake.find_damage(file) is None


def test_the_same_batch_again_is_not_put_again(lake: S3Lake, proxy: Proxy) -> None:
    first = lake.publish(lake.stage(BATCH, some_table()))
    before = len(proxy.requests)

    again = lake.publish(lake.stage(in_epoch(2), some_table()))

    assert again == first
    assert {request.split()[0] for request in proxy.requests[before:]} == {"HEAD"}


def test_a_rebuild_replaces_what_it_saw(lake: S3Lake) -> None:
    lake.publish(lake.stage(BATCH, some_table(3)))

    rebuilt = lake.publish(lake.stage(in_epoch(2), some_table(2)))

    assert lake.find_damage(rebuilt) is None


@pytest.mark.parametrize(
    ("late", "refused"), [(1, BatchTakenOver), (2, LakeUnavailable)], ids=["first", "rebuild"]
)
@pytest.mark.parametrize("seen", ["nothing", "an earlier file"])
def test_a_put_that_comes_after_the_next_holders_changes_nothing(
    late: int, refused: type[Exception], seen: str, lake: S3Lake
) -> None:
    if seen == "an earlier file":
        lake.publish(lake.stage(in_epoch(late), some_table(4)))
    stalled = lake.stage(in_epoch(late), some_table(3))
    newer = lake.publish(lake.stage(in_epoch(3), some_table(2)))

    with pytest.raises(refused):
        lake.publish(stalled)

    assert lake.find_damage(newer) is None


def test_a_put_that_comes_between_the_next_holders_look_and_put_is_replaced(lake: S3Lake) -> None:
    stalled = lake.stage(BATCH, some_table(3))
    newer = lake.stage(in_epoch(2), some_table(2))
    lake.publish(stalled)

    with pytest.raises(LakeUnavailable, match="once more"):
        lake.publish(newer)
    again = lake.publish(lake.stage(in_epoch(2), some_table(2)))

    assert lake.find_damage(again) is None


def test_a_months_file_is_never_the_same_in_two_epochs(lake: S3Lake) -> None:
    month = Batch(id="mon_task_2026_11", family="task", year=2026, month=11, epoch=1)
    lake.publish(lake.stage(month, some_table(2)))
    merged_and_stalled = lake.stage(in_epoch(2, batch=month), some_table(5))
    erased = lake.publish(lake.stage(in_epoch(3, batch=month), some_table(2)))

    with pytest.raises(LakeUnavailable):
        lake.publish(merged_and_stalled)

    assert lake.find_damage(erased) is None


def test_a_put_is_not_sent_when_it_is_signed_too_late(
    lake: S3Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = lake.stage(BATCH, some_table())
    monkeypatch.setattr("events.s3_bucket.PUT_SECONDS", -1.0)

    with pytest.raises(LakeUnavailable, match="late"):
        lake.publish(staged)

    assert lake.files() == []


def test_months_wait_until_no_late_put_can_follow_a_removal(
    database_url: str, outbox: Engine, lake: S3Lake, place: S3Location
) -> None:
    for _ in range(2):
        record_events(database_url, [sample(EventType.TASK_COMPLETED)], at=NOON)
        flush(outbox, lake)

    early = compact(outbox, S3Lake(place), now=NEXT_MONTH)
    settled = compact(outbox, lake, now=NEXT_MONTH)

    assert early == []
    assert [month.merged for month in settled] == [2]
    assert lake.files() == [settled[0].path]


@pytest.mark.parametrize("erasure", ["finished", "died after its transaction"])
@pytest.mark.parametrize("stalled", ["before it asked", "before its put"])
def test_a_sink_that_read_the_rows_before_they_were_erased_cannot_put_them_back(
    erasure: str,
    stalled: str,
    database_url: str,
    outbox: Engine,
    lake: S3Lake,
    place: S3Location,
    copy_lake: Callable[[], Path],
) -> None:
    class StallingLake(S3Lake):
        """A lake whose writer stalls while the user is erased."""

        def stage_parts(self, *arguments: Any, **options: Any) -> Any:
            staged = super().stage_parts(*arguments, **options)
            if stalled == "before it asked":
                erase()
            return staged

        def publish(self, staged: StagedFile) -> BatchFile:
            if stalled == "before its put":
                erase()
            return super().publish(staged)

    def erase() -> None:
        if erasure == "finished":
            erase_user(outbox, lake, user_id="usr_a")
        else:
            with outbox.begin() as connection:
                manifest.erase_user(connection, "usr_a", lease=AT_ONCE)

    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 2, at=NOON)
    give_an_event_to(database_url, user="usr_a")

    drain_once(outbox, StallingLake(place))
    flush(outbox, lake)

    assert len(read_events(outbox)) == 1
    copied = copy_lake()
    assert query_lake(lake, "select count(*), count(user_id) from events").rows == ((1, 0),)
    assert_lake_holds_every_event_once(outbox, copied)


def test_what_is_damaged_or_nobodys_is_quarantined_and_an_erasure_empties_that(
    database_url: str,
    outbox: Engine,
    lake: S3Lake,
    client: Any,
    place: S3Location,
    copy_lake: Callable[[], Path],
) -> None:
    for event_type in (EventType.TASK_COMPLETED, EventType.GOAL_CREATED, EventType.USER_LOGIN):
        record_events(database_url, [sample(event_type)], at=NOON)
        flush(outbox, lake)
    flipped, cut, _ = lake.files()
    data = bytearray(content(client, place, flipped))
    data[len(data) // 3] ^= 0x01
    damage(client, place, flipped, with_bytes=bytes(data))
    damage(client, place, cut, with_bytes=content(client, place, cut)[:100])
    damage(client, place, "events/year=2026/month=11/copy.parquet", with_bytes=b"PAR1")
    damage(client, place, "others/x.parquet", with_bytes=b"not ours")

    report = scrub(outbox, lake)

    assert report.findings == (
        Finding(path="events/year=2026/month=11/copy.parquet", fault="stray", healed=True),
        Finding(path=flipped, fault="checksum", healed=True),
        Finding(path=cut, fault="size", healed=True),
    )
    assert lake.quarantined() == [
        f"{QUARANTINE}/{path}.1.quarantined"
        for path in ("events/year=2026/month=11/copy.parquet", flipped, cut)
    ]
    assert content(client, place, "others/x.parquet") == b"not ours"
    client.delete_object(Bucket=BUCKET, Key=f"{place.prefix}others/x.parquet")
    erase_user(outbox, lake, user_id="usr_nobody")
    assert lake.quarantined() == []
    assert_lake_holds_every_event_once(outbox, copy_lake())


@pytest.fixture
def filled(lake: S3Lake) -> S3Lake:
    """Return a lake of events in two families, whose files have different columns."""
    for family, event_type in (("user", EventType.USER_LOGIN), ("goal", EventType.GOAL_CREATED)):
        batch = Batch(id=f"bat_{family}", family=family, year=2026, month=11, epoch=1)
        lake.publish(lake.stage(batch, to_table(family, [event_row(event_type)])))
    return lake


def event_row(event_type: EventType) -> Any:
    from db.batches import EventRow

    return EventRow(
        id=f"evt_{event_type.value}",
        event_type=event_type.value,
        user_id="usr_1",
        entity_type=None,
        entity_id=None,
        created_at=NOON,
        payload='{"title": "año"}',
        metadata=None,
    )


def test_a_query_reads_the_bucket(filled: S3Lake) -> None:
    result = query_lake(filled, "select id, created_at, year, month, title from events order by id")

    assert result.columns == ("id", "created_at", "year", "month", "title")
    assert result.rows == (
        ("evt_goal.created", NOON, 2026, 11, "año"),
        ("evt_user.login", NOON, 2026, 11, None),
    )
    assert [(each.family, each.events) for each in daily_counts(filled)] == [
        ("goal", 1),
        ("user", 1),
    ]
    assert count_by_type(filled, user_id="usr_1") == [("goal.created", 1), ("user.login", 1)]


def test_each_fault_of_a_query_is_the_lakes_and_the_next_query_answers(
    filled: S3Lake, hasty: S3Lake, proxy: Proxy
) -> None:
    broken = attempt_with_a_fault_at_each_request(
        proxy, lambda: query_lake(hasty, "select sum(length(id)) from events")
    )

    assert broken > 1


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select * from read_csv('/etc/passwd')", "disabled by configuration"),
        ("select * from read_parquet('s3://lake/x.parquet')", "disabled|httpfs"),
        ("select * from glob('/*')", "disabled by configuration"),
        ("copy (select 1) to '/tmp/x.parquet'", "one SELECT"),
        ("set enable_external_access = true", "one SELECT"),
        ("select * from statements", "statements does not exist"),
        ("select * from tree", "tree does not exist"),
    ],
)
def test_what_is_no_question_to_the_lake_is_refused(sql: str, reason: str, filled: S3Lake) -> None:
    with pytest.raises(QueryRefused, match=reason):
        query_lake(filled, sql)


def test_a_file_that_cannot_be_read_is_named(
    filled: S3Lake, client: Any, place: S3Location
) -> None:
    damage(client, place, "events/year=2026/month=11/half.parquet", with_bytes=b"PAR1 no more")

    with pytest.raises(LakeUnavailable, match=r"half\.parquet cannot be read"):
        query_lake(filled, "select 1")


def test_a_bucket_without_files_answers_with_no_rows(lake: S3Lake) -> None:
    assert query_lake(lake, "select * from events").rows == ()


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_a_refusal_is_named_without_secrets(code: str, lake: S3Lake, proxy: Proxy) -> None:
    proxy.fail(at=1, how=code)

    with pytest.raises(LakeMisplaced, match=code) as refused:
        lake.check()

    assert str(refused.value).startswith(f"{lake.location}: ListObjectsV2: 403 {code}")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("variables", "kind", "reason"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, LakeMisplaced, "credentials"),
        ({"AWS_ENDPOINT_URL": "no address"}, LakeMisplaced, "endpoint"),
        ({"AWS_ENDPOINT_URL": "http://me:hidden@127.0.0.1:1"}, LakeUnavailable, "127.0.0.1:1"),
    ],
    ids=["no credentials", "malformed endpoint", "nobody there"],
)
def test_what_is_configured_wrongly_is_one_line(
    variables: dict[str, str],
    kind: type[Exception],
    reason: str,
    proxy: Proxy,
    place: S3Location,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)

    with pytest.raises(kind, match=reason) as refused:
        S3Lake(place, patience=ONE_ATTEMPT).check()

    assert "\n" not in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_a_bucket_that_is_not_there_is_one_line(proxy: Proxy) -> None:
    lake = S3Lake(S3Location(bucket="no-such-bucket", prefix=""), patience=ONE_ATTEMPT)

    with pytest.raises(LakeMisplaced, match="404 NoSuchBucket"):
        lake.check()
    with pytest.raises(LakeMisplaced, match="404 NoSuchBucket"):
        lake.publish(lake.stage(BATCH, some_table()))
    assert str(batch_path(BATCH)) == "events/year=2026/month=11/task_events-bat_1.parquet"
