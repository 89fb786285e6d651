"""What nobody will read again: found in batches, and deleted.

A checkpoint is needed while a run runs on it or a question waits on it. Its id is that of a run,
and begins with the moment at which that was made: an old one is known by its id alone.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from db.base import UTCDateTime
from db.checkpoints import delete_checkpoints
from db.usage import RELEASE_STALE

ADVISORY_KEY: Final = 1_735_352_690
EXPIRED: Final = {
    "code": "INTERRUPT_STALE",
    "detail": "nobody decided in time",
    "status": 409,
}

_NOW: Final = bindparam("now", type_=UTCDateTime)
_BEFORE: Final = bindparam("before", type_=UTCDateTime)

TAKE_TURN: Final = text("select pg_try_advisory_xact_lock(:key)")

CANCEL_EXPIRED: Final = text("""
with expired as (
    select id from interrupts where state = 'open' and expires_at <= :now
    order by expires_at limit :limit
    for update skip locked
), cancelled as (
    update interrupts set state = 'cancelled', resolved_at = :now
    where id in (select id from expired)
    returning run_id, checkpoint_id
), ended as (
    update runs set state = 'cancelled', ended_at = :now, error = :error
    where id in (select run_id from cancelled) and state = 'waiting'
)
select checkpoint_id from cancelled
""").bindparams(_NOW, bindparam("error", type_=JSONB))

NEEDED: Final = text("""
select checkpoint_id from runs
where checkpoint_id = any(:ids) and state in ('running', 'waiting')
union
select checkpoint_id from interrupts where checkpoint_id = any(:ids) and state = 'open'
""")

# A process that died in the middle may have left blobs or writes without a checkpoint. An id of
# another shape is not ours, and stays. The limit of one row keeps the planner from reading every
# run.
STORED: Final = text("""
with needed as materialized (
    select checkpoint_id from runs where state in ('running', 'waiting')
    union all
    select checkpoint_id from interrupts where state = 'open'
), stored as (
    (select distinct thread_id from checkpoints
     where thread_id > :after order by thread_id limit :limit)
    union
    (select distinct thread_id from checkpoint_blobs
     where thread_id > :after order by thread_id limit :limit)
    union
    (select distinct thread_id from checkpoint_writes
     where thread_id > :after order by thread_id limit :limit)
    order by thread_id
    limit :limit
)
select stored.thread_id,
       stored.thread_id not in (select checkpoint_id from needed)
       and case when run.id is not null then coalesce(run.ended_at < :ended_before, false)
                else stored.thread_id ~ '^run_[0-9a-f]{32}$'
                     and stored.thread_id collate "C" < :first_kept
           end as done_with
from stored left join lateral (
    select id, ended_at from runs where id = stored.thread_id limit 1
) as run on true
order by stored.thread_id
""").bindparams(bindparam("ended_before", type_=UTCDateTime))

# The ids of runs ascend in time and old events go, so that the first ones are the oldest: nothing
# younger is read.
OLD_EVENTS: Final = text("""
with oldest as (
    select distinct run_id from run_events
    where run_id > :after and run_id < :first_kept
    order by run_id
    limit :limit
)
select oldest.run_id, coalesce(runs.ended_at < :before, false) as done_with
from oldest join runs on runs.id = oldest.run_id
order by oldest.run_id
""").bindparams(_BEFORE)
FORGET_EVENTS: Final = text("delete from run_events where run_id = any(:ids)")

FORGET_ANSWERS: Final = text("""
with old as (
    select id from operations
    where created_at < case when kind like 'POST %' then cast(:answered_before as timestamp)
                            else cast(:before as timestamp) end
    limit :limit
    for update skip locked
)
delete from operations where id in (select id from old)
""").bindparams(_BEFORE, bindparam("answered_before", type_=UTCDateTime))

COUNT: Final = text("""
select (select count(*) from interrupts where state = 'open' and expires_at <= :now)
           as interrupts,
       (select count(distinct checkpoint_id) from interrupts i
        where state = 'open' and expires_at <= :now
          and exists (select from checkpoints c where c.thread_id = i.checkpoint_id))
           as checkpoints,
       (select count(*) from run_events e join runs r on r.id = e.run_id
        where r.ended_at < :before) as run_events,
       (select count(*) from usage_records
        where state = 'reserved' and created_at < :reserved_before) as reservations,
       (select count(*) from operations
        where created_at < case when kind like 'POST %' then cast(:answered_before as timestamp)
                                else cast(:before as timestamp) end) as answers
