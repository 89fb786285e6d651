"""What runs said: stored many at a time before anybody hears it, read again in order.

A batch goes to the driver in one statement of five arrays: this is on the way of every token.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Text, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.conversation_models import Run, RunEvent
from db.reads import Reads, execute, make_statement

NewEvent = tuple[str, int, str, str | dict[str, Any], datetime]
"""Run, number, type, data (JSON, or what becomes JSON) and moment (aware)."""

APPEND: Final = make_statement("""
insert into run_events (run_id, user_id, seq, type, data, created_at)
select run_id, (select user_id from runs where id = run_id), seq, type, data::json, created_at
from unnest(:run_ids::text[], :seqs::integer[], :types::text[], :data::text[],
            :moments::timestamp[])
     as new (run_id, seq, type, data, created_at)
on conflict do nothing
returning 1
""")


@dataclass(frozen=True)
class StoredEvent:
    """One event of a run as it was stored; `data` is its JSON text."""

    seq: int
    type: str
    data: str
    created_at: datetime


async def append_events(session: AsyncSession, rows: Sequence[NewEvent]) -> int:
    """Store events of any number of runs, and return how many were new.

    What is stored already under the same run and number stays as it is, so that a commit whose
    answer was lost can be repeated; fewer than `len(rows)` otherwise means that another process
    writes the same run. Raises IntegrityError where a run has gone.
    """
    if not rows:
        return 0
    return len(await execute(session, APPEND, _columns(rows)))


async def append_past(writes: Reads, rows: Sequence[NewEvent]) -> int:
    """Store events as `append_events` does, in a commit of their own that waits for no disk."""
    columns = _columns(rows)
    return len(await writes.write(APPEND, [columns[name] for name in APPEND.names]))


async def events_after(
    session: AsyncSession, *, user_id: str, run_id: str, seq: int, limit: int = 1000
) -> list[StoredEvent]:
    """Return at most `limit` events of this owner's run, in order, from behind number `seq`."""
    found = await session.execute(
        select(RunEvent.seq, RunEvent.type, cast(RunEvent.data, Text), RunEvent.created_at)
        .join(Run, Run.id == RunEvent.run_id)
        .where(Run.user_id == user_id, RunEvent.run_id == run_id, RunEvent.seq > seq)
        .order_by(RunEvent.seq)
        .limit(limit)
    )
    return [StoredEvent(*row) for row in found]


async def last_seq(session: AsyncSession, run_id: str) -> int:
    """Return the number of the run's last event, 0 where it has none."""
    last = await session.scalar(select(func.max(RunEvent.seq)).where(RunEvent.run_id == run_id))
    return last or 0


@dataclass(frozen=True)
class ToldBefore:
    """What a run told while another process had it: how often it began, where it goes on."""

    attempts: int
    next_seq: int


NOTHING_TOLD: Final = ToldBefore(attempts=0, next_seq=1)
LOST_AT_MOST: Final = 10_000
"""Events that a crash of PostgreSQL may have taken back after they were shown."""
TOLD_BEFORE: Final = text("""
select count(*) filter (where e.type = 'run_started') as attempts,
       coalesce(max(e.seq), 0) as last,
       pg_postmaster_start_time() at time zone 'UTC' > r.created_at as crashed
from runs r left join run_events e on e.run_id = r.id
where r.id = :run_id
group by r.created_at
""")


async def told_before(session: AsyncSession, run_id: str) -> ToldBefore:
    """Return where a run goes on that was begun elsewhere.

    Its numbers are those of nobody's events: where PostgreSQL has been started since the run began,
    the last of them may have been shown and lost, so there is a gap.
    """
    row = (await session.execute(TOLD_BEFORE, {"run_id": run_id})).one()
    return ToldBefore(row.attempts, row.last + 1 + (LOST_AT_MOST if row.crashed else 0))


def _columns(rows: Sequence[NewEvent]) -> dict[str, list[Any]]:
    return {
        "run_ids": [row[0] for row in rows],
        "seqs": [row[1] for row in rows],
        "types": [row[2] for row in rows],
        "data": [_json(row[3]) for row in rows],
        "moments": [row[4].astimezone(UTC).replace(tzinfo=None) for row in rows],
    }


def _json(data: str | dict[str, Any]) -> str:
    """Return `data` as JSON that PostgreSQL takes: a lone surrogate is written as an escape."""
    written = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    if written.isascii():
        return written
    try:
        written.encode()
    except UnicodeEncodeError:
        return json.dumps(json.loads(written))
    return written
