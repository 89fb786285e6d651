"""Users and courses by the REST API of the service that they live in.

The caller's own token is passed on, so that the service itself decides what is theirs; where none
was shown to this process (a run that was taken over), a token of our own asks. What was answered
is kept: fresh for a while, and stale for longer while the service fails. Nobody waits for it with a
connection to the database: in a transaction that has begun, only what is kept serves.
"""

import asyncio
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import httpx2
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import Sessions
from db.reads import holds_connection
from tools.breaker import Breaker
from tools.errors import AuthError, InputError, UsersUnavailable
from tools.logs import LazyLogger
from tools.schemas import CourseOut, CoursePage
from tools.users_contract import TheirCourse, TheirCourses, TheirUser

MAX_BYTES: Final = 256 * 1024
KEPT_REPLIES: Final = 20_000
KEPT_BYTES: Final = 64 * 1024 * 1024
KEPT_TOKENS: Final = 5_000
ABSENT_SECONDS: Final = 1.0
"""How long nobody asks again for what is not there: a new course is seen at once."""
ABSENT_STALE_SECONDS: Final = 5.0

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,36}")

Shape = TypeVar("Shape", bound=BaseModel)
Key = tuple[str, str]
log = LazyLogger(__name__)


class Unreadable(Exception):
    """The service answered what its contract does not know; the text says what, without content."""


@dataclass(frozen=True)
class Kept:
    """What was answered, None where there is no such thing, with its size and the clock's time."""

    value: BaseModel | None
    size: int
    at: float


class Replies:
    """The latest answers by user and path: so many, and so many bytes of them at most."""

    def __init__(self, *, entries: int = KEPT_REPLIES, most_bytes: int = KEPT_BYTES) -> None:
        self._entries, self._most_bytes = entries, most_bytes
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self.size = 0

    def get(self, key: Key) -> Kept | None:
        """Return what is kept; who is asked for stays longest."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def put(self, key: Key, kept: Kept) -> None:
        """Keep an answer in place of the one before, and let the oldest go for it."""
        self.drop(key)
        self._kept[key] = kept
        self.size += kept.size
        while len(self._kept) > self._entries or self.size > self._most_bytes:
            self.drop(next(iter(self._kept)))

    def drop(self, key: Key) -> None:
        """Forget an answer."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.size -= kept.size


