"""Writers that go on recording events while whoever carries them away is killed.

Goals are real rows, written with their events in one transaction; some transactions roll back, and
some commit after others that began later. What happens is drawn from a seed.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.engine import Sessions, make_engine, make_sessions
from db.enums import EventType
from db.events import CATALOGUE, DomainEvent, GoalCreated, GoalUpdated
from db.models import Goal
from db.outbox import record
from tests.event_samples import sample

WRITERS: Final = 3
PAUSE_SECONDS: Final = 0.03
PAUSE_WHEN_ENOUGH_SECONDS: Final = 0.2
FAMILIES: Final = sorted({each.family for each in EventType} - {"goal"})
LAST_INSTANT: Final = datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
INSTANTS: Final = (
    (LAST_INSTANT, LAST_INSTANT + timedelta(microseconds=1)),
    (LAST_INSTANT, datetime(2024, 2, 29, 12, tzinfo=UTC)),
    (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
)
"""Pairs of moments: both sides of a month's end, a leap day, and where clocks are set over."""


class _RolledBack(Exception):
    """The transaction is given up on purpose."""


@dataclass
class Ledger:
    """What is known to have been committed; `enough` is set when it is as much as was asked for.

    An event's mark is the source that it names.
    """

    wanted: int
    committed: set[str] = field(default_factory=set)
    rolled_back: int = 0
    enough: threading.Event = field(default_factory=threading.Event)

    def note(self, marks: list[str]) -> None:
        """Add the events of a transaction that was committed."""
        self.committed.update(marks)
        if len(self.committed) >= self.wanted:
            self.enough.set()


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Which events are recorded: of which types, at which moments, with titles of which length."""

    types: tuple[EventType, ...]
    instants: tuple[datetime, ...]
    longest_title: int

    @classmethod
    def draw(cls, random_numbers: random.Random) -> "Mix":
        """Return a mix of up to four families in up to two months."""
        chosen = random_numbers.sample(FAMILIES, random_numbers.randint(1, 3))
        return cls(
            types=tuple(each for each in CATALOGUE if each.family in chosen),
            instants=random_numbers.choice(INSTANTS)[: random_numbers.randint(1, 2)],
            longest_title=random_numbers.choice([20, 500]),
        )


@contextlib.contextmanager
def open_writers(database_url: str, mix: Mix, *, seed: int, wanted: int) -> Iterator[Ledger]:
    """Record events of `mix` until the block ends, and `wanted` of them at least."""
    ledger = Ledger(wanted)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(
            lambda: asyncio.run(_write(database_url, mix, seed=seed, ledger=ledger, stop=stop))
        )
        try:
            yield ledger
            while not ledger.enough.wait(0.1) and not written.done():
                pass
        finally:
            stop.set()
            written.result()


async def _write(
    database_url: str, mix: Mix, *, seed: int, ledger: Ledger, stop: threading.Event
) -> None:
    engine = make_engine(database_url)
    sessions = make_sessions(engine)
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                one = _Writer(sessions, mix, ledger, random.Random(f"{seed} {number}"))
                group.create_task(one.write_until(stop))
    finally:
        await engine.dispose()


class _Writer:
    """One of those who write at the same time."""

    def __init__(
        self, sessions: Sessions, mix: Mix, ledger: Ledger, random_numbers: random.Random
    ) -> None:
        self._sessions = sessions
        self._mix = mix
        self._ledger = ledger
        self._random = random_numbers
        self._goals: list[str] = []

    async def write_until(self, stop: threading.Event) -> None:
        """Write one transaction after the other, slower when there are events enough."""
        while not stop.is_set():
            await self._transact()
            await asyncio.sleep(PAUSE_WHEN_ENOUGH_SECONDS if self._ledger.enough.is_set() else 0)

    async def _transact(self) -> None:
        try:
            async with self._sessions.begin() as session:
                marks, goals = await self._change(session)
                if self._random.random() < 0.2:  # others that began later commit before this one
                    await asyncio.sleep(PAUSE_SECONDS)
                if self._random.random() < 0.2:
                    raise _RolledBack
        except _RolledBack:
            self._ledger.rolled_back += 1
            return
        self._goals += goals
        self._ledger.note(marks)

    async def _change(self, session: AsyncSession) -> tuple[list[str], list[str]]:
        """Make a few changes; return the marks of their events and the ids of the new goals."""
        marks: list[str] = []
        goals: list[str] = []
        for _ in range(self._random.randint(1, 6)):
            draw = self._random.random()
            if draw < 0.2:
                goals.append(new_id("gol"))
                event: DomainEvent = self._create_goal(session, goals[-1])
            elif draw < 0.4 and self._goals:
                event = await self._change_goal(session, self._random.choice(self._goals))
            else:
                event = self._make_fact(self._random.choice(self._mix.types))
            marks.append(new_id("evt"))
            at = self._random.choice(self._mix.instants)
            record(session, event, user_id=None, source=marks[-1], at=at)
        return marks, goals

    def _make_fact(self, event_type: EventType) -> DomainEvent:
        """Return an event about an entity of its own, which has no row."""
        event = sample(event_type)
        own = {each.name: new_id("tsk") for each in fields(event) if each.name.endswith("_id")}
        return replace(event, **own)

    def _create_goal(self, session: AsyncSession, goal_id: str) -> DomainEvent:
        title = "ñ" * self._random.randint(1, self._mix.longest_title)
        session.add(Goal(id=goal_id, title=title, meta={"changes": 0}))
        return GoalCreated(
            goal_id=goal_id, title=title, course_id=None, priority="medium", ai_generated=False
        )

    async def _change_goal(self, session: AsyncSession, goal_id: str) -> DomainEvent:
        goal = await session.get_one(Goal, goal_id, with_for_update=True)
        goal.meta = {"changes": (goal.meta or {})["changes"] + 1}
        return GoalUpdated(goal_id=goal_id, title=goal.title, changed=("metadata",))
