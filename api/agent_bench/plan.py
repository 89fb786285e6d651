"""How much to measure, and where."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECTIONS: Final = (
    "suggest", "validate", "throughput", "stream", "streams", "crud", "imports",
)  # fmt: skip
AT_ONCE: Final = 16
"""Requests that are under way at once where the throughput is measured."""
CONCURRENCIES: Final = (1, 16, 64)
"""Requests that are under way at once where plain reads and writes are measured."""
MODEL: Final = "stub-model-1"
EVIDENCE: Final = "evidence-seconds"
"""The header that says how long a request's evidence took."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much: `requests` and `burst` are of one round; `streams` are open at once, `steps` long.

    `crud` counts the requests of one kind and one concurrency; `imports` counts the fresh
    interpreters of one round for each thing that is imported.
    """

    rounds: int = 5
    requests: int = 40
    burst: int = 320
    streams: int = 500
    steps: int = 20
    crud: int = 256
    imports: int = 2
    learners: int = 64
    sections: frozenset[str] = frozenset(SECTIONS)

    @property
    def needs_service(self) -> bool:
        """Tell whether the service is to be started at all."""
        return self.sections != {"imports"}


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where: an empty `folder`, to be removed afterwards; `announce` tells a person."""

    folder: Path
    announce: Callable[[str], None]
