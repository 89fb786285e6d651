"""Questions to the lake, and what they may not reach; a picture of its days."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from db.batches import Batch, EventRow
from db.enums import EventType
from events.lake import LakeUnavailable
from events.lake_folder import FolderLake
from events.query import DailyCount, QueryRefused, count_by_type, daily_counts, query_lake
from events.schema import DOCUMENTS, ENVELOPE, to_table
from events.stats import FAMILIES, plot_daily

MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)


def write_file(lake: FolderLake, *, event_type: EventType, times: list[datetime]) -> None:
    """Put one file with an event of this type at each of `times` into `lake`."""
    at = times[0]
    batch = Batch(
        id=f"bat_{event_type.value}",
        family=event_type.family,
        year=at.year,
        month=at.month,
        epoch=1,
    )
    rows = [
        EventRow(
            id=f"evt_{event_type.value}_{number}",
            event_type=event_type.value,
            user_id="usr_1",
            entity_type=None,
            entity_id=None,
            created_at=time,
            payload="{}",
            metadata=None,
        )
        for number, time in enumerate(times)
    ]
    lake.publish(lake.stage(batch, to_table(batch.family, rows)))


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    """Return a lake of three events, in two families and two months."""
    lake = FolderLake(tmp_path / "año's lake")
    write_file(lake, event_type=EventType.USER_LOGIN, times=[MIDNIGHT - timedelta(seconds=1)])
    write_file(lake, event_type=EventType.GOAL_CREATED, times=[MIDNIGHT, MIDNIGHT])
    return lake


def test_a_query_gets_columns_and_rows(lake: FolderLake) -> None:
    result = query_lake(
        lake, "select id, created_at, year, month, title from events order by created_at, id"
    )

    assert result.columns == ("id", "created_at", "year", "month", "title")
    assert result.rows == (
        ("evt_user.login_0", MIDNIGHT - timedelta(seconds=1), 2026, 10, None),
        ("evt_goal.created_0", MIDNIGHT, 2026, 11, None),
        ("evt_goal.created_1", MIDNIGHT, 2026, 11, None),
    )


def test_a_lake_without_files_answers_with_no_rows(tmp_path: Path) -> None:
    result = query_lake(FolderLake(tmp_path / "none"), "select * from events")

    envelope = tuple(field.name for field in (*ENVELOPE, *DOCUMENTS))
    assert result.columns == (*envelope, "year", "month")
    assert result.rows == ()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("selec 1", "syntax error"),
        ("select nothing from events", "nothing"),
        ("", "one SELECT"),
        ("select 1; select 2", "one SELECT"),
        ("copy (select 1) to '{lake}/events/x.parquet'", "one SELECT"),
        ("explain analyze copy (select 1) to '{lake}/events/x.parquet'", "one SELECT"),
        ("attach '{lake}/events/x.db'", "one SELECT"),
        ("set enable_external_access = true", "one SELECT"),
        ("install httpfs", "one SELECT"),
        ("select * from read_csv('/etc/passwd')", "disabled by configuration"),
        ("select * from glob('/*')", "disabled by configuration"),
        ("select * from read_text('{lake}/events/../secret')", "disabled by configuration"),
        ("select * from read_parquet('https://127.0.0.1/x.parquet')", "disabled|httpfs"),
    ],
)
def test_what_is_no_question_to_the_lake_is_refused(
    sql: str, reason: str, lake: FolderLake
) -> None:
    (lake.root / "secret").write_text("secret")
    before = sorted(lake.root.glob("**/*"))

    with pytest.raises(QueryRefused, match=reason):
        query_lake(lake, sql.format(lake=str(lake.root).replace("'", "''")))

    assert sorted(lake.root.glob("**/*")) == before


def test_a_damaged_file_is_named(lake: FolderLake) -> None:
    damaged = lake.root / "events" / "year=2026" / "month=12" / "half.parquet"
    damaged.parent.mkdir()
    damaged.write_bytes(b"PAR1 and no more")

    for ask in (
        partial(query_lake, lake, "select count(*) from events"),
        partial(daily_counts, lake),
        partial(count_by_type, lake, user_id="usr_1"),
    ):
        with pytest.raises(LakeUnavailable, match=r"half\.parquet") as error:
            ask()
        assert "\n" not in str(error.value)


def test_days_are_counted_by_family_in_utc(lake: FolderLake) -> None:
    counts = daily_counts(lake)

    assert counts == [
        DailyCount(day=date(2026, 10, 31), family="user", events=1),
        DailyCount(day=date(2026, 11, 1), family="goal", events=2),
    ]


@pytest.mark.parametrize("days", [0, 1, 60])
def test_any_number_of_days_is_drawn(days: int, tmp_path: Path) -> None:
    counts = [
        DailyCount(day=date(2026, 10, 1) + timedelta(days=day), family=family, events=day + number)
        for day in range(days)
        for number, family in enumerate(FAMILIES)
    ]

    plot_daily(counts, tmp_path / "days.png")

    assert (tmp_path / "days.png").read_bytes().startswith(b"\x89PNG")
