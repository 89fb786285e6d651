"""What need not be done before an answer is done once no more of it comes.

Requests have two processors to themselves meanwhile, and what many of them left is done together.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from tools.logs import LazyLogger

MOST_WAITING: Final = 1_000
QUIET_SECONDS: Final = 0.25
"""What waits does so until for this long no more has come."""
LONGEST_SECONDS: Final = 2.0
"""How long it waits at most."""

T = TypeVar("T")
log = LazyLogger(__name__)


@dataclass
class WhenQuiet(Generic[T]):
    """Hands over to `do` what has been added, oldest first; what that fails with is logged."""

    do: Callable[[Sequence[T]], Awaitable[None]]
    name: str
    _waiting: deque[T] = field(default_factory=deque)
    _task: "asyncio.Task[None] | None" = None
    _last: float = 0.0
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, one: T) -> bool:
        """Let `one` be done soon; False, and it is not, where too much waits already."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(one)
        self._last = time.monotonic()
        if self._task is None or self._task.done():
            self._hurry.clear()
            self._task = asyncio.create_task(self._work(), name=self.name)
        return True

    async def finish(self) -> None:
        """Do at once what waits."""
        self._hurry.set()
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        await self._quiet()
        while self._waiting:
            together = tuple(self._waiting)
            self._waiting.clear()
            try:
                await self.do(together)
            except Exception:
                log.exception("later.lost", what=self.name, count=len(together))

    async def _quiet(self) -> None:
        """Wait until nothing more comes, at most `LONGEST_SECONDS`."""
        latest = time.monotonic() + LONGEST_SECONDS
        while (left := min(self._last + QUIET_SECONDS, latest) - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._hurry.wait()
                    return
