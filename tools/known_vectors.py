"""Vectors that were known before their rows are stored once the rows are committed.

An insert into HNSW takes ten times as long as one without: the transaction that an answer waits for
leaves the chunk pending, as if nobody knew its vector, and it follows here a moment later. Whatever
becomes of this process, `tools/backfill.py` gives it its vector.
"""

from collections.abc import Sequence
from typing import Final

from db.embeddings import Embeddings, KnownVector
from db.engine import UNAVAILABLE
from tools.context import OpenTools
from tools.logs import LazyLogger
from tools.when_quiet import WhenQuiet

log = LazyLogger(__name__)

Given = tuple[OpenTools, Sequence[KnownVector]]


class KnownVectors:
    """Stores vectors when it is quiet, those of each transaction in one of their own.

    Those of more transactions than may wait are left to the backfill.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._later: Final = WhenQuiet[Given](_store, "known vectors")

    def add(self, open_tools: OpenTools, known: Sequence[KnownVector]) -> None:
        """Store these vectors soon, as the user whom `open_tools` speaks for."""
        self._later.add((open_tools, known))

    async def aclose(self) -> None:
        """Store what waits, at once."""
        await self._later.finish()


async def _store(given: Sequence[Given]) -> None:
    for open_tools, known in given:
        try:
            async with open_tools() as tools:
                embeddings = Embeddings(tools.session, tools.user_id)
                await embeddings.give(known, model=tools.embedder.model)
        except UNAVAILABLE as error:
            log.warning("vectors.left_to_backfill", reason=type(error).__name__)
