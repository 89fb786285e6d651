"""What models may cost a user: reserved before the calls, settled after them, and read again.

Nothing is ever above a limit that was not reserved below it: a run reserves the most that it may
take, and gives back what it did not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from db.usage import ModelDay, Usage, utc_day
from tools.context import ToolContext
from tools.errors import BudgetExceeded

TOKENS_OF_A_PRICE: Final = 1_000_000


@dataclass(frozen=True)
class Budget:
    """The most that models may take of a user's UTC day and of one run; None is no limit.

    Prices are in USD for a million tokens, None where they are not known.
    """

    day_tokens: int | None
    day_calls: int | None
    run_tokens: int
    run_calls: int
    input_price: Decimal | None
    output_price: Decimal | None

    def cost(self, *, input_tokens: int, output_tokens: int, calls: int) -> Decimal | None:
        """Return what this costs in USD; None where a price is not known, or what was counted.

        A call without a token is one whose server does not count them.
        """
        if not input_tokens + output_tokens:
            return None if calls else Decimal(0)
        if self.input_price is None or self.output_price is None:
            return None
        cost = input_tokens * self.input_price + output_tokens * self.output_price
        return cost / TOKENS_OF_A_PRICE


class Meter(BaseModel):
    """What of a day's limit is used, reserved by what runs now, and left; no limit is null."""

    model_config = ConfigDict(frozen=True)

    used: int
    reserved: int
    limit: int | None
    remaining: int | None


class ModelUse(BaseModel):
    """What was asked of a model; `cost` is in USD, null where a part of it is not known."""

    model_config = ConfigDict(frozen=True)

    input_tokens: int
    output_tokens: int
    calls: int
    cost: Decimal | None = Field(description="USD; null where a price or a count is not known")


class DayUse(ModelUse):
    """What was asked on one UTC day."""

    day: date


class NamedUse(ModelUse):
    """What was asked of one model, null where it has no name."""

    model: str | None


class UsageOut(BaseModel):
    """Today's budget, and what the models did: in all, by day and by model."""

    model_config = ConfigDict(frozen=True)

    day: date
    resets_at: datetime
    tokens: Meter
    calls: Meter
    since: date
    total: ModelUse
    days: list[DayUse]
    models: list[NamedUse]


async def reserve(
    tools: ToolContext, budget: Budget, *, operation_id: str, kind: str, model: str | None
) -> None:
    """Reserve what one run may take of today's budget; the same operation reserves once.

    Raises BudgetExceeded where the day has less left. Until the transaction ends, the user's other
    reservations wait: it is to be short.
    """
    reserved = await Usage(tools.session, tools.user_id).reserve(
        operation_id,
        kind=kind,
        model=model,
        tokens=budget.run_tokens,
        calls=budget.run_calls,
        day=utc_day(tools.now),
        limit_tokens=budget.day_tokens,
        limit_calls=budget.day_calls,
        at=tools.now,
    )
    if not reserved:
        raise budget_exceeded(tools.now)


async def settle(
    tools: ToolContext,
    budget: Budget,
    *,
    operation_id: str,
    input_tokens: int,
    output_tokens: int,
    calls: int,
    kind: str = "other",
    model: str | None = None,
) -> None:
    """Count what a run took in place of what it reserved; a second time changes nothing.

    `kind` and `model` are for what was not reserved.
    """
    await Usage(tools.session, tools.user_id).settle_later(
        operation_id,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        calls=calls,
        cost=budget.cost(input_tokens=input_tokens, output_tokens=output_tokens, calls=calls),
        at=tools.now,
        kind=kind,
        model=model,
    )


async def release(tools: ToolContext, *, operation_id: str) -> None:
    """Give back what a run reserved and asked nothing for."""
    await Usage(tools.session, tools.user_id).release(operation_id)


async def read_usage(tools: ToolContext, budget: Budget, *, days: int) -> UsageOut:
    """Return today's budget and what the models did in the last `days` UTC days, today among them.

    A cost is None as soon as one part of its sum is not known. A run that was asked for again
    counts, by day and model, on the day it was asked for last.
    """
    today = utc_day(tools.now)
    since = today - timedelta(days=days - 1)
    usage = Usage(tools.session, tools.user_id)
    counter = await usage.today(today)
    found = await usage.days(since, today)
    return UsageOut(
        day=today,
        resets_at=_next_day(tools.now),
        tokens=_meter(
            used=counter.used_tokens if counter else 0,
            reserved=counter.reserved_tokens if counter else 0,
            limit=budget.day_tokens,
        ),
        calls=_meter(
            used=counter.calls if counter else 0,
            reserved=counter.reserved_calls if counter else 0,
            limit=budget.day_calls,
        ),
        since=since,
        total=_sum(found),
        days=[
            DayUse(day=day, **_sum(row for row in found if row.day == day).model_dump())
            for day in dict.fromkeys(row.day for row in found)
        ],
        models=[
            NamedUse(model=model, **_sum(row for row in found if row.model == model).model_dump())
            for model in dict.fromkeys(row.model for row in found)
        ],
    )


def budget_exceeded(now: datetime) -> BudgetExceeded:
    """Return the error for a day that has nothing left, and count it."""
    from tools.metrics import count_refusal

    count_refusal("day")
    wait = _next_day(now) - now
    return BudgetExceeded(
        "what models may take for you today is used up or reserved; it begins anew at 00:00 UTC",
        retry_after=max(1, -(-wait // timedelta(seconds=1))),
    )


def _next_day(now: datetime) -> datetime:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=1)


def _meter(*, used: int, reserved: int, limit: int | None) -> Meter:
    remaining = None if limit is None else max(0, limit - used - reserved)
    return Meter(used=used, reserved=reserved, limit=limit, remaining=remaining)


def _sum(rows: Iterable[ModelDay]) -> ModelUse:
    kept = list(rows)
    costs = [row.cost for row in kept]
    known = [cost for cost in costs if cost is not None]
    return ModelUse(
        input_tokens=sum(row.input_tokens for row in kept),
        output_tokens=sum(row.output_tokens for row in kept),
        calls=sum(row.calls for row in kept),
        cost=sum(known, Decimal(0)) if len(known) == len(costs) else None,
    )
