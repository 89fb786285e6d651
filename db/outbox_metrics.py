"""How much waits in the outbox and what the lake holds, in two statements that stay cheap.

They run on a connection of their own, which no pool can keep waiting, and end after two seconds.
The planner may only walk indexes: after a burst its statistics are old, and it would read and sort
the whole backlog.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from db.engine import UTC_OPTIONS, database_url

COUNTED_AT_MOST: Final = 100_000
CONNECT_SECONDS: Final = 2
OPTIONS: Final = (
    f"{UTC_OPTIONS} -c statement_timeout=2s -c default_transaction_read_only=on -c jit=off "
    "-c max_parallel_workers_per_gather=0 -c work_mem=16MB "
    "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off"
)


@dataclass(frozen=True, kw_only=True)
class OutboxDepth:
    """What waits for a relay and for its file; a number stops at `COUNTED_AT_MOST`.

    An age is that of the first one by id, in seconds and never negative; 0 where none waits.
    """

    relay_events: int
    relay_seconds: float
    sink_events: int
    sink_seconds: float


@dataclass(frozen=True, kw_only=True)
class ManifestPart:
    """The batches of one family in one state, and the files that they name.

    `overdue_seconds` is how long ago the first of their leases ended, `unwritten_seconds` the age
    of the oldest batch that has no file yet; 0 where there is none.
    """

    family: str
    state: str
    batches: int
    files: int
    rows: int
    bytes: int
    overdue_seconds: float
    unwritten_seconds: float


# The walks go by the first ids, and a limit ends each. What is written again (a month of millions)
# or set aside is counted, but nobody waits for it: it has no age.
DEPTH: Final = text("""
with waiting as materialized (
    select event_id, batch_id from outbox order by event_id limit :limit
), firsts as (
    select (select event_id from outbox where published_at is null order by event_id limit 1)
               as relay,
           coalesce(
               (select min(event_id) from waiting
                where batch_id is null
                   or batch_id in (select id from parquet_batches
                                   where state = 'frozen' and path is null)),
               (select event_id from outbox where batch_id is null order by event_id limit 1)
           ) as sink
), ages as (
    select now() at time zone 'utc' - (select created_at from events where id = relay) as relay,
           now() at time zone 'utc' - (select created_at from events where id = sink) as sink
    from firsts
)
select (select count(*) from (
            select from outbox where published_at is null order by event_id limit :limit
        ) unpublished) as relay_events,
       (select count(*) from waiting) as sink_events,
       greatest(0, coalesce(extract(epoch from ages.relay), 0))::float as relay_seconds,
       greatest(0, coalesce(extract(epoch from ages.sink), 0))::float as sink_seconds
from ages
""")

# 50 ms for 300,000 files; a compacted lake has one for each family and month.
MANIFEST: Final = text("""
select family, state, count(*) as batches, count(path) as files,
       coalesce(sum(rows) filter (where path is not null), 0)::bigint as rows,
       coalesce(sum(bytes) filter (where path is not null), 0)::bigint as bytes,
       greatest(0, coalesce(
           extract(epoch from now() at time zone 'utc' - min(lease_until)), 0
       ))::float as overdue_seconds,
       greatest(0, coalesce(
           extract(epoch from now() at time zone 'utc' - min(created_at) filter (
               where path is null
           )), 0
       ))::float as unwritten_seconds
from parquet_batches
group by family, state
order by family, state
""")


PENDING_VECTORS: Final = text("""
select count(*) from (select from embeddings where model = '' limit :limit) pending
""")


def make_scrape_engine(url: str) -> Engine:
    """Return an engine that opens a connection for each use and keeps none: nothing to dispose."""
    return create_engine(
        database_url(url),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"options": OPTIONS, "connect_timeout": CONNECT_SECONDS},
    )


def read_depth(connection: Connection) -> OutboxDepth:
    """Return what waits now. Raises DBAPIError, also after two seconds without an answer."""
    row = connection.execute(DEPTH, {"limit": COUNTED_AT_MOST}).mappings().one()
    return OutboxDepth(**row)


def read_pending_vectors(connection: Connection) -> int:
    """Return how many texts have no vector yet, counted up to `COUNTED_AT_MOST`."""
    return int(connection.scalar(PENDING_VECTORS, {"limit": COUNTED_AT_MOST}) or 0)


def read_manifest(connection: Connection) -> list[ManifestPart]:
    """Return the manifest by family and state. Raises DBAPIError, also after two seconds."""
    return [ManifestPart(**row) for row in connection.execute(MANIFEST).mappings()]
