"""The manifest: which events are frozen into which Parquet file, and who may write it.

PostgreSQL is the truth about the lake. A batch is `frozen` (its events and its name are fixed, and
some sink holds a lease on it), then `done` (its file is in place). Every take-over raises `epoch`,
and what an earlier holder still does is refused. Leases run by the database's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

BEGINNING: Final = (datetime(1, 1, 1, tzinfo=UTC), "")
KEYS_AT_ONCE: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The events of one family and one UTC month that make one file, as held in one `epoch`.

    `attempts` is how many holders had died over it when it was taken over, else 0.
    """

    id: str
    family: str
    year: int
    month: int
    epoch: int
    attempts: int = 0


class EventKey(NamedTuple):
    """Where one event stands in its file; `stored_bytes` is what its documents take in the table.

    That is mostly compressed: in memory they are several times as big.
    """

    id: str
    created_at: datetime
    stored_bytes: int


class EventRow(NamedTuple):
    """One event as it leaves; `payload` and `metadata` are JSON text, `created_at` is UTC."""

    id: str
    event_type: str
    user_id: str | None
    entity_type: str | None
    entity_id: str | None
    created_at: datetime
    payload: str
    metadata: str | None


@dataclass(frozen=True, kw_only=True)
class BatchFile:
    """A file of the lake: `path` is relative to the lake and begins with `events/`."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits for a sink; `waiting` stops counting at the limit that was asked for."""

    waiting: int
    distance: timedelta | None
    expired: int


# Whatever the planner guesses of a backlog and of the events before it, the only plan that reads no
# more than it takes is a walk along the outbox with a look at each event: left alone it read all
# 50,000 that waited to freeze 500. For the transaction, not for the session.
_BY_INDEX: Final = """
       set_config('enable_mergejoin', 'off', true),
       set_config('enable_hashjoin', 'off', true),
       set_config('enable_bitmapscan', 'off', true),
       set_config('enable_seqscan', 'off', true),
       set_config('jit', 'off', true)
"""
WALK: Final = f"set_config('enable_sort', 'off', true), {_BY_INDEX}"
# A batch's own events are looked up, then sorted: to walk in their order would be to walk them all.
LOOK_UP: Final = f"""
       set_config('enable_sort', 'on', true),
       set_config('enable_incremental_sort', 'off', true),
       {_BY_INDEX}
"""
BEGIN_LOOK_UP: Final = text(f"select {LOOK_UP}")
BEGIN_WALK: Final = text(f"select {WALK}")

# A join may begin at either table, and one that begins at the events reads every event there ever
# was to find those that wait. A lateral subquery with an offset begins at the outbox.
EVENT_OF_OUTBOX: Final = "(select * from events where id = event_id offset 0)"

# Claiming is by flag, never by a cursor (`id > last`): ids ascend, but commits do not, and what
# commits behind a cursor is lost. `created_at` holds UTC, so its month is the UTC month.
# An event's own row, with all its indexes, is written once: when its batch is finished.
_ANY_WAITING: Final = "order by event_id limit :limit for update of outbox skip locked"
# Not `skip locked`: a relay that is marking what it published must not hide it from its consumer.
_THE_DELIVERED: Final = "and event_id = any(:ids) order by event_id for update of outbox"
_FREEZE: Final = f"""
with claimed as materialized (
    select event_id, split_part(event_type::text, '.', 1) as family,
           date_trunc('month', created_at) as month
    from outbox cross join lateral {EVENT_OF_OUTBOX} as event
    where outbox.batch_id is null {{which}}
), batches as materialized (
    select 'bat_' || replace(gen_random_uuid()::text, '-', '') as id, family, month,
           array_agg(event_id) as event_ids
    from claimed
    group by family, month
), manifest as (
    insert into parquet_batches (id, family, year, month, state, epoch, lease_until)
    select id, family, extract(year from month)::int, extract(month from month)::int,
           'frozen', 1, now() at time zone 'utc' + :lease
    from batches
    returning id, family, year, month, epoch
), frozen as (
    update outbox
    set batch_id = batches.id{{also}}
    from batches
    where outbox.event_id = any(batches.event_ids)
)
select id, family, year, month, epoch from manifest order by year, month, family
"""  # noqa: S608 - constants only
# A sink that takes events without a broker is where they go: no relay is to publish them later.
_LEAVES_HERE: Final = ", published_at = coalesce(published_at, now() at time zone 'utc')"
FREEZE: Final = text(_FREEZE.format(which=_ANY_WAITING, also=_LEAVES_HERE))
FREEZE_IDS: Final = text(_FREEZE.format(which=_THE_DELIVERED, also=""))

