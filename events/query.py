"""Ask the lake in SQL, through DuckDB."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

COUNT_BY_TYPE = """
select event_type, count(*) as events
from read_parquet('{files}', union_by_name = true, hive_partitioning = true)
where user_id = ?
group by event_type order by event_type
"""


def count_by_type(lake: Path, *, user_id: str) -> list[tuple[str, int]]:
    """Return how many events of each type the lake holds for one user."""
    statement = COUNT_BY_TYPE.format(files=_glob(lake))
    return [(str(kind), int(count)) for kind, count in _fetch(statement, [user_id])]


def _glob(lake: Path) -> str:
    return str(lake / "events" / "**" / "*.parquet").replace("'", "''")


def _fetch(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    import duckdb

    with duckdb.connect() as connection:
        return connection.execute(statement, parameters).fetchall()
