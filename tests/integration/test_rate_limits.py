"""Limits by user: what passes, what is told, and what happens when nobody can count."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from sqlalchemy import text

from api.app import create_app
from api.gc import collect
from api.identity_metrics import IDENTITY
from api.rate_limits import RateLimits, make_limit, seconds_until_one
from api.rate_storage import PostgresStorage
from api.routes.auth import network_of
from db.base import utc_now
from db.engine import Sessions, make_engine, make_sessions
from tests.database import connect
from tests.service import Learner, Service
from tools.errors import SetupError


def make_rates(
    sessions: Sessions,
    *,
    requests: str = "none",
    models: str = "none",
    sign_in: str = "none",
    clock: Callable[[], float] = time.monotonic,
    patience: float = 60.0,
) -> RateLimits:
    """Return limits that a busy machine does not lift by being slow."""
    return RateLimits(
        sessions,
        requests=requests,
        models=models,
        sign_in=sign_in,
        clock=clock,
        patience=patience,
    )


def limited(service: Service, rates: RateLimits) -> Service:
    """Return the service with these limits, as one more process of it would have them."""
    services = replace(service.services, rates=rates)
    return Service(create_app(services), services)


def counted(name: str) -> float:
    return IDENTITY.get_sample_value(name) or 0.0


async def granted(rates: RateLimits, who: str, *, times: int) -> int:
    """Ask `times` times, eight at once; return how often it was granted."""
    answers = []
    for _ in range(times // 8):
        answers += await asyncio.gather(*(rates.take("requests", who) for _ in range(8)))
    return sum(taken is not None and taken.is_granted for taken in answers)


@contextlib.contextmanager
def locked(url: str) -> Iterator[None]:
    """Keep everybody from counting while the block runs."""
    with connect(url) as connection, connection.transaction():
        connection.execute("lock table rate_windows in access exclusive mode")
        yield


async def test_one_too_many_is_429_and_says_when_to_come_back(
    ana: Learner, bruno: Learner, service: Service
) -> None:
    strict = limited(service, make_rates(service.services.sessions, requests="3/hour"))

    async with strict.client(ana.token) as client:
        answers = [await client.get("/v1/goals") for _ in range(3)]
        answers += [await client.get("/v1/goals/missing"), await client.post("/v1/goals")]
    async with strict.client(bruno.token) as client:
        other = await client.get("/v1/goals/missing")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "RATE_LIMITED"
    assert 0 < int(refused.headers["retry-after"]) <= 2 * 3_600
    assert refused.headers["ratelimit-policy"] == '"requests";q=3;w=3600'
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert answers[0].headers["ratelimit"].startswith('"requests";r=2;t=')
    assert other.status_code == 404
    assert other.headers["ratelimit"].startswith('"requests";r=2;t=')


async def test_what_asks_a_model_has_a_limit_of_its_own(ana: Learner, service: Service) -> None:
    rates = make_rates(service.services.sessions, requests="100/hour", models="2/hour")
    strict = limited(service, rates)

    async with strict.client(ana.token) as client:
        for _ in range(2):
            await client.post("/v1/goals/suggest", json={"wish": "x"})
        chat = await client.post("/v1/chat/completions", json={"messages": []})
        plain = await client.get("/v1/goals")

    assert (chat.status_code, chat.json()["code"]) == (429, "RATE_LIMITED")
    assert chat.json()["error"]["code"] == "RATE_LIMITED"
    assert chat.headers["ratelimit-policy"] == ('"requests";q=100;w=3600, "models";q=2;w=3600')
    assert plain.status_code == 200


async def test_a_token_that_is_not_good_is_not_counted(service: Service) -> None:
    strict = limited(service, make_rates(service.services.sessions, requests="1/hour"))

    async with strict.client("nonsense") as client:
        answers = [await client.get("/v1/goals") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert await service.count("select count(*) from rate_windows") == 0


async def test_two_processes_together_grant_the_limit_and_never_more(
    service: Service, database_url: str
) -> None:
    engine = make_engine(database_url)
    one = make_rates(service.services.sessions, requests="1000/hour")
    other = make_rates(make_sessions(engine), requests="1000/hour")

    passed = [0, 0]
    for _ in range(1_200 // 8):
        now = await asyncio.gather(granted(one, "ana", times=8), granted(other, "ana", times=8))
        passed = [before + more for before, more in zip(passed, now, strict=True)]
    await engine.dispose()

    assert 1_000 - 20 <= sum(passed) <= 1_000
    assert min(passed) > 0


async def test_most_requests_ask_nobody(service: Service) -> None:
    asked = 0

    @dataclass
    class Counting:
        def __call__(self) -> object:
            nonlocal asked
            asked += 1
            return service.services.sessions()

    rates = make_rates(Counting(), requests="1000/hour")  # type: ignore[arg-type]  # all that is asked of a factory
    await granted(rates, "ana", times=400)
    while_there_is_some = asked
    await granted(rates, "ana", times=800)
    spent = asked
    refused = await granted(rates, "ana", times=400)

    assert while_there_is_some < 400 / 20 + 8
    assert (refused, asked) == (0, spent)


async def test_where_nobody_can_count_everything_passes_and_somebody_hears_of_it(
    ana: Learner, service: Service, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    rates = make_rates(
        service.services.sessions, requests="1/hour", clock=lambda: 0.0, patience=0.25
    )
    strict = limited(service, rates)
    failures = counted("goals_rate_limit_store_failures_total")

    async with strict.client(ana.token) as client:
        with caplog.at_level(logging.WARNING), locked(database_url):
            answers = [await client.get("/v1/goals") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 5
    assert "ratelimit" not in answers[0].headers
    assert counted("goals_rate_limit_store_failures_total") == failures + 1
    assert len([said for said in caplog.messages if "rate limits cannot be counted" in said]) == 1


async def test_a_table_that_is_gone_limits_nobody_and_counting_begins_again_by_itself(
    service: Service,
) -> None:
    now = 1_000.0
    rates = make_rates(service.services.sessions, requests="1/hour", clock=lambda: now)
    async with service.services.system.begin() as session:
        await session.execute(text("alter table rate_windows rename to hidden"))

    away = [await rates.take("requests", "ana") for _ in range(3)]
    async with service.services.system.begin() as session:
        await session.execute(text("alter table hidden rename to rate_windows"))
    still_away = await rates.take("requests", "ana")
    now += 5
    back = [await rates.take("requests", "ana") for _ in range(2)]

    assert [*away, still_away] == [None] * 4
    assert [taken is not None and taken.is_granted for taken in back] == [True, False]


async def test_the_count_slides_from_one_window_into_the_next(sessions: Sessions) -> None:
    limiter = SlidingWindowCounterRateLimiter(PostgresStorage(sessions))
    item = RateLimitItemPerMinute(10)
    await limiter.hit(item, "ana", cost=10)

    async with sessions.begin() as session:
        await session.execute(text("update rate_windows set number = number - 1"))
    stats = await limiter.get_window_stats(item, "ana")
    previous, left, current, _ = await limiter.storage.get_sliding_window(  # type: ignore[attr-defined]  # ours has it
        item.key_for("ana"), 60
    )
    free = 10 - int(previous * left / 60)
    too_much = await limiter.hit(item, "ana", cost=free + 2)

    assert (previous, current) == (10, 0)
    assert abs(stats.remaining - free) <= 1
    assert not too_much
    async with sessions.begin() as session:
        await session.execute(text("update rate_windows set number = number - 2"))
    assert await limiter.hit(item, "ana", cost=10)
    assert not await limiter.hit(item, "ana")


async def test_the_storage_does_all_that_the_library_asks_of_one(sessions: Sessions) -> None:
    storage = PostgresStorage(sessions)

    assert await storage.check()
    assert [await storage.incr("a", 60), await storage.incr("a", 60, amount=2)] == [1, 3]
    assert (await storage.get("a"), await storage.get("b")) == (3, 0)
    assert await storage.get_expiry("a") > 1_700_000_000
    assert not await storage.acquire_sliding_window_entry("c", 3, 60, amount=4)
    await storage.clear("a")
    assert await storage.get("a") == 0
    await storage.incr("b", 60)
    await storage.reset()
    assert await storage.get("b") == 0


async def test_however_many_ask_a_process_remembers_a_bounded_number_and_never_grants_more(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.rate_limits.MAX_KEYS", 20)
    rates = make_rates(sessions, requests="5/hour")
    for number in range(100):
        await rates.take("requests", f"user {number}")

    passed = await granted(rates, "user 0", times=8)

    assert passed == 4
    assert len(vars(rates)["_held"]) <= 20


async def test_old_counts_are_swept_away_and_present_ones_stay(
    service: Service, database_url: str
) -> None:
    rates = make_rates(service.services.sessions, requests="10/minute")
    for who in ("ana", "bruno"):
        await rates.take("requests", who)
    with psycopg.connect(
        database_url.replace("postgresql+psycopg", "postgresql"), autocommit=True
    ) as connection:
        connection.execute(
            "update rate_windows set number = number - 3"
            " where key = (select min(key) from rate_windows)"
        )

    await asyncio.to_thread(collect, database_url, now=utc_now())

    assert await service.count("select count(*) from rate_windows") == 1


@pytest.mark.parametrize("wrong", ["", "ten", "0/minute", "-1/minute", "10", "10/never"])
def test_a_limit_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(SetupError, match="GOALS_RATE_"):
        make_limit("requests", wrong)


def test_none_is_no_limit() -> None:
    assert make_limit("requests", "none") is None


@given(
    amount=st.integers(1, 2_000),
    seconds=st.integers(1, 3_600),
    previous=st.integers(0, 2_000),
    current=st.integers(0, 2_000),
    passed=st.floats(0, 0.999),
)
@settings(max_examples=300)
def test_who_waits_as_long_as_told_gets_one(
    amount: int, seconds: int, previous: int, current: int, passed: float
) -> None:
    current, left = min(current, amount), seconds * (1 - passed)
    if previous * left // seconds + current < amount:
        return

    wait = seconds_until_one(amount, seconds, previous=previous, current=current, left=left)

    if wait < left:
        count = previous * (left - wait) // seconds + current
    else:
        count = current * max(0.0, left + seconds - wait) // seconds
    assert count < amount
    assert wait <= 2 * seconds + 0.02


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_client_is_an_address_or_its_network(address: str, expected: str) -> None:
    assert network_of(address) == expected
