"""The oracle of the lake: what must hold after any fault, read from the files and the database."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from sqlalchemy import Engine, text

from db.enums import EventType

# A goal must have been recorded once as created, and as changed as often as it counted.
GOALS_WITHOUT_THEIR_EVENTS = """
with recorded as (
    select entity_id as id,
           count(*) filter (where event_type = 'goal.created') as created,
           count(*) filter (where event_type = 'goal.updated') as updated
    from events where event_type in ('goal.created', 'goal.updated')
    group by entity_id
)
select goals.id, recorded.*
from goals full join recorded using (id)
where created is distinct from 1
   or updated is distinct from (goals.metadata ->> 'changes')::int
"""


def lake_files(lake: Path) -> list[Path]:
    """Return every Parquet file that a plain glob of the lake finds."""
    return sorted(lake.glob("**/*.parquet"))


def read_lake(lake: Path) -> list[dict[str, Any]]:
    """Return the rows of every file with their `path`; a damaged or partial file is an error."""
    rows: list[dict[str, Any]] = []
    for path in lake_files(lake):
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
        relative = path.relative_to(lake).as_posix()
        rows += [row | {"path": relative} for row in table.to_pylist()]
    return rows


def count_by_type(lake: Path) -> dict[str, int]:
    """Count the lake's events by type, as a reader with DuckDB does."""
    found = duckdb.execute(
        "select event_type, count(*) from "
        f"read_parquet('{lake}/events/**/*.parquet', union_by_name=true, hive_partitioning=true) "
        "group by 1"
    )
    return dict(found.fetchall())


def read_events(engine: Engine) -> list[dict[str, Any]]:
    """Return the rows of the `events` table."""
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text("select * from events")).mappings()]


def read_outbox(engine: Engine) -> list[str]:
    """Return the ids of the events that are still on their way to the lake."""
    with engine.connect() as connection:
        return list(connection.execute(text("select event_id from outbox")).scalars())


def payload_hashes(engine: Engine) -> dict[str, str]:
    """Return the SHA-256 of each event's payload as PostgreSQL has it."""
    statement = text(
        "select id, encode(sha256(convert_to(payload::text, 'UTF8')), 'hex') as digest from events"
    )
    with engine.connect() as connection:
        return {row.id: row.digest for row in connection.execute(statement)}


def count_differences(engine: Engine, lake: Path) -> tuple[int, int]:
    """Return how many events a plain glob of the lake lacks, and how many rows it has too many."""
    with engine.connect() as connection:
        recorded = Counter(connection.execute(text("select id from events")).scalars())
    held = Counter(row["id"] for row in read_lake(lake))
    return (recorded - held).total(), (held - recorded).total()


def assert_each_change_has_its_event(engine: Engine, committed: Collection[str]) -> None:
    """Check I1 and I2: what was committed was recorded, once, and nothing else was.

    `committed` are the sources, each its own, of the events whose transaction did not roll back. A
    goal counts in its metadata, under `changes`, how often it was changed.
    """
    with engine.connect() as connection:
        sources = text("select metadata ->> 'source' from events")
        recorded = Counter(connection.execute(sources).scalars())
        differing = connection.execute(text(GOALS_WITHOUT_THEIR_EVENTS)).all()

    assert recorded == Counter(committed)
    assert differing == []


def assert_lake_holds_every_event_once(engine: Engine, lake: Path) -> None:
    """Check I3 to I6: all processed, each once, in its file, unchanged, every file readable."""
    events = read_events(engine)
    rows = read_lake(lake)
    hashes = payload_hashes(engine)

    assert [event["id"] for event in events if event["processed_at"] is None] == []
    assert read_outbox(engine) == []
    assert Counter(row["id"] for row in rows) == Counter(event["id"] for event in events)
    by_id = {row["id"]: row for row in rows}
    for event in events:
        row = by_id[event["id"]]
        at = event["created_at"]
        family = EventType(event["event_type"]).family
        folder = f"events/year={at.year:04d}/month={at.month:02d}"
        assert row["path"] == event["parquet_path"]
        suffix = "" if event["batch_id"].startswith("mon_") else f"-{event['batch_id']}"
        assert row["path"] == f"{folder}/{family}_events{suffix}.parquet"
        assert row["created_at"].replace(tzinfo=None) == at
        assert hashlib.sha256(row["payload"].encode()).hexdigest() == hashes[event["id"]]
        assert json.loads(row["payload"]) == event["payload"]
        assert json.loads(row["metadata"]) == event["metadata"]
    assert sum(count_by_type(lake).values()) == len(events)
    assert_manifest_matches_files(engine, lake)


def assert_what_is_processed_is_in_its_file(engine: Engine, lake: Path) -> None:
    """Check that a reader with the manifest sees each processed event once, at any instant."""
    seen = read_through_manifest(engine, lake)

    with engine.connect() as connection:
        processed = text("select id from events where parquet_path is not null")
        expected = Counter(connection.execute(processed).scalars())
    assert seen == expected


def assert_manifest_matches_files(engine: Engine, lake: Path) -> None:
    """Check that the manifest names exactly the files there are, with their size and rows."""
    with engine.connect() as connection:
        found = connection.execute(text("select state, path, rows, bytes from parquet_batches"))
        manifest = {(row.state, row.path, row.rows, row.bytes) for row in found}
    files = {
        (
            "done",
            path.relative_to(lake).as_posix(),
            pq.ParquetFile(path).metadata.num_rows,
            path.stat().st_size,
        )
        for path in lake_files(lake)
    }
    assert files == manifest
    assert sorted(lake.glob(".staging/*")) == []


def read_through_manifest(engine: Engine, lake: Path) -> Counter[str]:
    """Count the ids that a reader with the manifest sees: a row counts in the file it belongs to.

    A file that was replaced since the manifest was read may be gone: the reader begins again. One
    that is gone while the manifest still names it is an error.
    """
    before: dict[str, str | None] = {}
    while True:
        with engine.connect() as connection:
            found = connection.execute(text("select id, parquet_path from events"))
            places = {row.id: row.parquet_path for row in found}
        seen: Counter[str] = Counter()
        try:
            for path in sorted({path for path in places.values() if path is not None}):
                ids = pq.read_table(lake / path, columns=["id"], partitioning=None)
                seen.update(row for row in ids["id"].to_pylist() if places.get(row) == path)
        except FileNotFoundError:
            if places == before:
                raise
            before = places
            continue
        return seen
