"""Batches that kill whoever writes them: split until the poison is alone, then set aside.

A batch that is set aside is `quarantined`: no sink takes it by itself, and its one event waits,
neither lost nor in the lake, for somebody to offer it again.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, text

from db.batches import Batch


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """An event that no sink survived, and the batch that it is alone in."""

    batch_id: str
    event_id: str


LOCK: Final = text("""
select id from parquet_batches where id = :id and epoch = :epoch and state = 'frozen' for update
""")
COUNT: Final = text("select count(*) from outbox where batch_id = :id")

# Whoever was in the company of the poison is under suspicion: the next death splits again.
SPLIT: Final = text("""
with held as (
    update parquet_batches
    set attempts = 1, lease_until = now() at time zone 'utc' + :lease
    where id = :id and epoch = :epoch and state = 'frozen'
    returning id, family, year, month, epoch, attempts
), locked as materialized (
    select event_id from outbox join held on outbox.batch_id = held.id
    order by event_id
    for update of outbox
), dealt as materialized (
    select id, ntile(:parts) over (order by created_at, id) as part
    from locked join events on events.id = event_id
), parts as materialized (
    select part, 'bat_' || replace(gen_random_uuid()::text, '-', '') as batch_id
    from (select distinct part from dealt where part > :kept) numbers
), made as (
    insert into parquet_batches (id, family, year, month, state, epoch, attempts, lease_until)
    select batch_id, family, year, month, 'frozen', 1, 1, now() at time zone 'utc' + :lease
    from parts cross join held
    returning id, family, year, month, epoch, attempts
), moved as (
    update outbox set batch_id = parts.batch_id
    from dealt join parts using (part)
    where event_id = dealt.id
), left_their_file as (
    update events set batch_id = null, parquet_path = null
    from dealt join parts using (part)
    where events.id = dealt.id and events.batch_id is not null
)
select * from held union all select * from made
""")

SET_ASIDE: Final = text("""
with held as (
    update parquet_batches
    set state = 'quarantined', path = null, rows = null, bytes = null, sha256 = null
    where id = :id and epoch = :epoch and state = 'frozen'
    returning id
)
update events set batch_id = null, processed_at = null, parquet_path = null
from outbox join held on outbox.batch_id = held.id
where events.id = event_id
returning held.id as batch_id, event_id
""")

LIST: Final = text("""
select batch_id, event_id
from outbox join parquet_batches on batch_id = parquet_batches.id
where state = 'quarantined'
order by event_id
""")

RELEASE: Final = text("""
update parquet_batches
set state = 'frozen', epoch = epoch + 1, attempts = :attempts,
    lease_until = now() at time zone 'utc' - interval '1 microsecond'
where state = 'quarantined'
""")


def lock(connection: Connection, batch: Batch) -> int | None:
    """Keep `batch` as it is until the transaction ends; return its events' number.

    None where it is not the caller's any more.
    """
    held = connection.execute(LOCK, {"id": batch.id, "epoch": batch.epoch}).scalar()
    if held is None:
        return None
    return int(connection.execute(COUNT, {"id": batch.id}).scalar_one())


def split(
    connection: Connection, batch: Batch, *, parts: int, kept: int, lease: timedelta
) -> list[Batch]:
    """Deal the events of `batch` out in `parts` of their order, the caller holding all for `lease`.

    `batch` keeps the first `kept` parts (0 or 1), each other part is a new batch. Returns `batch`,
    then these; nothing where it is not the caller's any more.
    """
    values = {"id": batch.id, "epoch": batch.epoch, "parts": parts, "kept": kept, "lease": lease}
    held = [Batch(**row) for row in connection.execute(SPLIT, values).mappings()]
    return sorted(held, key=lambda each: each.id != batch.id)


def set_aside(connection: Connection, batch: Batch) -> list[SetAside]:
    """Quarantine `batch` and return its events, which count as unprocessed from here on."""
    values = {"id": batch.id, "epoch": batch.epoch}
    return [SetAside(**row) for row in connection.execute(SET_ASIDE, values).mappings()]


def list_set_aside(connection: Connection) -> list[SetAside]:
    """Return every quarantined event, by id."""
    return [SetAside(**row) for row in connection.execute(LIST).mappings()]


def release(connection: Connection, *, attempts: int) -> int:
    """Offer every quarantined batch to the sinks again, as if `attempts` had died; return how many.

    With one less than it takes to be set aside, the next death is the last.
    """
    return connection.execute(RELEASE, {"attempts": attempts}).rowcount
