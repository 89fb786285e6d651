"""How much a user may ask for in a while, counted across all processes.

`limits` keeps the counts in PostgreSQL (`api/rate_storage.py`). A process takes a user's allowance
in small blocks, which grow with what the user asks of it: most requests ask nobody. What a block
has left when its window ends is lost, so that nobody ever gets more than the limit; a user whose
requests are spread over several processes may get less, by at most a block for each of them.
Where the store does not answer in time everything passes, for a few seconds: a limiter that is
down must not take the service down.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NoReturn

from db.engine import Sessions
from tools.errors import RateLimited, SetupError

if TYPE_CHECKING:
    from limits import RateLimitItem

Name = Literal["requests", "models", "sign-in"]
UNLIMITED: Final = "none"
BLOCKS: Final = 50
"""A block is at most this part of a limit."""
MAX_BLOCK: Final = 32
FIRST_BLOCK: Final = 4
PATIENCE_SECONDS: Final = 0.25
AWAY_SECONDS: Final = 5.0
"""How long a store that did not answer is not asked again."""
MAX_KEYS: Final = 20_000
SHORTEST_WAIT: Final = 0.01

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limit:
    """So many in so many seconds; `block` is what a process takes at once, at most."""

    name: Name
    item: "RateLimitItem"
    block: int

    @property
    def seconds(self) -> int:
        """Return the length of a window."""
        return self.item.get_expiry()


@dataclass(frozen=True)
class Taken:
    """What became of one request; `remaining` as far as this process knows."""

    limit: Limit
    is_granted: bool
    remaining: int
    reset: int
    """Seconds until there is more."""


@dataclass
class _Allowance:
    """What this process holds of one user's allowance, until `ends` on its clock."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ends: float = -math.inf
    units: int = 0
    used: int = 0
    elsewhere: int = 0
    """What nobody holds, as of the last taking."""
    refused_until: float = -math.inf


