"""What models cost one owner: reserved before the calls, settled after them, never above a limit.

A reservation and its settlement are one statement each. Both take the operation's row first, then
the day's counter; where two meet, the second waits there for the transaction of the first and
counts with what it left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, NotRequired, TypedDict, Unpack

import psycopg
from sqlalchemy import BigInteger, Date, String, bindparam, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import UTCDateTime
from db.conversation_models import UsageDay
from db.reads import execute, execute_later, is_past, make_statement, write

_MOMENT: Final = bindparam("at", type_=UTCDateTime)
_DAY: Final = bindparam("day", type_=Date)

# The operation's row comes first: its key makes a second reservation of the same one wait. The
# counter's condition is judged on what is committed then, not on what the statement began with.
_RESERVE: Final = """
with recorded as (
    insert into usage_records as r
           (id, user_id, kind, model, reserved_tokens, reserved_calls, state, created_at, day)
    values (cast(:id as text), cast(:user_id as text), :kind, :model, :tokens, :calls, 'reserved',
            :at, :day)
    on conflict (id) do update
    set kind = excluded.kind, model = excluded.model, state = 'reserved',
        reserved_tokens = excluded.reserved_tokens, reserved_calls = excluded.reserved_calls,
        created_at = excluded.created_at, settled_at = null, day = excluded.day
    where r.state <> 'reserved' and r.user_id = excluded.user_id
    returning 1
), counted as (
    insert into usage_days as d (user_id, day, reserved_tokens, reserved_calls)
    select cast(:user_id as text), :day, :tokens, :calls from recorded
    where (cast(:limit_tokens as bigint) is null or :tokens <= cast(:limit_tokens as bigint))
      and (cast(:limit_calls as bigint) is null or :calls <= cast(:limit_calls as bigint))
    on conflict (user_id, day) do update
    set reserved_tokens = d.reserved_tokens + excluded.reserved_tokens,
        reserved_calls = d.reserved_calls + excluded.reserved_calls
    where (cast(:limit_tokens as bigint) is null
           or d.used_tokens + d.reserved_tokens + excluded.reserved_tokens
              <= cast(:limit_tokens as bigint))
      and (cast(:limit_calls as bigint) is null
           or d.calls + d.reserved_calls + excluded.reserved_calls
              <= cast(:limit_calls as bigint))
    returning 1
)
"""
_TELL: Final = """
select exists (select from recorded) as recorded, exists (select from counted) as counted
"""
# Alone it is a transaction of its own, which a division by zero undoes: recorded but not counted.
_OR_FAIL: Final = """
select 1 / (exists (select from counted) or not exists (select from recorded))::integer
"""
RESERVE_OR_FAIL: Final = make_statement(_RESERVE + _OR_FAIL)
RESERVE: Final = text(_RESERVE + _TELL).bindparams(
    _MOMENT,
    _DAY,
    bindparam("model", type_=String),
    bindparam("limit_tokens", type_=BigInteger),
    bindparam("limit_calls", type_=BigInteger),
)

TAKE_BACK: Final = text("""
update usage_records
set state = 'released', reserved_tokens = 0, reserved_calls = 0
where id = :id and user_id = :user_id and state = 'reserved'
""")

# What was used adds up over the reservations of one operation. The cost is known as long as each
# of its parts is; a part in which no model was asked has none.
SETTLE: Final = make_statement("""
with settled as (
    insert into usage_records as r
           (id, user_id, kind, model, input_tokens, output_tokens, calls, cost,
            state, created_at, settled_at, day)
    values (:id::text, :user_id::text, :kind, :model, :input_tokens::integer,
            :output_tokens::integer, :calls::integer, :cost, 'settled', :at, :at, :day)
    on conflict (id) do update
    set model = coalesce(excluded.model, r.model),
        input_tokens = r.input_tokens + excluded.input_tokens,
        output_tokens = r.output_tokens + excluded.output_tokens,
        calls = r.calls + excluded.calls,
        cost = case when excluded.calls = 0 and excluded.input_tokens + excluded.output_tokens = 0
                    then r.cost
                    when r.calls = 0 and r.input_tokens + r.output_tokens = 0
                    then excluded.cost
                    else r.cost + excluded.cost end,
        state = 'settled', settled_at = excluded.settled_at
    where r.state <> 'settled' and r.user_id = excluded.user_id
    returning reserved_tokens, reserved_calls, day
), moved as (
    insert into usage_days as d
           (user_id, day, reserved_tokens, used_tokens, reserved_calls, calls)
    select :user_id::text, day, -reserved_tokens, :input_tokens::integer + :output_tokens::integer,
           -reserved_calls, :calls::integer
    from settled
    on conflict (user_id, day) do update
    set reserved_tokens = d.reserved_tokens + excluded.reserved_tokens,
        used_tokens = d.used_tokens + excluded.used_tokens,
        reserved_calls = d.reserved_calls + excluded.reserved_calls,
        calls = d.calls + excluded.calls
)
select exists (select from settled)
""")

_GIVE_BACK: Final = """
), taken as (
    update usage_records r
    set state = 'released', reserved_tokens = 0, reserved_calls = 0
    from held where r.id = held.id
), owed as (
    select user_id, day, sum(reserved_tokens) as tokens, sum(reserved_calls) as calls
    from held group by user_id, day
), days as (
    select d.user_id, d.day, owed.tokens, owed.calls
    from usage_days d join owed using (user_id, day)
    order by d.user_id, d.day
    for update of d
), given_back as (
    update usage_days d
    set reserved_tokens = d.reserved_tokens - days.tokens,
        reserved_calls = d.reserved_calls - days.calls
    from days where d.user_id = days.user_id and d.day = days.day
)
select count(*) from held
"""
_HELD_BY_OPERATION: Final = """
with held as (
    select id, user_id, day, reserved_tokens, reserved_calls from usage_records
    where id = :id and user_id = :user_id and state = 'reserved'
    for update
"""
_HELD_TOO_LONG: Final = """
with held as (
    select id, user_id, day, reserved_tokens, reserved_calls from usage_records
    where state = 'reserved' and created_at < :before
    order by created_at
    limit :limit
    for update skip locked
"""
RELEASE: Final = text(_HELD_BY_OPERATION + _GIVE_BACK)
RELEASE_STALE: Final = text(_HELD_TOO_LONG + _GIVE_BACK).bindparams(
    bindparam("before", type_=UTCDateTime)
)

BY_DAY_AND_MODEL: Final = text("""
select day, model,
       sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
       sum(calls) as calls,
       case when bool_and(cost is not null) then sum(cost) end as cost
from usage_records
where user_id = :user_id and day between :since and :until
  and (calls > 0 or input_tokens + output_tokens > 0)
group by day, model
order by day desc, model nulls last
""").bindparams(bindparam("since", type_=Date), bindparam("until", type_=Date))


@dataclass(frozen=True)
class ModelDay:
    """What one model did on one UTC day; `cost` is in USD, None where a part of it is not known."""

    day: date
    model: str | None
    input_tokens: int
    output_tokens: int
    calls: int
    cost: Decimal | None


class Used(TypedDict):
    """What a run took; `at` is the moment, `kind` and `model` are for what was not reserved."""

    input_tokens: int
    output_tokens: int
    calls: int
    cost: Decimal | None
    at: datetime
    kind: NotRequired[str]
    model: NotRequired[str | None]


class Usage:
    """What models cost one owner."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def reserve(
        self,
        operation_id: str,
        *,
        kind: str,
        model: str | None,
        tokens: int,
        calls: int,
        day: date,
        limit_tokens: int | None,
        limit_calls: int | None,
        at: datetime,
    ) -> bool:
        """Reserve tokens and calls of that UTC day; False where the day's limits leave no room.

        An operation that is reserved already keeps its reservation, and gets no second one.
        """
        values = {
            "id": operation_id,
            "user_id": self._user_id,
            "kind": kind,
            "model": model,
            "tokens": tokens,
            "calls": calls,
            "day": day,
            "limit_tokens": limit_tokens,
            "limit_calls": limit_calls,
            "at": at,
        }
        if is_past(self._session):
            return await self._reserve_past(values)
        recorded, counted = (await self._session.execute(RESERVE, values)).one()
        if counted or not recorded:
            return True
        await self._session.execute(TAKE_BACK, {"id": operation_id, "user_id": self._user_id})
        return False

    async def _reserve_past(self, values: dict[str, Any]) -> bool:
        try:
            await write(self._session, RESERVE_OR_FAIL, {**values, "at": _naive(values["at"])})
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.DivisionByZero):
                return False
            raise
        return True

    async def settle(self, operation_id: str, **used: Unpack[Used]) -> bool:
        """Count what was used in place of what was reserved; False where that was done before.

        It counts for the day of the reservation, else for that of `at`; `kind` is taken where
        nothing was reserved. `cost` is in USD, None where a price is not known.
        """
        [(settled,)] = await execute(self._session, SETTLE, self._settlement(operation_id, used))
        return bool(settled)

    async def settle_later(self, operation_id: str, **used: Unpack[Used]) -> None:
        """Do what `settle` does, with the transaction's next statement or its COMMIT."""
        await execute_later(self._session, SETTLE, self._settlement(operation_id, used))

    def _settlement(self, operation_id: str, used: Used) -> dict[str, Any]:
        return {
            "kind": "other",
            "model": None,
            **used,
            "id": operation_id,
            "user_id": self._user_id,
            "day": utc_day(used["at"]),
            "at": _naive(used["at"]),
        }

    async def release(self, operation_id: str) -> bool:
        """Give back what is reserved and was not used; False where nothing is."""
        values = {"id": operation_id, "user_id": self._user_id}
        return bool(await self._session.scalar(RELEASE, values))

    async def today(self, day: date) -> UsageDay | None:
        """Return the counter of a UTC day as it is now, None where nothing was reserved or used."""
        return await self._session.scalar(
            select(UsageDay).where(UsageDay.user_id == self._user_id, UsageDay.day == day),
            execution_options={"populate_existing": True},
        )

    async def days(self, since: date, until: date) -> Sequence[ModelDay]:
        """Return what each model did on each day between them, both included, newest first."""
        values = {"user_id": self._user_id, "since": since, "until": until}
        return [
            ModelDay(**row)
            for row in (await self._session.execute(BY_DAY_AND_MODEL, values)).mappings()
        ]


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def utc_day(moment: datetime) -> date:
    """Return the UTC day of an aware moment."""
    return moment.astimezone(UTC).date()