KNOWN: Final = text("select id from events where id = any(:ids)")
ERASED: Final = text("select id from erased_events where id = any(:ids)")

RECLAIM: Final = text("""
update parquet_batches
set epoch = epoch + 1, lease_until = now() at time zone 'utc' + :lease
where id in (
    select id from parquet_batches
    where state = 'frozen' and lease_until < now() at time zone 'utc'
    order by lease_until
    limit :limit
    for update skip locked
)
returning id, family, year, month, epoch, attempts
""")

# An attempt is taken back by whoever survived it, however it went: what stays are the dead ones'.
# It must outlive that process, not the server: nobody waits for the disk.
NO_WAIT_FOR_THE_DISK: Final = text("set local synchronous_commit to off")
BEGIN_ATTEMPT: Final = text("""
update parquet_batches set attempts = attempts + 1
where id = :id and epoch = :epoch and state = 'frozen'
""")
END_ATTEMPT: Final = text("""
update parquet_batches set attempts = greatest(attempts - 1, 0)
where id = :id and epoch = :epoch and state = 'frozen'
""")

KEYS: Final = """
select id, created_at at time zone 'utc',
       pg_column_size(payload) + coalesce(pg_column_size(metadata), 0)
from {which}
  and (created_at, id) > (cast(:at as timestamptz) at time zone 'utc', :last)
order by events.created_at, id
limit :limit
"""
FROZEN_KEYS: Final = text(
    KEYS.format(
        which=f"outbox cross join lateral {EVENT_OF_OUTBOX} as events where outbox.batch_id = :id"
    )
)

READ: Final = text("""
select id, event_type::text as event_type, user_id, entity_type, entity_id,
       created_at at time zone 'utc' as created_at,
       payload::text as payload, metadata::text as metadata
from events
where id = any(:ids)
order by events.created_at, id
""")

STATE: Final = text("select state from parquet_batches where id = :id and epoch = :epoch")

FINISH: Final = text("""
with finished as (
    update parquet_batches
    set state = 'done', attempts = 0,
        path = :path, rows = :rows, bytes = :bytes, sha256 = :sha256,
        done_at = clock_timestamp() at time zone 'utc'
    where id = :id and epoch = :epoch and state = 'frozen'
    returning id, path, done_at
), arrived as (
    delete from outbox using finished where batch_id = finished.id
    returning event_id
)
update events
set batch_id = finished.id, parquet_path = path, processed_at = coalesce(processed_at, done_at)
from finished
where events.id = any(array(select event_id from arrived))
""")

BACKLOG: Final = text(f"""
select (select count(*) from (select from outbox where batch_id is null limit :limit) w) as waiting,
       (select greatest(age, -age)
        from (select now() at time zone 'utc' - created_at as age
              from outbox cross join lateral {EVENT_OF_OUTBOX} as event
              where outbox.batch_id is null order by event_id limit 1) oldest) as distance,
       (select count(*) from parquet_batches
        where state = 'frozen' and lease_until < now() at time zone 'utc') as expired
""")  # noqa: S608 - constants only


def freeze(connection: Connection, limit: int, *, lease: timedelta) -> list[Batch]:
    """Put up to `limit` unbatched events into new batches, held for `lease`, and return these.

    One batch for each family and UTC month. Events that another sink is claiming are passed over.
    """
    connection.execute(BEGIN_WALK)
    rows = connection.execute(FREEZE, {"limit": limit, "lease": lease})
    return [Batch(**row) for row in rows.mappings()]


