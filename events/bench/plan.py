"""What to measure, and where: given by the edge, which alone knows settings and programs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECTIONS: Final = ("publish", "consume", "parquet", "writes", "visible", "drain", "memory")
BLOCKING_SHARE: Final = 10
"""A confirm for each message is so slow that a tenth of the messages is enough."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much: `messages` and `commits` are of one round, `flush_seconds` is for single commits.

    `memory_events` of 0 leaves the memory out.
    """

    events: int = 200_000
    rounds: int = 5
    messages: int = 20_000
    commits: int = 100
    memory_events: int = 0
    flush_seconds: float = 0.5
    drain_flush_seconds: float = 2.0
    sections: frozenset[str] = frozenset(SECTIONS)

    def has(self, section: str) -> bool:
        """Tell whether a section is to be measured."""
        return section in self.sections and (section != "memory" or self.memory_events > 0)


def read_sections(names: str | None, known: Sequence[str] = SECTIONS) -> frozenset[str]:
    """Return which of the `known` sections `names`, separated by commas, are; None: all of them.

    Raises ValueError for a name that is no section's.
    """
    if names is None:
        return frozenset(known)
    chosen = frozenset(name.strip() for name in names.split(","))
    unknown = sorted(chosen - set(known))
    if unknown:
        raise ValueError(f"no section {', '.join(unknown)}: there are {', '.join(known)}")
    return chosen


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where: a broker to ourselves, migrated databases for the asking, an empty `folder`.

    `program` and `environment` start `goals`; `announce` tells a person what is going on.
    """

    amqp_url: str
    open_database: Callable[[], AbstractContextManager[str]]
    folder: Path
    program: Sequence[str]
    environment: Mapping[str, str]
    announce: Callable[[str], None]
