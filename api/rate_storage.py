"""Where `limits` keeps its counts: PostgreSQL, through a session's own way past transactions."""

import hashlib
import time
from typing import Final

from limits.aio.storage import Storage
from limits.aio.storage.base import SlidingWindowCounterSupport

from db import rate_windows
from db.engine import UNAVAILABLE, Sessions
from db.rate_windows import Window

KEY_BYTES: Final = 16
NO_LIMIT: Final = 2**31 - 1


class PostgresStorage(Storage, SlidingWindowCounterSupport):
    """The table `rate_windows`; who is limited stands in it as a hash only."""

    STORAGE_SCHEME = None

    def __init__(self, sessions: Sessions) -> None:
        """Keep where the sessions come from."""
        super().__init__()
        self._sessions = sessions
        self._seen: dict[str, Window] = {}

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """Return what is raised while PostgreSQL is away."""
        return UNAVAILABLE

    def seen(self, key: str) -> Window:
        """Return, once, what the last `acquire_sliding_window_entry` of `key` has seen."""
        return self._seen.pop(key)

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Take `amount` of the `limit` that `key` may have in `expiry` seconds, or nothing."""
        window = await rate_windows.take(
            self._sessions, _hashed(key), amount=amount, most=limit, seconds=expiry
        )
        self._seen[key] = window
        return window.granted

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return the count of the window before and of this one, each with the seconds it has."""
        async with self._sessions() as session:
            window = await rate_windows.look(session, _hashed(key), seconds=expiry)
        return window.previous, window.left, window.current, window.left

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Give `key` its allowance back."""
        await self.clear(key)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` more, without a limit; return the count of this window."""
        window = await rate_windows.take(
            self._sessions, _hashed(key), amount=amount, most=NO_LIMIT, seconds=expiry
        )
        return window.current

    async def get(self, key: str) -> int:
        """Return the count of the window that `key` wrote last."""
        async with self._sessions() as session:
            return (await rate_windows.last(session, _hashed(key)))[0]

    async def get_expiry(self, key: str) -> float:
        """Return when that window ends, in seconds since 1970."""
        async with self._sessions() as session:
            return (await rate_windows.last(session, _hashed(key)))[1] or time.time()

    async def check(self) -> bool:
        """Tell whether the counts can be read."""
        try:
            await self.get("")
        except UNAVAILABLE:
            return False
        return True

    async def reset(self) -> int | None:
        """Give every key its allowance back."""
        async with self._sessions() as session:
            await rate_windows.forget_all(session)
        return None

    async def clear(self, key: str) -> None:
        """Give `key` its allowance back."""
        async with self._sessions() as session:
            await rate_windows.forget(session, _hashed(key))


def _hashed(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=KEY_BYTES).digest()