""").bindparams(
    _NOW,
    _BEFORE,
    bindparam("reserved_before", type_=UTCDateTime),
    bindparam("answered_before", type_=UTCDateTime),
)


@dataclass(frozen=True)
class Page:
    """Ids in their order, and those among them that can go."""

    ids: list[str]
    done_with: list[str]

    @property
    def last(self) -> str | None:
        """Return the id that the next page is behind, None at the end."""
        return self.ids[-1] if self.ids else None


@dataclass(frozen=True)
class Waste:
    """What may go but for checkpoints of ended or no runs: those are counted by their pages."""

    interrupts: int
    checkpoints: int
    run_events: int
    reservations: int
    answers: int


def take_turn(connection: Connection) -> bool:
    """Hold for this transaction what only one process may; False where another one does."""
    return bool(connection.scalar(TAKE_TURN, {"key": ADVISORY_KEY}))


def cancel_expired(connection: Connection, *, now: datetime, limit: int) -> tuple[int, int]:
    """Cancel at most `limit` questions whose time is over, and the runs that waited with them.

    Returns the numbers of questions, and of the checkpoints that went with them.
    """
    values = {"now": now, "limit": limit, "error": EXPIRED}
    asked = connection.execute(CANCEL_EXPIRED, values).scalars().all()
    gone = set(asked) - set(connection.scalars(NEEDED, {"ids": list(asked)}))
    return len(asked), delete_checkpoints(connection, gone)


def page_of_checkpoints(
    connection: Connection, *, after: str, ended_before: datetime, made_before: datetime, limit: int
) -> Page:
    """Return at most `limit` ids of checkpoints behind `after`, and which nobody will go on from.

    Those are of runs that ended before one moment, or of no run and made before the other.
    """
    values = {
        "after": after,
        "limit": limit,
        "ended_before": ended_before,
        "first_kept": _first_id(made_before),
    }
    rows = connection.execute(STORED, values).all()
    return Page([row[0] for row in rows], [row[0] for row in rows if row[1]])


def page_of_events(connection: Connection, *, after: str, before: datetime, limit: int) -> Page:
    """Return at most `limit` runs behind `after` that have events, and which ended before then."""
    values = {"after": after, "limit": limit, "before": before, "first_kept": _first_id(before)}
    rows = connection.execute(OLD_EVENTS, values).all()
    return Page([row[0] for row in rows], [row[0] for row in rows if row[1]])


def forget_events(connection: Connection, run_ids: list[str]) -> int:
    """Delete the events of these runs; return how many."""
    return connection.execute(FORGET_EVENTS, {"ids": run_ids}).rowcount if run_ids else 0


def release_reservations(connection: Connection, *, before: datetime, limit: int) -> int:
    """Give back at most `limit` reservations made before that moment; return how many.

    Their operations can still be settled: what they used counts then.
    """
    return int(connection.scalar(RELEASE_STALE, {"before": before, "limit": limit}) or 0)


def forget_answers(
    connection: Connection, *, answered_before: datetime, before: datetime, limit: int
) -> int:
    """Delete at most `limit` old operations; return how many.

    The answers to callers' keys are forgotten at one moment, the agent's own operations at another.
    """
    values = {"answered_before": answered_before, "before": before, "limit": limit}
    return connection.execute(FORGET_ANSWERS, values).rowcount


def count_waste(
    connection: Connection,
    *,
    now: datetime,
    before: datetime,
    reserved_before: datetime,
    answered_before: datetime,
) -> Waste:
    """Count what may go now, and touch nothing."""
    values = {
        "now": now,
        "before": before,
        "reserved_before": reserved_before,
        "answered_before": answered_before,
    }
    return Waste(*connection.execute(COUNT, values).one())


def _first_id(moment: datetime) -> str:
    """Return what no id of a run made before `moment` is greater than."""
    return f"run_{int(moment.timestamp() * 1000):012x}"
