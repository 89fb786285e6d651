"""The client of the users' service against the stub as a process: up, slow, down, failing, odd."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from api.auth import make_token
from db.engine import Sessions, make_engine, make_sessions
from tests.bounds import NOT_FOR_EVER
from tests.service import JWT
from tests.users_elsewhere import IMPATIENT, SECONDS, SERVICE_TOKEN, Stub
from tools.breaker import Breaker
from tools.errors import AuthError, UsersUnavailable
from tools.http import make_http_clients
from tools.users_service import Kept, Replies, UsersService

NEVER_BEGUN: Final = AsyncSession()
UNBOUND: Final = async_sessionmaker[AsyncSession]()
FAULTS: Final = ["slow", "error", "garbage", "oversized"]


def token_of(user_id: str) -> str:
    return make_token(JWT, user_id=user_id, hours=1, now=datetime.now(UTC))


@dataclass
class Clock:
    """Time that goes when the test says so."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def client_of(url: str, clock: Clock, **options: Any) -> AsyncIterator[UsersService]:
    clients = make_http_clients(timeout=SECONDS)
    users = UsersService(
        url,
        client=clients.asynchronous,
        timeout=SECONDS,
        fresh=30,
        stale=600,
        clock=clock,
        **options,
    )
    users.introduce("usr_ana", token_of("usr_ana"))
    yield users
    await clients.aclose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def asking(stub: Stub, clock: Clock) -> AsyncIterator[UsersService]:
    async with client_of(stub.url, clock) as users:
        yield users


async def find(users: UsersService, course_id: str = "crs_api", user_id: str = "usr_ana") -> Any:
    return await users.find_course(NEVER_BEGUN, user_id, course_id)


async def test_it_reads_accounts_and_courses(asking: UsersService) -> None:
    course = await find(asking)
    page = await asking.list_courses(NEVER_BEGUN, "usr_ana", limit=1)

    assert await asking.is_active(UNBOUND, "usr_ana")
    assert await asking.metadata_of(NEVER_BEGUN, "usr_ana") == {"preferences": {"language": "es"}}
    assert (course.title, course.user_id) == ("FastAPI desde cero", "usr_ana")
    assert course.metadata == {"technologies": ["Python", "FastAPI"]}
    assert ([one.id for one in page.items], page.next_cursor) == (["crs_api"], "1")


async def test_what_is_another_users_is_not_there_even_for_a_service(
    stub: Stub, clock: Clock
) -> None:
    async with client_of(stub.url, clock, token=SERVICE_TOKEN) as users:
        assert await find(users, "crs_web") is None
        assert await find(users, "crs_web", "usr_bruno") is not None
        assert await find(users, "crs_api", "usr_bruno") is None


async def test_an_account_that_is_closed_or_gone_is_not_active(stub: Stub, clock: Clock) -> None:
    async with client_of(stub.url, clock, token=SERVICE_TOKEN) as users:
        for user_id in ("usr_gone", "usr_nobody", "../stub", "usr_ana/../usr_bruno", ".."):
            assert not await users.is_active(UNBOUND, user_id)


async def test_a_token_that_is_refused_there_is_refused_here(asking: UsersService) -> None:
    asking.introduce("usr_ana", "no token at all")

    with pytest.raises(AuthError):
        await asking.is_active(UNBOUND, "usr_ana")


async def test_without_anybodys_token_nothing_is_asked(stub: Stub, asking: UsersService) -> None:
    before = stub.fail("none")

    with pytest.raises(UsersUnavailable):
        await asking.is_active(UNBOUND, "usr_bruno")

    assert stub.fail("none") == before


async def test_an_answer_is_kept_while_it_is_fresh_and_then_asked_for_again(
    stub: Stub, asking: UsersService, clock: Clock
) -> None:
    before = stub.fail("none")
    for _ in range(3):
        await find(asking)
    stub.put("courses/crs_api", title="FastAPI, otra vez")
    clock.now += 29
    kept = await find(asking)
    clock.now += 2

    renewed = await find(asking)

    assert (kept.title, renewed.title) == ("FastAPI desde cero", "FastAPI, otra vez")
    assert stub.fail("none") == before + 2
    stub.put("courses/crs_api", title="FastAPI desde cero")


async def test_a_course_that_is_new_is_seen_within_a_second(
    stub: Stub, asking: UsersService, clock: Clock
) -> None:
    missing = await find(asking, "crs_new")
    stub.put("courses/crs_new", title="Nuevo")

    clock.now += 1

    assert missing is None
    assert (await find(asking, "crs_new")).title == "Nuevo"


@pytest.mark.parametrize("fault", FAULTS)
async def test_while_it_fails_what_is_kept_serves_and_the_rest_is_unavailable(
    stub: Stub, asking: UsersService, clock: Clock, fault: str
) -> None:
    await find(asking)
    clock.now += 300
    stub.fail(fault)
    asking.timeout = IMPATIENT
    started = time.monotonic()

    stale = await find(asking)
    with pytest.raises(UsersUnavailable) as caught:
        await find(asking, "crs_sql")

    assert stale.title == "FastAPI desde cero"
    assert (caught.value.code, caught.value.status) == ("USERS_UNAVAILABLE", 503)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 1
    assert time.monotonic() - started < NOT_FOR_EVER
    clock.now += 301
    with pytest.raises(UsersUnavailable):
        await find(asking)


