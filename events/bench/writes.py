"""What recording an event costs a write: the same transaction with it and without it."""

import asyncio
import random
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.engine import Sessions, make_engine, make_sessions
from db.enums import GoalPriority, GoalStatus
from db.events import GoalCreated
from db.goals import Goals
from db.models import Goal
from db.outbox import record
from events.bench.messages import SEED, user_ids

WRITERS: Final = 8
WARM_UP: Final = 5


class Write(Protocol):
    """What a transaction does; `event` says whether it records its event."""

    async def __call__(self, session: AsyncSession, writer: int, *, event: bool) -> None:
        """Write as `writer` (0 to 7), who never meets another one's rows."""


@dataclass(frozen=True, kw_only=True)
class WriteTimes:
    """One round of a write: p50 in ms of one writer, and commits a second of eight."""

    p50_with: float
    p50_without: float
    rate_with: float
    rate_without: float


def make_goal(writer: int) -> Goal:
    """Return a new goal of the learner whom this writer is."""
    now = datetime.now(UTC)
    return Goal(
        id=new_id("gol"),
        user_id=user_ids()[writer],
        title="Escribir una API que valide los datos con pydantic",
        description="Con pruebas para cada error.",
        status=GoalStatus.PENDING,
        priority=GoalPriority.MEDIUM,
        progress_percentage=0.0,
        ai_generated=False,
        created_at=now,
        updated_at=now,
    )


async def insert_goal(session: AsyncSession, writer: int, *, event: bool) -> None:
    """Insert one goal, and record GOAL_CREATED: the least that a transaction can do."""
    row = make_goal(writer)
    user_id = user_ids()[writer]
    Goals(session, user_id).add(row)
    if event:
        created = GoalCreated(
            goal_id=row.id,
            title=row.title,
            course_id=None,
            priority=row.priority.value,
            ai_generated=False,
        )
        record(session, created, user_id=user_id, source="api", at=row.created_at)


def measure_writes(
    database_url: str, writes: Mapping[str, Write], *, commits: int
) -> dict[str, WriteTimes]:
    """Return one round of each write: `commits` pairs by one writer, then eight at once."""
    return asyncio.run(_measure(database_url, writes, commits=commits))


async def _measure(
    database_url: str, writes: Mapping[str, Write], *, commits: int
) -> dict[str, WriteTimes]:
    engine = make_engine(database_url)
    try:
        sessions = make_sessions(engine)
        return {
            name: await _measure_one(sessions, write, commits=commits)
            for name, write in writes.items()
        }
    finally:
        await engine.dispose()


async def _measure_one(sessions: Sessions, write: Write, *, commits: int) -> WriteTimes:
    for event in (True, False):
        await _rate(sessions, write, each=WARM_UP, event=event)
    chance = random.Random(SEED)  # noqa: S311 - which of a pair goes first is no secret
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(commits):
        for event in chance.sample((True, False), 2):
            started = time.perf_counter()
            await _commit(sessions, write, writer=0, event=event)
            seconds[event].append(time.perf_counter() - started)

    each = max(1, commits // 4)
    rates: dict[bool, list[float]] = {True: [], False: []}
    for event in (True, False, False, True):
        rates[event].append(await _rate(sessions, write, each=each, event=event))
    return WriteTimes(
        p50_with=statistics.median(seconds[True]) * 1e3,
        p50_without=statistics.median(seconds[False]) * 1e3,
        rate_with=statistics.mean(rates[True]),
        rate_without=statistics.mean(rates[False]),
    )


async def _rate(sessions: Sessions, write: Write, *, each: int, event: bool) -> float:
    """Return the commits a second of eight writers at once, `each` one after another."""

    async def work(writer: int) -> None:
        for _ in range(each):
            await _commit(sessions, write, writer=writer, event=event)

    started = time.perf_counter()
    await asyncio.gather(*(work(writer) for writer in range(WRITERS)))
    return WRITERS * each / (time.perf_counter() - started)


async def _commit(sessions: Sessions, write: Write, *, writer: int, event: bool) -> None:
    async with sessions.begin() as session:
        await write(session, writer, event=event)
