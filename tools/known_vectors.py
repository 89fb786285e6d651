"""Give rows the vectors that are known already, beside the requests that have stored their texts.

An insert into HNSW takes longer than all else that is done to a row, and nobody who has committed
it must wait for that. Until then the row is a pending one: it is found by its words, and whatever
becomes of this process, `tools/backfill.py` gives it its vector.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from db.embeddings import Embeddings, KnownVector
from db.engine import UNAVAILABLE
from tools.context import OpenTools
from tools.logs import LazyLogger

MOST_WAITING: Final = 1_000
"""Transactions whose vectors wait here; those of later ones are left to the backfill."""

QUIET_SECONDS: Final = 0.25
"""They wait until for so long no more have come: two processors serve requests first."""
LONGEST_SECONDS: Final = 2.0
"""How long they wait at most."""

log = LazyLogger(__name__)


@dataclass
class KnownVectors:
    """What waits, and the task that stores it, one transaction's rows after the other."""

    _waiting: deque[tuple[OpenTools, Sequence[KnownVector]]] = field(default_factory=deque)
    _task: "asyncio.Task[None] | None" = None
    _last: float = 0.0
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, open_tools: OpenTools, known: Sequence[KnownVector]) -> None:
        """Store these vectors soon, as the user whom `open_tools` speaks for."""
        if len(self._waiting) >= MOST_WAITING:
            return
        self._waiting.append((open_tools, known))
        self._last = time.monotonic()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._store(), name="known vectors")

    async def aclose(self) -> None:
        """Store what waits, at once."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def _store(self) -> None:
        await self._quiet()
        while self._waiting:
            open_tools, known = self._waiting.popleft()
            try:
                async with open_tools() as tools:
                    embeddings = Embeddings(tools.session, tools.user_id)
                    await embeddings.give(known, model=tools.embedder.model)
            except UNAVAILABLE as error:
                log.warning("vectors.left_to_backfill", reason=type(error).__name__)

    async def _quiet(self) -> None:
        """Wait until nothing more comes, at most `LONGEST_SECONDS`."""
        latest = time.monotonic() + LONGEST_SECONDS
        while (left := min(self._last + QUIET_SECONDS, latest) - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._closing.wait()
                    return