def freeze_ids(connection: Connection, ids: Sequence[str], *, lease: timedelta) -> list[Batch]:
    """Put those of `ids` that are in no batch into new batches, held for `lease`; return these.

    Waits for whoever is changing these rows; what another sink has frozen stays with that sink.
    """
    connection.execute(BEGIN_WALK)
    rows = connection.execute(FREEZE_IDS, {"ids": list(ids), "lease": lease})
    return [Batch(**row) for row in rows.mappings()]


def known(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
    """Return which of `ids` are events."""
    return frozenset(connection.execute(KNOWN, {"ids": list(ids)}).scalars())


def erased(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
    """Return which of `ids` were events until their user was erased."""
    return frozenset(connection.execute(ERASED, {"ids": list(ids)}).scalars())


def reclaim(connection: Connection, limit: int, *, lease: timedelta) -> list[Batch]:
    """Take over up to `limit` frozen batches whose lease has expired, in a new epoch."""
    rows = connection.execute(RECLAIM, {"limit": limit, "lease": lease})
    return [Batch(**row) for row in rows.mappings()]


def begin_attempt(connection: Connection, batch: Batch) -> bool:
    """Note that the caller makes the file of `batch` from here on; False if it is not theirs now.

    Should the caller die before `end_attempt`, whoever takes the batch over can see it.
    """
    connection.execute(NO_WAIT_FOR_THE_DISK)
    return connection.execute(BEGIN_ATTEMPT, _held(batch)).rowcount == 1


def end_attempt(connection: Connection, batch: Batch) -> None:
    """Note that the caller survived, whether or not the file is made."""
    connection.execute(NO_WAIT_FOR_THE_DISK)
    connection.execute(END_ATTEMPT, _held(batch))


def keys(
    connection: Connection,
    batch: Batch,
    *,
    after: tuple[datetime, str] = BEGINNING,
    limit: int = KEYS_AT_ONCE,
) -> list[EventKey]:
    """Return `limit` events of a frozen batch behind `after`, by `created_at` and `id`."""
    connection.execute(BEGIN_LOOK_UP)
    at, last = after
    values = {"id": batch.id, "at": at, "last": last, "limit": limit}
    return list(map(EventKey._make, connection.execute(FROZEN_KEYS, values)))


def read(connection: Connection, ids: Sequence[str]) -> list[EventRow]:
    """Return the events `ids` in the order of their file: by `created_at` and `id`."""
    connection.execute(BEGIN_LOOK_UP)
    return list(map(EventRow._make, connection.execute(READ, {"ids": list(ids)})))


def is_held(connection: Connection, batch: Batch) -> bool:
    """Tell whether `batch` is still to be written in the epoch that the caller holds."""
    return _state(connection, batch) == "frozen"


def is_done(connection: Connection, batch: Batch) -> bool:
    """Tell whether `batch` was finished in the epoch that the caller holds."""
    return _state(connection, batch) == "done"


def _state(connection: Connection, batch: Batch) -> str | None:
    found = connection.execute(STATE, _held(batch)).scalar()
    return None if found is None else str(found)


def _held(batch: Batch) -> dict[str, str | int]:
    return {"id": batch.id, "epoch": batch.epoch}


def finish(connection: Connection, batch: Batch, *, file: BatchFile) -> int:
    """Make `file` the truth about `batch`; return its events' number, 0 if its epoch is over."""
    values = {"id": batch.id, "epoch": batch.epoch, "path": file.path, "rows": file.rows}
    connection.execute(BEGIN_LOOK_UP)
    done = connection.execute(FINISH, values | {"bytes": file.bytes, "sha256": file.sha256})
    return done.rowcount


def backlog(connection: Connection, limit: int) -> Backlog:
    """Return what waits: events (counted up to `limit`) and batches whose lease has expired.

    `distance` is how far the first waiting event's `created_at` is from now, on either side: an
    event that a fast clock dated into the future must not wait for the future.
    """
    row = connection.execute(BACKLOG, {"limit": limit}).mappings().one()
    return Backlog(**row)
