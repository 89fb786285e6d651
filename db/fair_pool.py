"""A pool of connections whose waiting is fair: who has waited longest gets the next one.

SQLAlchemy's own gives a free connection to whoever happens to ask at that moment, and lets the one
that it has woken wait at the end again: with more requests than connections some wait for seconds.
"""

import asyncio
from collections import deque
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.util.concurrency import await_only
from sqlalchemy.util.queue import Empty, Full, QueueCommon


class FairQueue(QueueCommon[Any]):
    """What lies in the pool, and those who wait for it; for one event loop."""

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:  # noqa: FBT001 - as the pool calls it
        self.maxsize = maxsize
        self.use_lifo = use_lifo
        self._items: deque[Any] = deque()
        self._waiting: deque[asyncio.Future[Any]] = deque()

    def empty(self) -> bool:
        """Tell whether nothing lies here."""
        return not self._items

    def full(self) -> bool:
        """Tell whether there is no room."""
        return 0 < self.maxsize <= len(self._items)

    def qsize(self) -> int:
        """Return how many lie here."""
        return len(self._items)

    @property
    def waiting(self) -> int:
        """Return how many wait."""
        return sum(not future.done() for future in self._waiting)

    def put_nowait(self, item: Any) -> None:
        """Hand `item` to whoever has waited longest, else keep it. Raises Full."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(item)
                return
        if self.full():
            raise Full
        self._items.append(item)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001 - as the pool calls it
        """Put it as `put_nowait` does."""
        self.put_nowait(item)

    def get_nowait(self) -> Any:
        """Return what lies here. Raises Empty."""
        if not self._items:
            raise Empty
        return self._items.pop() if self.use_lifo else self._items.popleft()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001 - as the pool calls it
        """Return what lies here, or comes within `timeout` seconds. Raises Empty."""
        if self._items or not block:
            return self.get_nowait()
        return await_only(self._wait(seconds=timeout))

    async def _wait(self, *, seconds: float | None) -> Any:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(seconds):
                return await future
        except BaseException as error:
            if future.done() and not future.cancelled():  # it came at the very same moment
                self.put_nowait(future.result())
            if isinstance(error, TimeoutError):
                raise Empty from error
            raise


class FairPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool with that queue."""

    _queue_class = FairQueue
    _pool: FairQueue

    @property
    def waiting(self) -> int:
        """Return how many wait for a connection."""
        return self._pool.waiting
