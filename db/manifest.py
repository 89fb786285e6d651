"""The manifest as lake care sees it: files to check, months to merge, rows to erase.

One care operation runs at a time (an advisory lock); sinks go on meanwhile, and every step that
ends one is fenced by the batch's state and epoch. Beside `frozen` and `done` a batch is
`compacting` (its month's file is being merged; what it had before still holds) or `replaced` (its
events are in the month's file; its own file is to be removed, then its row).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from db import external
from db.batches import BEGINNING, KEYS, KEYS_AT_ONCE, Batch, BatchFile, EventKey

CARE_KEY: Final = 1_735_352_685
MONTH_PREFIX: Final = "mon_"


@dataclass(frozen=True, kw_only=True)
class Month:
    """One family's UTC month."""

    family: str
    year: int
    month: int


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the manifest; `file` is None until the batch was finished once."""

    batch: Batch
    state: str
    file: BatchFile | None


LOCK: Final = text("select pg_try_advisory_lock(:key)")
UNLOCK: Final = text("select pg_advisory_unlock(:key)")

ENTRIES: Final = text("""
select id, family, year, month, epoch, state, path, rows, bytes, sha256
from parquet_batches
order by year, month, family, id
""")

# What a file held is on its way to it again.
_REFREEZE: Final = """
with held as (
    update parquet_batches
    set state = 'frozen', epoch = epoch + 1, lease_until = now() at time zone 'utc' + :lease
    where {which}
    returning id, family, year, month, epoch
), again as (
    insert into outbox (event_id, published_at, batch_id)
    select events.id, now() at time zone 'utc', held.id
    from held join events on events.batch_id = held.id
      and created_at >= make_timestamp(year, month, 1, 0, 0, 0)
      and created_at < make_timestamp(year, month, 1, 0, 0, 0) + interval '1 month'
    on conflict (event_id) do nothing
)
select id, family, year, month, epoch from held
"""
REFREEZE: Final = text(_REFREEZE.format(which="id = :id and epoch = :epoch and state = 'done'"))
REFREEZE_ALL: Final = text(_REFREEZE.format(which="id = any(:ids)"))

# A month whose own file is being rebuilt (frozen) waits for the next time.
MERGEABLE: Final = text("""
select family, year, month
from parquet_batches
where state <> 'replaced' and make_timestamp(year, month, 1, 0, 0, 0) + interval '1 month' <= :now
group by family, year, month
having count(*) filter (where state = 'done') > 1
   and count(*) filter (where state = 'frozen' and starts_with(id, 'mon_')) = 0
order by year, month, family
""")

INTERRUPTED: Final = text("""
select family, year, month from parquet_batches where state = 'compacting'
order by year, month, family
""")

BEGIN_MONTH: Final = text("""
insert into parquet_batches (id, family, year, month, state, lease_until)
values (:id, :family, :year, :month, 'compacting', now() at time zone 'utc')
on conflict (id) do update set state = 'compacting', epoch = parquet_batches.epoch + 1
where parquet_batches.state in ('done', 'compacting')
returning id, family, year, month, epoch
""")

SOURCES: Final = text("""
select id from parquet_batches
where family = :family and year = :year and month = :month and state = 'done' and id <> :id
order by id
""")

# No index leads from a batch to its events (it would make each of their updates write all their
# indexes anew), but one leads to its month.
_IN_FILES: Final = """
batch_id = any(:ids)
  and created_at >= (select min(make_timestamp(year, month, 1, 0, 0, 0))
                     from parquet_batches where id = any(:ids))
  and created_at < (select max(make_timestamp(year, month, 1, 0, 0, 0)) + interval '1 month'
                    from parquet_batches where id = any(:ids))
"""
DONE_KEYS: Final = text(KEYS.format(which=f"events where {_IN_FILES}"))

LOCK_SOURCES: Final = text("""
select id from parquet_batches where id = any(:ids) and state = 'done' order by id for update
""")

COUNT_EVENTS: Final = text(f"select count(*) from events where {_IN_FILES}")  # noqa: S608 - constants only

FINISH_MONTH: Final = text("""
update parquet_batches
set state = 'done', path = :path, rows = :rows, bytes = :bytes, sha256 = :sha256,
    done_at = clock_timestamp() at time zone 'utc'
where id = :id and epoch = :epoch and state = 'compacting'
""")

MOVE_EVENTS: Final = text(f"""
with locked as materialized (
    select id from events where {_IN_FILES} order by id for update
)
update events set batch_id = :id, parquet_path = :path from locked where events.id = locked.id
""")  # noqa: S608 - constants only

REPLACE: Final = text("update parquet_batches set state = 'replaced' where id = any(:ids)")
FORGET: Final = text("delete from parquet_batches where id = any(:ids) and state = 'replaced'")

_OF_USER: Final = "(user_id = :user or (entity_type = 'user' and entity_id = :user))"
LOCK_USER: Final = text("select id from users where id = :user for update")
LOCK_BATCHES: Final = text(f"""
select id from parquet_batches
where id in (
    select unnest(array[events.batch_id, outbox.batch_id])
    from events left join outbox on outbox.event_id = events.id
    where {_OF_USER}
)
order by id for update
""")  # noqa: S608 - constants only
LOCK_OUTBOX: Final = text(f"""
select event_id from outbox join events on events.id = outbox.event_id
where {_OF_USER}
order by event_id for update of outbox
""")  # noqa: S608 - constants only
HELD_BY: Final = text(f"""
select coalesce(outbox.batch_id, events.batch_id) as batch_id
from events left join outbox on outbox.event_id = events.id
where {_OF_USER}
order by events.id for update of events
""")  # noqa: S608 - constants only
REMEMBER: Final = text(f"""
insert into erased_events (id) select id from events where {_OF_USER}
on conflict (id) do nothing
""")  # noqa: S608 - constants only
DELETE_EVENTS: Final = text(f"delete from events where {_OF_USER}")  # noqa: S608 - constants only
DELETE_USER: Final = text("delete from users where id = :user")


def try_lock(connection: Connection) -> bool:
    """Take the lock of lake care for this session, unless another session has it."""
    return bool(connection.execute(LOCK, {"key": CARE_KEY}).scalar_one())


def unlock(connection: Connection) -> None:
    """Give the lock of lake care back."""
    connection.execute(UNLOCK, {"key": CARE_KEY})


def month_id(month: Month) -> str:
    """Return the id of the batch that a month's one file belongs to: the same every time."""
    return f"{MONTH_PREFIX}{month.family}_{month.year:04d}_{month.month:02d}"