class RateLimits:
    """The limits of a service.

    `clock` gives seconds and may begin anywhere; a store that has not answered after `patience`
    seconds counts as away.
    """

    def __init__(
        self,
        sessions: Sessions,
        *,
        requests: str,
        models: str,
        sign_in: str,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        from limits.aio.strategies import SlidingWindowCounterRateLimiter

        from api.rate_storage import PostgresStorage

        self._limits: dict[Name, Limit | None] = {
            "requests": make_limit("requests", requests),
            "models": make_limit("models", models, block=1),
            "sign-in": make_limit("sign-in", sign_in, block=1),
        }
        self._storage = PostgresStorage(sessions)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._clock = clock
        self._patience = patience
        self._held: dict[str, _Allowance] = {}
        self._away_until = -math.inf
        self._late: set[asyncio.Task[bool]] = set()

    def must_ask(self, name: Name, who: str) -> bool:
        """Tell whether the store is to be asked about the next request of `who`."""
        limit, held = self._limits[name], self._held.get(_key(name, who))
        if limit is None or self._clock() < self._away_until:
            return False
        now = self._clock()
        return held is None or (now >= held.refused_until and (held.units == 0 or now >= held.ends))

    async def take(self, name: Name, who: str) -> Taken | None:
        """Count one request of `who`, and tell whether it may pass.

        None where there is no such limit, or nobody who could tell.
        """
        limit = self._limits[name]
        if limit is None:
            return None
        key = _key(name, who)
        held = self._held.get(key)
        if held is None:
            held = self._hold(key)
        taken = self._from_held(limit, held)
        if taken is not None or self._clock() < self._away_until:
            return taken
        async with held.lock:
            taken = self._from_held(limit, held)
            if taken is not None or self._clock() < self._away_until:
                return taken
            return await self._from_store(limit, held, who)

    def refuse(self, taken: Taken) -> NoReturn:
        """Raise RateLimited for a request that may not pass."""
        _count_refusal(taken.limit.name)
        raise RateLimited(retry_after=taken.reset)

    def _hold(self, key: str) -> _Allowance:
        if len(self._held) >= MAX_KEYS:
            now = self._clock()
            present = {
                key: held
                for key, held in self._held.items()
                if max(held.ends, held.refused_until) > now
            }
            # Where all of them are present, what they hold is given up: that is a block for each.
            self._held = present if len(present) < MAX_KEYS // 2 else {}
        return self._held.setdefault(key, _Allowance())

    def _from_held(self, limit: Limit, held: _Allowance) -> Taken | None:
        """Return what can be told without asking, None where there is nothing to tell by."""
        now = self._clock()
        if now < held.refused_until:
            return Taken(
                limit, is_granted=False, remaining=0, reset=_whole(held.refused_until - now)
            )
        if held.units == 0 or now >= held.ends:
            return None
        held.units -= 1
        held.used += 1
        return self._granted(limit, held)

    def _granted(self, limit: Limit, held: _Allowance) -> Taken:
        remaining = held.units + held.elsewhere
        reset = _whole(held.ends - self._clock())
        return Taken(limit, is_granted=True, remaining=remaining, reset=reset)

    async def _from_store(self, limit: Limit, held: _Allowance, who: str) -> Taken | None:
        if self._clock() >= held.ends:
            held.used = 0
        block = min(limit.block, max(FIRST_BLOCK, held.used))
        is_granted = await self._ask(limit, who, cost=block)
        if is_granted is False and block > 1:
            block = 1
            is_granted = await self._ask(limit, who, cost=block)
        if is_granted is None:
            return None
        window = self._storage.seen(limit.item.key_for(limit.name, who))
        now = self._clock()
        left_over = limit.item.amount - math.floor(
            window.previous * window.left / limit.seconds + window.current
        )
        held.ends, held.elsewhere = now + window.left, max(0, left_over)
        if not is_granted:
            held.units = 0
            wait = seconds_until_one(
                limit.item.amount,
                limit.seconds,
                previous=window.previous,
                current=window.current,
                left=window.left,
            )
            held.refused_until = now + wait
            return Taken(limit, is_granted=False, remaining=0, reset=_whole(wait))
        held.units = block - 1
        held.used += 1
        return self._granted(limit, held)

    async def _ask(self, limit: Limit, who: str, *, cost: int) -> bool | None:
        """Return what the store says, None where it says nothing in time."""
        asking = asyncio.create_task(self._limiter.hit(limit.item, limit.name, who, cost=cost))
        # Not cancelled when it is late: a statement that hangs would hang once more in its cancel.
        self._late.add(asking)
        asking.add_done_callback(self._settle)
        await asyncio.wait({asking}, timeout=self._patience)
        if asking.done() and not asking.cancelled() and asking.exception() is None:
            return asking.result()
        if self._clock() >= self._away_until:
            why = type(asking.exception()).__name__ if asking.done() else "no answer"
            log.warning("rate limits cannot be counted, and nothing is limited: %s", why)
        self._away_until = self._clock() + AWAY_SECONDS
        _count_failure()
        return None

    def _settle(self, asked: "asyncio.Task[bool]") -> None:
        self._late.discard(asked)
        if not asked.cancelled():
            asked.exception()  # else asyncio complains that nobody has looked


def make_limit(name: Name, text: str, *, block: int | None = None) -> Limit | None:
    """Return the limit that `text` asks for (`1200/minute`, `10/30 seconds`), None for `none`.

    Raises SetupError for any other text.
    """
    from limits import parse

    if text.strip().lower() == UNLIMITED:
        return None
    try:
        item = parse(text)
    except ValueError as error:
        raise SetupError(
            f"GOALS_RATE_…: {text!r} is no limit: write 1200/minute, 10/30 seconds, or none"
        ) from error
    if item.amount < 1 or item.get_expiry() < 1:
        raise SetupError(f"GOALS_RATE_…: {text!r} lets nobody in: write none for no limit")
    return Limit(name, item, block or max(1, min(MAX_BLOCK, item.amount // BLOCKS)))


def seconds_until_one(
    amount: int, seconds: int, *, previous: int, current: int, left: float
) -> float:
    """Return in how many seconds one more will pass, if nothing else is asked for until then.

    The count is `floor(previous · left / seconds) + current`; when the window ends in `left`
    seconds, `current` becomes `previous`.
    """
    if current < amount:
        wait = left - seconds * (amount - current) / max(previous, 1)
    else:
        wait = left + seconds * (1 - amount / current)
    return max(SHORTEST_WAIT, wait + SHORTEST_WAIT)


def _key(name: Name, who: str) -> str:
    return f"{name}\0{who}"


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def _count_refusal(name: Name) -> None:
    from api.identity_metrics import RATE_LIMITED

    RATE_LIMITED.labels(name).inc()


def _count_failure() -> None:
    from api.identity_metrics import RATE_STORE_FAILURES

    RATE_STORE_FAILURES.inc()
