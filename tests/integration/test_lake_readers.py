"""The lake in other people's hands: DuckDB, Polars and pandas, also while a sink is writing."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sqlalchemy import Engine, text

import events.lake
import events.lake_folder
import events.sink
from db.failpoints import Failpoint
from events.lake import Lake
from events.metrics import FAMILIES
from events.schema import schema_for
from events.sink import drain_once, flush
from tests.event_samples import record_events, samples

MONTHS: Final = tuple(
    datetime(year, month, day, hour, 59, 59, 999_999, tzinfo=UTC)
    for year, month, day, hour in [(2025, 12, 31, 23), (2026, 1, 1, 0), (2026, 11, 22, 12)]
)
ROUNDS: Final = 5
STEPS: Final = {
    "sink.mid_write",
    "sink.closed_before_fsync",
    "sink.before_rename",
    "sink.after_rename",
    "sink.before_tx2",
    "sink.after_tx2",
}

# As the README has them, in a folder that holds `lake/`.
DUCKDB: Final = """
select year, month, split_part(event_type, '.', 1) as family, count(*) as events
from read_parquet('lake/events/**/*.parquet', union_by_name = true, hive_partitioning = true,
                  hive_types = {'year': int, 'month': int})
group by all order by all;
"""
POLARS: Final = """
from pathlib import Path
import polars as pl

files = Path("lake/events").rglob("*.parquet")
parts = [pl.scan_parquet(file, hive_partitioning=True) for file in files]
events = pl.concat(parts, how="diagonal")
family = pl.col("event_type").str.split(".").list.first().alias("family")
print(totals := events.group_by("year", "month", family).len().sort("year", "month").collect())
"""
PANDAS: Final = """
from pathlib import Path
import pandas as pd

files = Path("lake/events").rglob("*.parquet")
events = pd.concat([pd.read_parquet(file, dtype_backend="pyarrow") for file in files])
family = events["event_type"].str.partition(".")[0].rename("family")
print(totals := events.groupby([events["created_at"].dt.strftime("%Y-%m"), family]).size())
"""


class Row(NamedTuple):
    """What a reader is asked for: an event, its family, and the month of its folder."""

    id: str
    family: str
    year: int
    month: int


Totals = Counter[tuple[int, int, str]]


def with_duckdb(root: Path) -> list[Row]:
    found = duckdb.execute(
        "select id, split_part(event_type, '.', 1), year, month from read_parquet("
        f"'{root}/events/**/*.parquet', union_by_name = true, hive_partitioning = true, "
        "hive_types = {'year': int, 'month': int})"
    )
    return [Row(*row) for row in found.fetchall()]


def with_polars(root: Path) -> list[Row]:
    events = pl.scan_parquet(
        root / "events" / "**" / "*.parquet",
        hive_partitioning=True,
        missing_columns="insert",
        extra_columns="ignore",
    )
    family = pl.col("event_type").str.split(".").list.first()
    return [Row(*row) for row in events.select("id", family, "year", "month").collect().rows()]


def with_pandas(root: Path) -> list[Row]:
    events = pd.read_parquet(root / "events", columns=["id", "event_type", "year", "month"])
    family = events["event_type"].str.partition(".")[0]
    return [
        Row(str(key), str(kind), int(year), int(month))
        for key, kind, year, month in zip(
            events["id"], family, events["year"], events["month"], strict=True
        )
    ]


READERS: Final[dict[str, Callable[[Path], list[Row]]]] = {
    "DuckDB": with_duckdb,
    "Polars": with_polars,
    "pandas": with_pandas,
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the lake's folder."""
    return tmp_path / "lake"


def totals(rows: list[Row]) -> Totals:
    return Counter((row.year, row.month, row.family) for row in rows)


def recorded(engine: Engine) -> list[Row]:
    statement = text(
        "select id, split_part(event_type::text, '.', 1) as family, "
        "extract(year from created_at)::int as year, extract(month from created_at)::int as month "
        "from events"
    )
    with engine.connect() as connection:
        return [Row(*row) for row in connection.execute(statement)]


def record_in_each_month(database_url: str, count: int) -> None:
    for moment in MONTHS:
        record_events(database_url, samples(count), at=moment)


def test_three_readers_see_a_growing_part_while_a_sink_writes_and_all_of_it_afterwards(
    database_url: str, outbox: Engine, lake: Lake, root: Path
) -> None:
    enough = threading.Event()
    record_in_each_month(database_url, 54)
    drain_once(outbox, lake, limit=10)

    def write_until_enough() -> None:
        while not enough.is_set():
            if drain_once(outbox, lake, limit=10) == 0:
                record_in_each_month(database_url, 54)
        flush(outbox, lake, limit=10)

    seen: dict[str, list[list[Row]]] = {name: [] for name in READERS}
    with ThreadPoolExecutor(1) as pool:
        sink = pool.submit(write_until_enough)
        try:
            while len(seen["pandas"]) < ROUNDS or len(seen["pandas"][-1]) < 2 * len(
                seen["pandas"][0]
            ):
                for name, read in READERS.items():
                    seen[name].append(read(root))
        finally:
            enough.set()
        sink.result()

    truth = recorded(outbox)
    for name, read in READERS.items():
        at_rest = read(root)
        assert sorted(at_rest) == sorted(truth), name
        for earlier, later in zip(seen[name], [*seen[name][1:], at_rest], strict=True):
            assert len(set(earlier)) == len(earlier), name
            assert set(earlier) <= set(later), name
        assert 0 < len(seen[name][0]) < len(at_rest), name
        assert totals(at_rest) == totals(truth), name
    assert {(row.year, row.month) for row in truth} == {(each.year, each.month) for each in MONTHS}
    assert {row.family for row in truth} == set(FAMILIES)