def entries(connection: Connection) -> list[Entry]:
    """Return the whole manifest, by month, family and id."""
    return [
        Entry(
            batch=Batch(
                id=row.id, family=row.family, year=row.year, month=row.month, epoch=row.epoch
            ),
            state=row.state,
            file=None
            if row.path is None
            else BatchFile(path=row.path, rows=row.rows, bytes=row.bytes, sha256=row.sha256),
        )
        for row in connection.execute(ENTRIES)
    ]


def refreeze(connection: Connection, batch: Batch, *, lease: timedelta) -> Batch | None:
    """Make a finished batch be written again, held for `lease`; None if it changed meanwhile."""
    values = {"id": batch.id, "epoch": batch.epoch, "lease": lease}
    row = connection.execute(REFREEZE, values).mappings().first()
    return None if row is None else Batch(**row)


def mergeable(connection: Connection, now: datetime) -> list[Month]:
    """Return the months that are closed at `now` (UTC) and have more than one finished batch."""
    closed = connection.execute(MERGEABLE, {"now": now.replace(tzinfo=None)})
    return [Month(**row) for row in closed.mappings()]


def interrupted(connection: Connection) -> list[Month]:
    """Return the months whose compaction began and did not end."""
    return [Month(**row) for row in connection.execute(INTERRUPTED).mappings()]


def begin_month(connection: Connection, month: Month) -> tuple[Batch, list[str]] | None:
    """Begin to merge `month`, in a new epoch; return its batch and the ids to merge into it.

    None where the month's own file is being rebuilt.
    """
    values = {"family": month.family, "year": month.year, "month": month.month}
    values |= {"id": month_id(month)}
    row = connection.execute(BEGIN_MONTH, values).mappings().first()
    if row is None:
        return None
    return Batch(**row), list(connection.execute(SOURCES, values).scalars())


def keys(
    connection: Connection,
    ids: Sequence[str],
    *,
    after: tuple[datetime, str] = BEGINNING,
    limit: int = KEYS_AT_ONCE,
) -> list[EventKey]:
    """Return `limit` events in the files of `ids` behind `after`, by `created_at` and `id`."""
    at, last = after
    values = {"ids": list(ids), "at": at, "last": last, "limit": limit}
    return list(map(EventKey._make, connection.execute(DONE_KEYS, values)))


def swap(connection: Connection, batch: Batch, *, file: BatchFile, sources: Sequence[str]) -> bool:
    """Make `file` the truth about its month in place of the files of `sources`.

    False, and the caller must roll back, where anything is not as it was when the merge began.
    """
    ids = [batch.id, *sources]
    values = {"id": batch.id, "epoch": batch.epoch, "path": file.path, "rows": file.rows}
    values |= {"bytes": file.bytes, "sha256": file.sha256}
    if connection.execute(FINISH_MONTH, values).rowcount != 1:
        return False
    locked = connection.execute(LOCK_SOURCES, {"ids": list(sources)}).scalars().all()
    if len(locked) != len(sources):
        return False
    if connection.execute(COUNT_EVENTS, {"ids": ids}).scalar_one() != file.rows:
        return False
    moved = {"ids": list(sources), "id": batch.id, "path": file.path}
    connection.execute(MOVE_EVENTS, moved)
    connection.execute(REPLACE, {"ids": list(sources)})
    return True


def forget(connection: Connection, ids: Sequence[str]) -> None:
    """Remove replaced batches, whose files are gone, from the manifest."""
    connection.execute(FORGET, {"ids": list(ids)})


def erase_user(
    connection: Connection, user_id: str, *, lease: timedelta
) -> tuple[int, list[Batch]]:
    """Delete a user and the events by and about them; freeze the batches that held these again.

    Returns the number of events and the batches, held for `lease`. What else refers to the user
    goes by the foreign keys; the events' ids stay, for messages that are still on their way.
    Nothing can be recorded for the user from here on. Where users are elsewhere, each table is
    emptied of them, and who is not stopped there may still be recorded.
    """
    user = {"user": user_id}
    elsewhere = external.is_external(connection)
    if not elsewhere:
        connection.execute(LOCK_USER, user)
    connection.execute(LOCK_BATCHES, user)
    connection.execute(LOCK_OUTBOX, user)
    held = connection.execute(HELD_BY, user).scalars().all()
    connection.execute(REMEMBER, user)
    connection.execute(DELETE_EVENTS, user)
    if elsewhere:
        external.delete_user(connection, user_id)
    else:
        connection.execute(DELETE_USER, user)
    ids = sorted({batch_id for batch_id in held if batch_id is not None})
    rows = connection.execute(REFREEZE_ALL, {"ids": ids, "lease": lease})
    return len(held), [Batch(**row) for row in rows.mappings()]
