"""Budgets: reserved before, settled after, never above the limit, never counted twice."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from db.conversation_models import UsageDay
from db.engine import Sessions
from db.garbage import release_reservations
from db.usage import ModelDay, Usage
from tests.conversations import add_user
from tools import usage
from tools.context import ToolContext
from tools.errors import BudgetExceeded
from tools.usage import Budget

NOW = datetime(2026, 3, 1, 23, 59, 30, tzinfo=UTC)
TODAY = date(2026, 3, 1)
BUDGET = Budget(
    day_tokens=1_000,
    day_calls=10,
    run_tokens=400,
    run_calls=3,
    input_price=Decimal("0.15"),
    output_price=Decimal("0.60"),
)


async def reserve(
    sessions: Sessions, user_id: str, operation_id: str = "opr_1", **given: Any
) -> bool:
    values: dict[str, Any] = {
        "kind": "suggest_goals",
        "model": "m",
        "tokens": 400,
        "calls": 3,
        "day": TODAY,
        "limit_tokens": None,
        "limit_calls": None,
        "at": NOW,
    }
    async with sessions.begin() as session:
        return await Usage(session, user_id).reserve(operation_id, **{**values, **given})


async def settle(
    sessions: Sessions, user_id: str, operation_id: str = "opr_1", **given: Any
) -> bool:
    values: dict[str, Any] = {
        "input_tokens": 100,
        "output_tokens": 50,
        "calls": 1,
        "cost": Decimal("0.001"),
        "at": NOW,
    }
    async with sessions.begin() as session:
        return await Usage(session, user_id).settle(operation_id, **{**values, **given})


async def counter(sessions: Sessions, user_id: str, day: date = TODAY) -> tuple[int, ...] | None:
    """Return what is reserved and used of a day: tokens, tokens, calls, calls."""
    async with sessions() as session:
        found: UsageDay | None = await Usage(session, user_id).today(day)
    if found is None:
        return None
    return found.reserved_tokens, found.used_tokens, found.reserved_calls, found.calls


async def days(sessions: Sessions, user_id: str) -> Sequence[ModelDay]:
    async with sessions() as session:
        return await Usage(session, user_id).days(TODAY, TODAY)


async def test_a_hundred_reservations_at_once_and_room_for_one(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")

    passed = await asyncio.gather(
        *(reserve(sessions, ana, f"opr_{number}", limit_tokens=799) for number in range(100))
    )

    assert passed.count(True) == 1
    assert await counter(sessions, ana) == (400, 0, 3, 0)


async def test_a_hundred_reservations_of_one_operation_are_one(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")

    passed = await asyncio.gather(*(reserve(sessions, ana, limit_tokens=400) for _ in range(100)))

    assert all(passed)
    assert await counter(sessions, ana) == (400, 0, 3, 0)


@pytest.mark.parametrize(
    ("limits", "counted"),
    [
        ({}, (400, 0, 3, 0)),
        ({"limit_tokens": 400, "limit_calls": 3}, (400, 0, 3, 0)),
        ({"limit_tokens": 2**40, "limit_calls": 2**40}, (400, 0, 3, 0)),
        ({"limit_tokens": 399}, None),
        ({"limit_calls": 2}, None),
        ({"limit_tokens": 0}, None),
    ],
)
async def test_the_first_reservation_of_a_day_keeps_to_the_limits_too(
    sessions: Sessions, limits: dict[str, Any], counted: tuple[int, ...] | None
) -> None:
    ana = await add_user(sessions, "ana")

    passed = await reserve(sessions, ana, **limits)

    assert passed is (counted is not None)
    assert await counter(sessions, ana) == counted


async def test_what_is_used_counts_against_the_limit_as_what_is_reserved_does(
    sessions: Sessions,
) -> None:
    ana = await add_user(sessions, "ana")
    await reserve(sessions, ana)
    await settle(sessions, ana, input_tokens=300, output_tokens=301, calls=8)

    by_tokens = await reserve(sessions, ana, "opr_2", limit_tokens=1_000)
    by_calls = await reserve(sessions, ana, "opr_3", limit_calls=10)
    within = await reserve(sessions, ana, "opr_4", limit_tokens=1_001, limit_calls=11)

    assert (by_tokens, by_calls, within) == (False, False, True)
    assert await counter(sessions, ana) == (400, 601, 3, 8)


async def test_what_was_refused_can_be_reserved_later(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    await reserve(sessions, ana, "opr_big")

    refused = await reserve(sessions, ana, limit_tokens=400)
    async with sessions.begin() as session:
        released = await Usage(session, ana).release("opr_big")
    later = await reserve(sessions, ana, limit_tokens=400)

    assert (refused, released, later) == (False, True, True)
    assert await counter(sessions, ana) == (400, 0, 3, 0)


async def test_a_settlement_takes_the_place_of_the_reservation_once(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    await reserve(sessions, ana)

    settled = await asyncio.gather(*(settle(sessions, ana) for _ in range(10)))

    assert settled.count(True) == 1
    assert await counter(sessions, ana) == (0, 150, 0, 1)
    assert await days(sessions, ana) == [ModelDay(TODAY, "m", 100, 50, 1, Decimal("0.001"))]


async def test_what_nobody_reserved_is_counted_all_the_same_and_once(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")

    first = await settle(sessions, ana, kind="chat", model="n")
    second = await settle(sessions, ana, kind="chat", model="n")

    assert (first, second) == (True, False)
    assert await counter(sessions, ana) == (0, 150, 0, 1)
    assert [row.model for row in await days(sessions, ana)] == ["n"]


async def test_a_settlement_counts_for_the_day_of_the_reservation(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    await reserve(sessions, ana)

    await settle(sessions, ana, at=NOW + timedelta(hours=1))

    assert await counter(sessions, ana) == (0, 150, 0, 1)
    assert await counter(sessions, ana, TODAY + timedelta(days=1)) is None


async def test_an_operation_that_is_asked_for_again_adds_up(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    for _ in range(2):
        assert await reserve(sessions, ana)
        assert await settle(sessions, ana)

    assert await counter(sessions, ana) == (0, 300, 0, 2)
    assert await days(sessions, ana) == [ModelDay(TODAY, "m", 200, 100, 2, Decimal("0.002"))]


async def test_a_reservation_that_stands_too_long_is_given_back_and_can_still_be_settled(
    sessions: Sessions,
) -> None:
    ana, bruno = await add_user(sessions, "ana"), await add_user(sessions, "bruno")
    for user_id in (ana, bruno):
        for number in range(2):
            await reserve(sessions, user_id, f"{user_id}_{number}")
    await reserve(sessions, ana, "opr_young", at=NOW + timedelta(minutes=30))

    async with sessions.begin() as session:
        connection = await session.connection()
        released = await connection.run_sync(
            release_reservations, before=NOW + timedelta(minutes=1), limit=1_000
        )
    given_back = await counter(sessions, ana)
    await settle(sessions, ana, f"{ana}_0")

    assert released == 4
    assert given_back == (400, 0, 3, 0)
    assert await counter(sessions, ana) == (400, 150, 3, 1)
    assert await counter(sessions, bruno) == (0, 0, 0, 0)


async def test_another_users_operation_is_neither_settled_nor_given_back(
    sessions: Sessions,
) -> None:
    ana, bruno = await add_user(sessions, "ana"), await add_user(sessions, "bruno")
    await reserve(sessions, ana)

    async with sessions.begin() as session:
        released = await Usage(session, bruno).release("opr_1")
    settled = await settle(sessions, bruno)

    assert (released, settled) == (False, False)
    assert await counter(sessions, ana) == (400, 0, 3, 0)
    assert await counter(sessions, bruno) is None


@pytest.mark.parametrize(
    ("costs", "total"),
    [
        (["0.1", "0.2"], Decimal("0.3")),
        (["0.1", None], None),
        ([None, "0.1"], None),
        ([None, None], None),
    ],
)
async def test_a_cost_is_unknown_as_soon_as_a_part_of_it_is(
    sessions: Sessions, costs: list[str | None], total: Decimal | None
) -> None:
    ana, bruno = await add_user(sessions, "ana"), await add_user(sessions, "bruno")
    for number, cost in enumerate(costs):
        value = None if cost is None else Decimal(cost)
        await settle(sessions, ana, f"opr_{number}", cost=value)
        await reserve(sessions, bruno, "opr_b")
        await settle(sessions, bruno, "opr_b", cost=value)
    await settle(sessions, ana, "opr_n", input_tokens=0, output_tokens=0, calls=0, cost=None)

    assert [row.cost for row in await days(sessions, ana)] == [total]
    assert [row.cost for row in await days(sessions, bruno)] == [total]


@pytest.mark.parametrize(
    ("prices", "used", "cost"),
    [
        (("0.15", "0.60"), (1_000_000, 500_000, 3), Decimal("0.45")),
        (("0", "0"), (1_000, 500, 1), Decimal(0)),
        ((None, "0.60"), (1_000, 500, 1), None),
        (("0.15", None), (1_000, 500, 1), None),
        ((None, None), (0, 0, 0), Decimal(0)),
        (("0.15", "0.60"), (0, 0, 1), None),
    ],
)
def test_a_cost_is_of_known_prices_and_counted_tokens_only(
    prices: tuple[str | None, str | None], used: tuple[int, int, int], cost: Decimal | None
) -> None:
    input_price, output_price = (None if price is None else Decimal(price) for price in prices)
    budget = Budget(None, None, 1, 1, input_price, output_price)
    input_tokens, output_tokens, calls = used

    found = budget.cost(input_tokens=input_tokens, output_tokens=output_tokens, calls=calls)

    assert found == cost


async def test_the_verbs_reserve_settle_and_say_when_there_is_a_budget_again(
    sessions: Sessions,
) -> None:
    ana = await add_user(sessions, "ana")

    def tools(session: Any) -> ToolContext:
        return cast(ToolContext, SimpleNamespace(session=session, user_id=ana, now=NOW))

    async with sessions.begin() as session:
        for number in range(2):
            await usage.reserve(
                tools(session), BUDGET, operation_id=f"opr_{number}", kind="chat", model="m"
            )
        await usage.settle(
            tools(session),
            BUDGET,
            operation_id="opr_0",
            input_tokens=200,
            output_tokens=300,
            calls=2,
        )
        with pytest.raises(BudgetExceeded) as raised:
            await usage.reserve(
                tools(session), BUDGET, operation_id="opr_2", kind="chat", model="m"
            )
        shown = await usage.read_usage(tools(session), BUDGET, days=30)

    assert (raised.value.code, raised.value.status) == ("BUDGET_EXCEEDED", 429)
    assert raised.value.retry_after == 30
    assert shown.tokens.model_dump() == {
        "used": 500,
        "reserved": 400,
        "limit": 1_000,
        "remaining": 100,
    }
    assert shown.calls.model_dump() == {"used": 2, "reserved": 3, "limit": 10, "remaining": 5}
    assert shown.resets_at == datetime(2026, 3, 2, tzinfo=UTC)
    assert shown.total.cost == Decimal("0.00021")
    assert [(day.day, day.calls) for day in shown.days] == [(TODAY, 2)]
    assert [(named.model, named.output_tokens) for named in shown.models] == [("m", 300)]


async def test_what_is_reserved_in_a_transaction_is_undone_with_it(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    values: dict[str, Any] = {
        "kind": "suggest_goals",
        "model": "m",
        "tokens": 400,
        "calls": 3,
        "day": TODAY,
        "limit_tokens": None,
        "limit_calls": None,
        "at": NOW,
    }

    async with sessions() as session:
        await session.connection()
        assert await Usage(session, ana).reserve("opr_1", **values)
        assert not await Usage(session, ana).reserve("opr_2", **{**values, "limit_tokens": 799})
        await session.rollback()

    assert await counter(sessions, ana) is None


async def test_what_there_is_no_room_for_leaves_nothing_behind(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")

    reserved = await reserve(sessions, ana, limit_tokens=399)

    assert not reserved
    async with sessions() as session:
        assert await session.scalar(text("select count(*) from usage_records")) == 0