def test_at_each_step_of_a_write_every_reader_sees_whole_files(
    database_url: str, outbox: Engine, lake: Lake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_events(database_url, samples(27))
    drain_once(outbox, lake, limit=20)
    before = set(with_duckdb(root))
    seen: dict[str, list[set[Row]]] = {}

    def read_here(point: Failpoint) -> None:
        seen.setdefault(point, []).extend(set(read(root)) for read in READERS.values())

    for module in (events.lake, events.lake_folder, events.sink):
        monkeypatch.setattr(module, "hit", read_here)
    drain_once(outbox, lake)

    truth = set(recorded(outbox))
    assert seen.keys() >= STEPS
    for point, rows in seen.items():
        for start in range(0, len(rows), len(READERS)):
            at_once = rows[start : start + len(READERS)]
            assert at_once == at_once[:1] * len(READERS), point
            assert before <= at_once[0] <= truth, point
    assert before < truth == seen["sink.after_tx2"][-1]


@pytest.mark.parametrize("name", ["DuckDB", "Polars", "pandas"])
def test_the_examples_of_the_readme_give_the_totals_of_postgresql(
    name: str,
    database_url: str,
    outbox: Engine,
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record_in_each_month(database_url, 30)
    flush(outbox, lake)
    monkeypatch.chdir(tmp_path)

    scope: dict[str, Any] = {}
    if name == "DuckDB":
        rows = duckdb.execute(DUCKDB).fetchall()
    elif name == "Polars":
        exec(POLARS, scope)  # noqa: S102 - our own constant
        rows = scope["totals"].rows()
    else:
        exec(PANDAS, scope)  # noqa: S102 - our own constant
        rows = [
            (*map(int, month.split("-")), family, events)
            for (month, family), events in scope["totals"].items()
        ]

    found = {(year, month, family): events for year, month, family, events in rows}
    assert found == dict(totals(recorded(outbox)))


def plain(kind: pa.DataType) -> pa.DataType:
    """Return an Arrow type without what libraries differ in: long strings, the name of UTC."""
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.tz in {"UTC", "Etc/UTC"}:
        return pa.timestamp(kind.unit, tz="UTC")
    return kind


def columns_of_duckdb(files: list[Path]) -> dict[str, pa.DataType]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        names = [str(file) for file in files]
        found: Any = connection.sql(
            "select * from read_parquet($files, union_by_name = true, hive_partitioning = false)",
            params={"files": names},
        ).to_arrow_table()
    return {field.name: plain(field.type) for field in found.schema}


def columns_of_polars(files: list[Path]) -> dict[str, pa.DataType]:
    scans = [pl.scan_parquet(file, hive_partitioning=False) for file in files]
    found = pl.concat(scans, how="diagonal").collect().to_arrow()
    return {field.name: plain(field.type) for field in found.schema}


def columns_of_pandas(files: list[Path]) -> dict[str, pa.DataType]:
    found = pd.concat([pd.read_parquet(file, dtype_backend="pyarrow") for file in files])
    kinds: dict[str, Any] = dict(found.dtypes)
    return {name: plain(kind.pyarrow_dtype) for name, kind in kinds.items()}


@pytest.mark.parametrize("columns_of", [columns_of_duckdb, columns_of_polars, columns_of_pandas])
def test_files_of_all_families_open_together_with_every_column_and_its_type(
    columns_of: Callable[[list[Path]], dict[str, pa.DataType]],
    database_url: str,
    outbox: Engine,
    lake: Lake,
    root: Path,
) -> None:
    record_events(database_url, samples(27))
    flush(outbox, lake)
    files = sorted(root.glob("events/**/*.parquet"))

    found = columns_of(files)

    expected = {
        field.name: plain(field.type) for family in FAMILIES for field in schema_for(family)
    }
    assert len(files) == len(FAMILIES)
    assert found == expected
    assert found["created_at"] == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize("name", ["DuckDB", "Polars", "pandas"])
def test_a_moment_is_the_same_moment_for_every_reader(
    name: str, database_url: str, outbox: Engine, lake: Lake, root: Path
) -> None:
    record_events(database_url, samples(1), at=MONTHS[0])
    flush(outbox, lake)
    (file,) = root.glob("events/**/*.parquet")

    if name == "DuckDB":
        moments: Any = duckdb.sql(f"select created_at from '{file}'")
        found = moments.to_arrow_table()["created_at"].to_pylist()[0]
    elif name == "Polars":
        found = pl.read_parquet(file)["created_at"].to_list()[0]
    else:
        found = pd.read_parquet(file)["created_at"].to_list()[0].to_pydatetime()

    assert found == MONTHS[0]
    assert found.utcoffset() is not None
