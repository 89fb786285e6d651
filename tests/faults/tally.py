"""What the fault tests did and found, in numbers."""

from dataclasses import dataclass, fields
from pathlib import Path

from sqlalchemy import Engine

from tests.event_path import count
from tests.lake_oracle import count_differences


@dataclass
class Tally:
    """Sums over all fault tests of a run."""

    kills: int = 0
    stalls: int = 0
    events: int = 0
    lost: int = 0
    doubled: int = 0
    unreadable: int = 0

    def add(
        self, engine: Engine, lake: Path, *, kills: int = 0, stalls: int = 0, unreadable: int = 0
    ) -> None:
        """Add one test's kills and stalls, and what they did to its events and its lake."""
        lost, doubled = count_differences(engine, lake)
        self.kills += kills
        self.stalls += stalls
        self.events += count(engine, "true")
        self.lost += lost
        self.doubled += doubled
        self.unreadable += unreadable

    def include(self, other: "Tally") -> None:
        """Add the sums of another process."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def __str__(self) -> str:
        """Return the sums as one line."""
        return (
            f"{self.kills} processes killed, {self.stalls} stopped and continued, "
            f"{self.events} events: {self.lost} lost, {self.doubled} doubled, "
            f"{self.unreadable} files unreadable"
        )
