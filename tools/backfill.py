"""Give every stored text its vector: pending ones first, then those of a model of earlier.

One filler at a time works on a database; whoever dies leaves nothing behind but rows that still
wait. Nothing is embedded inside a transaction.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db.embedding_backlog import Backlog, BacklogDepth, WaitingRow, open_backlog
from db.engine import UNAVAILABLE, Sessions
from db.retry import LONGEST_DELAY_SECONDS, retry_delay
from tools.embedders import Embedder
from tools.errors import EmbeddingError, EmbeddingRefused
from tools.logs import LazyLogger

if TYPE_CHECKING:
    from tools.embedders import Vector

POLL_SECONDS: Final = 0.5
SETTLED_FOR: Final = timedelta(seconds=0.5)
"""For so long a new row is left to the request that wrote it: it often knows the vector."""
LONGEST_ASIDE_SECONDS: Final = 600.0
REST_SECONDS: Final = 600.0
MOST_FAILURES: Final = 10
"""Failed calls in a row, while looking for the text that is refused, that mean: it is not that."""
REMEMBERED: Final = 4_096

log = LazyLogger(__name__)


@dataclass(frozen=True)
class Filled:
    """What one pass did: rows with a vector now, and the ids that the model gives none for.

    `changed` counts rows that changed while they were embedded: they wait again, or have got their
    vector from who wrote them. `busy` where another filler has its turn.
    """

    embedded: int = 0
    changed: int = 0
    refused: tuple[str, ...] = ()
    busy: bool = False


@dataclass
class _SetAside:
    """Texts that failed alone: each is tried again, later every time."""

    until: dict[str, tuple[float, int]] = field(default_factory=dict)

    def add(self, row_id: str, *, longest: float) -> None:
        failures = self.until.get(row_id, (0.0, 0))[1] + 1
        delay = retry_delay(failures, longest=longest)
        self.until[row_id] = (time.monotonic() + delay, failures)

    def ids(self) -> list[str]:
        now = time.monotonic()
        return [row_id for row_id, (until, _) in self.until.items() if until > now]


class Filler:
    """Embeds what waits in the database of `sessions`, `texts_a_call` at a time (the embedder's).

    It rests from the rows of other models for ten minutes when its own work comes back under
    another model: then somebody else fills with that one, and the two would never end.
    """

    def __init__(
        self, sessions: Sessions, embedder: Embedder, *, texts_a_call: int | None = None
    ) -> None:
        self._sessions = sessions
        self._embedder = Embedder(embedder.model, embedder.embeddings)  # with a memory of its own
        self._texts_a_call = texts_a_call or embedder.texts_a_call
        self._aside = _SetAside()
        self._written: OrderedDict[str, str | None] = OrderedDict()
        self._rests_until = 0.0

    async def depth(self) -> BacklogDepth:
        """Return how much waits for a vector."""
        async with open_backlog(self._sessions, self._embedder.model) as backlog:
            return await backlog.depth()

    async def fill(
        self,
        *,
        progress: Callable[[int], None] = lambda _: None,
        settled_for: timedelta = timedelta(0),
    ) -> Filled:
        """Embed what waits now, and tell `progress` how many rows each step finished.

        What was written less than `settled_for` ago is left for another time.
        Raises EmbeddingError where the model does not answer, DBAPIError where PostgreSQL does not.
        """
        async with open_backlog(self._sessions, self._embedder.model) as backlog:
            if await backlog.is_empty():
                return Filled()
            async with backlog.turn() as mine:
                if not mine:
                    return Filled(busy=True)
                return await self._fill(backlog, progress, settled_for)

    async def _fill(
        self, backlog: Backlog, progress: Callable[[int], None], settled_for: timedelta
    ) -> Filled:
        embedded = changed = 0
        refused: dict[str, None] = {}
        while rows := await self._take(backlog, settled_for):
            found, failed = await self._embed(rows)
            for row in failed:
                self._set_aside(row, longest=LONGEST_ASIDE_SECONDS)
                refused[row.id] = None
            if not found:
                continue
            kept, vectors = zip(*found, strict=True)
            written = await backlog.write(kept, vectors)
            self._remember(kept)
            embedded += written
            changed += len(kept) - written
            progress(written)
        return Filled(embedded=embedded, changed=changed, refused=tuple(refused))

    async def _take(self, backlog: Backlog, settled_for: timedelta) -> list[WaitingRow]:
        rows = await backlog.take(
            self._texts_a_call,
            without=self._aside.ids(),
            only_pending=time.monotonic() < self._rests_until,
            settled_for=settled_for,
        )
        back = [row for row in rows if row.model and self._is_own_work(row)]
        if not back:
            return rows
        log.error("backfill.rival", model=self._embedder.model, other=back[0].model)
        self._rests_until = time.monotonic() + REST_SECONDS
        return []

    async def _embed(
        self, rows: Sequence[WaitingRow]
    ) -> "tuple[list[tuple[WaitingRow, Vector]], list[WaitingRow]]":
        """Return the rows with their vectors, and those whose text the model refuses by itself."""
        try:
            return list(zip(rows, await self._vectors(rows), strict=True)), []
        except EmbeddingRefused:
            if len(rows) == 1:
                return [], list(rows)
        except EmbeddingError:
            await self._see_whether_it_answers(rows)
        found: list[tuple[WaitingRow, Vector]] = []
        refused: list[WaitingRow] = []
        failures = 0
        waiting = _halves(rows)
        while waiting:
            part = waiting.pop()
            try:
                found += zip(part, await self._vectors(part), strict=True)
                failures = 0
            except EmbeddingError as error:
                failures += not isinstance(error, EmbeddingRefused)
                if failures > MOST_FAILURES:
                    raise
                if len(part) == 1:
                    refused += part
                else:
                    waiting += _halves(part)
        return found, refused

    async def _see_whether_it_answers(self, rows: Sequence[WaitingRow]) -> None:
        """Raise EmbeddingError where the model answers for none of two texts, each by itself."""
        ends = list({row.id: row for row in (rows[0], rows[-1])}.values())
        for row in ends if len(rows) > 1 else ():
            try:
                await self._vectors([row])
            except EmbeddingRefused:
                return
            except EmbeddingError:
                continue
            return
        if len(rows) > len(ends):  # should it be these two after all, the others get their turn
            for row in ends:
                self._set_aside(row, longest=LONGEST_DELAY_SECONDS)
        raise EmbeddingError(f"the embedding model {self._embedder.model} does not answer")

    async def _vectors(self, rows: Sequence[WaitingRow]) -> "list[Vector]":
        return await self._embedder.embed_documents([row.content for row in rows])

    def _set_aside(self, row: WaitingRow, *, longest: float) -> None:
        self._aside.add(row.id, longest=longest)
        log.warning("backfill.set_aside", embedding_id=row.id, model=self._embedder.model)

    def _remember(self, rows: Sequence[WaitingRow]) -> None:
        for row in rows:
            self._aside.until.pop(row.id, None)
            self._written[row.id] = row.content_hash
            self._written.move_to_end(row.id)
        while len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    def _is_own_work(self, row: WaitingRow) -> bool:
        return row.id in self._written and self._written[row.id] == row.content_hash


async def keep_filling(filler: Filler, *, poll_seconds: float = POLL_SECONDS) -> None:
    """Fill until cancelled; what does not answer is tried again later every time."""
    failures = 0
    while True:
        delay = poll_seconds
        try:
            filled = await filler.fill(settled_for=SETTLED_FOR)
        except (EmbeddingError, *UNAVAILABLE) as error:
            failures += 1
            delay = retry_delay(failures, longest=LONGEST_DELAY_SECONDS)
            log.warning(
                "backfill.unavailable",
                reason=type(error).__name__,
                failures=failures,
                retry_seconds=round(delay, 2),
            )
        else:
            failures = 0
            if filled.embedded:
                log.info("backfill.filled", rows=filled.embedded)
        await asyncio.sleep(delay)


@contextlib.asynccontextmanager
async def filling(filler: Filler, *, poll_seconds: float = POLL_SECONDS) -> AsyncIterator[None]:
    """Fill beside the block, and stop at its end."""
    task = asyncio.create_task(keep_filling(filler, poll_seconds=poll_seconds), name="backfill")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _halves(rows: Sequence[WaitingRow]) -> list[Sequence[WaitingRow]]:
    """Return the halves that have something, the first one last: it is the next to be taken."""
    if len(rows) == 1:
        return [rows]
    middle = len(rows) // 2
    return [rows[middle:], rows[:middle]]