async def test_a_process_that_is_stopped_is_no_hang(
    stub: Stub, asking: UsersService, clock: Clock
) -> None:
    await find(asking)
    clock.now += 60
    stub.stop()
    asking.timeout = IMPATIENT
    started = time.monotonic()

    with pytest.raises(UsersUnavailable):
        await find(asking, "crs_sql")
    waited = time.monotonic() - started

    assert waited < NOT_FOR_EVER
    assert (await find(asking)).id == "crs_api"


async def test_a_process_that_is_gone_is_unavailable_at_once(clock: Clock) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with client_of(url, clock) as users:
            with pytest.raises(UsersUnavailable):
                await find(users)


async def test_many_who_ask_the_same_at_once_are_one_question(
    stub: Stub, asking: UsersService
) -> None:
    before = stub.fail("none")

    found = await asyncio.gather(*(find(asking) for _ in range(50)))

    assert {one.id for one in found} == {"crs_api"}
    assert stub.fail("none") == before + 1


async def test_who_stops_waiting_does_not_stop_the_others(asking: UsersService) -> None:
    impatient = asyncio.create_task(find(asking))
    patient = asyncio.create_task(find(asking))
    await asyncio.sleep(0)

    impatient.cancel()

    assert (await patient).id == "crs_api"


async def test_after_failures_it_is_left_alone_and_then_tried_by_one(
    stub: Stub, clock: Clock
) -> None:
    breaker = Breaker(failures=2, shortest=10, clock=clock, jitter=lambda: 1.0)
    async with client_of(stub.url, clock, breaker=breaker) as users:
        before = stub.fail("error")
        waits = []
        for _ in range(5):
            with pytest.raises(UsersUnavailable) as caught:
                await find(users)
            waits.append(caught.value.retry_after)
        asked = stub.fail("none") - before
        clock.now += 10

        found = await find(users)

    assert asked == 2
    assert waits[1:] == [10, 10, 10, 10]
    assert (found.id, breaker.state) == ("crs_api", "closed")


@pytest.mark.parametrize("fault", ["garbage", "oversized"])
async def test_what_cannot_be_read_of_one_user_does_not_shut_out_the_others(
    stub: Stub, clock: Clock, fault: str
) -> None:
    breaker = Breaker(failures=2, clock=clock)
    async with client_of(stub.url, clock, breaker=breaker) as users:
        stub.fail(fault)

        for _ in range(4):
            with pytest.raises(UsersUnavailable):
                await find(users)

    assert breaker.state == "closed"


@pytest.mark.parametrize(
    "changes",
    [
        {"title": ""},
        {"status": "odd"},
        {"progress_percentage": 900},
        {"title": "a\u0000b"},
        {"metadata": {"technologies": ["a\u0000b"]}},
        {"created_at": "yesterday"},
    ],
)
async def test_a_course_beyond_the_contract_is_unavailable_and_never_stored(
    stub: Stub, asking: UsersService, changes: dict[str, Any]
) -> None:
    stub.put("courses/crs_odd", **changes)

    with pytest.raises(UsersUnavailable):
        await find(asking, "crs_odd")


async def test_in_a_transaction_only_what_is_kept_serves(
    stub: Stub, asking: UsersService, clock: Clock, sessions: Sessions
) -> None:
    await find(asking)
    clock.now += 300
    before = stub.fail("none")

    async with sessions.begin() as session:
        await session.execute(text("select 1"))
        kept = await asking.find_course(session, "usr_ana", "crs_api")
        with pytest.raises(UsersUnavailable):
            await asking.find_course(session, "usr_ana", "crs_sql")

    assert kept is not None
    assert stub.fail("none") == before


async def test_a_session_that_has_not_begun_holds_no_connection_while_it_is_asked(
    stub: Stub, asking: UsersService, database_url: str
) -> None:
    engine = make_engine(database_url, pool_size=1, pool_timeout=0.2)
    sessions = make_sessions(engine)
    stub.fail("slow")
    asking.timeout = IMPATIENT

    async with sessions.begin():
        waiting = asyncio.create_task(asking.is_active(sessions, "usr_ana"))
        async with sessions.begin() as other:
            answered = await other.scalar(text("select 1"))
        with pytest.raises(UsersUnavailable):
            await waiting
    await engine.dispose()

    assert answered == 1


async def test_a_packed_answer_is_not_unpacked() -> None:
    def pack(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"Content-Encoding": "br"}, stream=_Bytes(b"x"))

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(pack))
    users = UsersService("http://users", client=client, token="t")

    with pytest.raises(UsersUnavailable):
        await find(users)


async def test_the_callers_token_goes_to_its_address_and_not_after_a_redirect() -> None:
    asked: list[tuple[str, str]] = []

    def redirect(request: httpx2.Request) -> httpx2.Response:
        asked.append((str(request.url), request.headers["Authorization"]))
        return httpx2.Response(302, headers={"Location": "http://far/"}, stream=_Bytes(b""))

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(redirect))
    users = UsersService("http://users/api/", client=client, token="ours")
    users.introduce("usr_ana", "theirs")

    with pytest.raises(UsersUnavailable):
        await find(users)

    assert asked == [("http://users/api/courses/crs_api", "Bearer theirs")]


def test_answers_are_kept_within_bounds_and_the_oldest_goes() -> None:
    replies = Replies(entries=3, most_bytes=100)
    for name in "abcd":
        replies.put(("u", name), Kept(None, 10, 0.0))
        replies.get(("u", "b"))

    of_all = [replies.get(("u", name)) is not None for name in "abcd"]
    replies.put(("u", "e"), Kept(None, 95, 0.0))

    assert of_all == [False, True, True, True]
    assert replies.size == 95
    assert replies.get(("u", "b")) is None


class _Bytes(httpx2.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
