"""Ask the lake in SQL, through DuckDB.

A statement may read the lake and nothing else: no other file, no network, no setting, no write.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from events.lake import Lake, LakeUnavailable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COUNT_BY_TYPE: Final = """
select event_type, count(*) as events
from events
where user_id = ?
group by event_type order by event_type
"""

VIEW: Final = """
create view events as
select * from read_parquet('{files}', union_by_name = true, hive_partitioning = true)
"""

DAILY_COUNTS: Final = """
select cast(created_at as date) as day, split_part(event_type, '.', 1) as family,
       count(*) as events
from events
group by day, family order by day, family
"""


STREAM_BROKE: Final = "reading the stream registered as"
"""What DuckDB says where Arrow, which reads a bucket for it, cannot."""


class QueryRefused(Exception):
    """The lake does not answer this: the SQL is wrong, or asks for more than reading the lake."""


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """The answer to a query: the names of its columns, and its rows in their order."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, kw_only=True)
class DailyCount:
    """How many `events` of one family the lake holds for one UTC `day`."""

    day: date
    family: str
    events: int


def count_by_type(lake: Lake, *, user_id: str) -> list[tuple[str, int]]:
    """Return how many events of each type the lake holds for one user. Raises LakeUnavailable."""
    import duckdb

    with duckdb.connect(":memory:") as connection, _readable():
        open_view(connection, lake)
        return connection.execute(COUNT_BY_TYPE, [user_id]).fetchall()


def query_lake(lake: Lake, sql: str) -> QueryResult:
    """Answer one SELECT over the view `events`: every row of the lake, and its `year` and `month`.

    Times are UTC. A lake without files has the view without rows. Raises QueryRefused, whose text
    is DuckDB's own, for bad SQL, for anything but one SELECT and for a path outside the lake;
    LakeUnavailable where the lake does not answer or a file cannot be read.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection, _readable():
        open_view(connection, lake)
        try:
            statements = connection.extract_statements(sql)
            if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
                raise QueryRefused("the lake answers one SELECT statement at a time")
            # Through Arrow: DuckDB's own conversion of a time with a zone wants pytz.
            table: Any = connection.sql(statements[0]).to_arrow_table()
        except duckdb.Error as error:
            if _is_of_reading(error):
                raise
            raise QueryRefused(str(error).strip()) from error
    columns = [column.to_pylist() for column in table.columns]
    return QueryResult(columns=tuple(table.column_names), rows=tuple(zip(*columns, strict=True)))


def daily_counts(lake: Lake) -> list[DailyCount]:
    """Count the lake's events by UTC day and family, in that order. Raises LakeUnavailable."""
    import duckdb

    with duckdb.connect(":memory:") as connection, _readable():
        open_view(connection, lake)
        rows = connection.execute(DAILY_COUNTS).fetchall()
    return [DailyCount(day=day, family=family, events=count) for day, family, count in rows]


def open_view(connection: "DuckDBPyConnection", lake: Lake) -> None:
    """Make the view `events`, and let the connection reach nothing but the lake from here on.

    DuckDB reads a folder by itself. What is elsewhere is read for it, through Arrow: DuckDB's own
    way to S3 is an extension that it would download.
    """
    tree = lake.open_tree()
    if isinstance(tree, Path):
        connection.execute(f"set allowed_directories = ['{_quoted(tree)}']")
    connection.execute("set enable_external_access = false")
    connection.execute("set TimeZone = 'UTC'")
    if isinstance(tree, Path):
        connection.execute(VIEW.format(files=_quoted(tree / "**" / "*.parquet")))
    else:
        connection.register("events", _no_events() if tree is None else tree)
    connection.execute("set lock_configuration = true")


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Turn what DuckDB raises of a file into LakeUnavailable, in one line."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise LakeUnavailable(str(error).strip().split("\n", 1)[0]) from error


def _is_of_reading(error: Exception) -> bool:
    """Tell whether a query failed on a file, and not on its own words."""
    import duckdb

    return type(error) is duckdb.IOException or STREAM_BROKE in str(error)


def _no_events() -> Any:
    import pyarrow as pa

    from events.schema import DOCUMENTS, ENVELOPE

    partition = (pa.field("year", pa.int64()), pa.field("month", pa.int64()))
    return pa.schema([*ENVELOPE, *DOCUMENTS, *partition]).empty_table()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
