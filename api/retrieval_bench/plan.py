"""How much to measure, and where."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECTIONS: Final = ("search", "throughput", "ingest")
SEED: Final = 20_240_501
LIMIT: Final = 10
TASKS: Final = (1, 4, 8)
"""How many searches are under way at once when the throughput is measured."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much: `queries` and `ingest_rows` are of one round; a hundredth of the rows is real."""

    rows: int = 100_000
    rounds: int = 5
    queries: int = 200
    ingest_rows: int = 2_000
    sections: frozenset[str] = frozenset(SECTIONS)

    @property
    def real_rows(self) -> int:
        """Return how many rows are real sentences through the local model."""
        return min(1_000, self.rows // 100)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where: a `folder` for the server, kept between runs or not; `announce` tells a person."""

    folder: Path
    announce: Callable[[str], None]
