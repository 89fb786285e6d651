"""Writing the same rows with pyarrow alone: the sink's settings and its fsync, nothing else."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from db.batches import EventRow
from events.schema import to_table
from events.sink import MAX_ROWS


def make_tables(rows: Sequence[EventRow]) -> list[pa.Table]:
    """Return the tables that a sink would make of `rows`: one for each batch and family."""
    tables = []
    for at in range(0, len(rows), MAX_ROWS):
        families: dict[str, list[EventRow]] = {}
        for row in rows[at : at + MAX_ROWS]:
            families.setdefault(row.event_type.split(".")[0], []).append(row)
        tables += [to_table(family, some) for family, some in sorted(families.items())]
    return tables


def write_with_pyarrow(folder: Path, tables: Sequence[pa.Table]) -> float:
    """Write each table to a file of its own and fsync it; return rows a second."""
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    for number, table in enumerate(tables):
        with (folder / f"{number}.parquet").open("wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True, version="2.6")
            file.flush()
            os.fsync(file.fileno())
    seconds = time.monotonic() - started
    return float(sum(table.num_rows for table in tables) / seconds)


def count_arrived(tree: Path) -> tuple[int, int]:
    """Return the rows below `tree` and the number of different ids that they have."""
    ids = [
        pq.read_table(path, columns=["id"], partitioning=None)["id"]
        for path in sorted(tree.rglob("*.parquet"))
    ]
    together = pa.chunked_array([chunk for each in ids for chunk in each.chunks], pa.string())
    return len(together), len(together.unique())