class UsersService:
    """A client of the service at `url`; every question ends within `timeout` seconds.

    An answer is `fresh` for so many seconds, and `stale` for so many while the service fails.
    """

    is_elsewhere: Final = True

    def __init__(
        self,
        url: str,
        *,
        client: httpx2.AsyncClient,
        token: str | None = None,
        timeout: float = 0.9,
        fresh: float = 30.0,
        stale: float = 3_600.0,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._client = client
        self._token = token
        self.timeout, self._fresh, self._stale = timeout, fresh, stale
        self._breaker = breaker or Breaker(clock=clock)
        self._clock = clock
        self._replies = Replies()
        self._bearers: OrderedDict[str, str] = OrderedDict()
        self._flights: dict[tuple[Key, str], asyncio.Task[Any]] = {}

    def introduce(self, user_id: str, bearer: str) -> None:
        """Keep the token by which this user has just proved who they are, in memory only."""
        self._bearers[user_id] = bearer
        self._bearers.move_to_end(user_id)
        if len(self._bearers) > KEPT_TOKENS:
            self._bearers.popitem(last=False)

    async def is_active(self, sessions: Sessions, user_id: str) -> bool:
        """Tell whether there is such an account and it may be used."""
        async with sessions() as session:
            user = await self._find_user(session, user_id)
        return user is not None and user.is_active

    async def metadata_of(self, session: AsyncSession, user_id: str) -> dict[str, Any] | None:
        """Return the account's metadata, perhaps empty; None where there is no such account."""
        user = await self._find_user(session, user_id)
        return None if user is None else dict(user.metadata or {})

    async def find_course(
        self, session: AsyncSession, user_id: str, course_id: str
    ) -> CourseOut | None:
        """Return the course, None where this user has no such one."""
        path = f"/courses/{quote(course_id, safe='')}"
        course = await self._find(session, user_id, path, TheirCourse)
        if course is None or course.id != course_id or course.user_id != user_id:
            return None
        return course.as_ours()

    async def list_courses(
        self,
        session: AsyncSession,
        user_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        status: str | None = None,
    ) -> CoursePage:
        """Return a page of the user's courses. Raises InputError for a cursor that is refused."""
        asked = {"user_id": user_id, "limit": limit, "cursor": cursor, "status": status}
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        page = await self._find(session, user_id, f"/courses?{query}", TheirCourses)
        if page is None:
            raise InputError("the list of courses has no such page")
        return CoursePage(
            items=[one.as_ours() for one in page.items if one.user_id == user_id],
            next_cursor=page.next_cursor,
        )

    async def _find_user(self, session: AsyncSession, user_id: str) -> TheirUser | None:
        path = f"/users/{quote(user_id, safe='')}"
        user = await self._find(session, user_id, path, TheirUser)
        return user if user is not None and user.id == user_id else None

    async def _find(
        self, session: AsyncSession, user_id: str, path: str, shape: type[Shape]
    ) -> Shape | None:
        """Return the answer, kept or new; None where there is no such thing, or it is not theirs.

        Raises UsersUnavailable, AuthError.
        """
        if _ID.fullmatch(user_id) is None:
            return None
        key = (user_id, path)
        kept = self._replies.get(key)
        age = math.inf if kept is None else self._clock() - kept.at
        absent = kept is not None and kept.value is None
        waits = holds_connection(session)
        failure: UsersUnavailable | None = None
        if age >= (ABSENT_SECONDS if absent else self._fresh) and not waits:
            try:
                return await self._ask_once(key, shape)
            except UsersUnavailable as error:
                failure = error
        if kept is not None and age < (ABSENT_STALE_SECONDS if absent else self._stale):
            assert kept.value is None or isinstance(kept.value, shape)
            return kept.value
        raise failure or UsersUnavailable("the users' service was not asked for this yet")

    async def _ask_once(self, key: Key, shape: type[Shape]) -> Shape | None:
        """Ask, or wait for who asks the same with the same token already."""
        bearer = self._bearers.get(key[0]) or self._token
        if bearer is None:
            raise UsersUnavailable("the users' service is asked when the user shows a token")
        flight = self._flights.get((key, bearer))
        if flight is None:
            flight = asyncio.create_task(self._ask(key, bearer, shape))
            self._flights[key, bearer] = flight
            flight.add_done_callback(lambda done: self._land((key, bearer), done))
        answer: Shape | None = await asyncio.shield(flight)
        return answer

    def _land(self, name: tuple[Key, str], flight: asyncio.Task[Any]) -> None:
        del self._flights[name]
        if not flight.cancelled():
            flight.exception()  # somebody may have stopped waiting for it

    async def _ask(self, key: Key, bearer: str, shape: type[Shape]) -> Shape | None:
        if not self._breaker.admit():
            raise self._unavailable("is left alone for a moment")
        try:
            async with asyncio.timeout(self.timeout):
                status, body = await self._get(key[1], bearer)
        except (TimeoutError, httpx2.HTTPError) as error:
            self._breaker.failed()
            log.warning("users.no_answer", reason=type(error).__name__, state=self._breaker.state)
            raise self._unavailable("does not answer") from error
        except Unreadable as error:
            self._breaker.succeeded()
            log.warning("users.unreadable", reason=str(error))
            raise self._unavailable("answers what cannot be read") from error
        except BaseException:
            self._breaker.failed()
            raise
        if status >= 500:
            self._breaker.failed()
            log.warning("users.failed", status=status, state=self._breaker.state)
            raise self._unavailable("fails")
        self._breaker.succeeded()
        return self._read(key, bearer, status, body, shape)

    def _read(
        self, key: Key, bearer: str, status: int, body: bytes, shape: type[Shape]
    ) -> Shape | None:
        """Keep and return what was answered. Raises UsersUnavailable, AuthError."""
        if status == 200:
            try:
                value = shape.model_validate_json(body)
            except ValidationError as error:
                log.warning("users.unreadable", reason=f"{shape.__name__}: {_where(error)}")
                raise self._unavailable("answers what cannot be read") from error
            self._replies.put(key, Kept(value, len(body), self._clock()))
            return value
        if status in {401, 403} and bearer != self._token:
            if status == 401 or shape is TheirUser:
                self._replies.drop(key)
                raise AuthError("the token is not one that the users' service accepts")
            status = 404
        if status in {400, 404, 410, 422}:
            self._replies.put(key, Kept(None, 0, self._clock()))
            return None
        log.warning("users.refused", status=status)
        raise self._unavailable("refuses to answer")

    async def _get(self, path: str, bearer: str) -> tuple[int, bytes]:
        """Return status and body; once more where a connection that was idle has ended meanwhile.

        Raises httpx2.HTTPError, and Unreadable for what is too large or packed.
        """
        try:
            return await self._get_once(path, bearer)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
            return await self._get_once(path, bearer)

    async def _get_once(self, path: str, bearer: str) -> tuple[int, bytes]:
        headers = {
            "Authorization": f"Bearer {bearer}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        body = bytearray()
        async with self._client.stream("GET", self._url + path, headers=headers) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise Unreadable("it is packed, which nobody asked for")
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_BYTES:
                    raise Unreadable(f"more than {MAX_BYTES} bytes")
        return response.status_code, bytes(body)

    def _unavailable(self, what: str) -> UsersUnavailable:
        seconds = max(1, math.ceil(self._breaker.seconds_left))
        return UsersUnavailable(f"the users' service {what}", retry_after=seconds)


def _where(error: ValidationError) -> str:
    """Return which fields are wrong and how, without their values."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return ", ".join(f"{'.'.join(map(str, one['loc']))} {one['type']}" for one in found[:3])
