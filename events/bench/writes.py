"""What recording an event costs a write: the same write with it and without it."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from events.bench.messages import SEED

WRITERS: Final = 8
WARM_UP: Final = 10


class Write(Protocol):
    """One write, committed when it returns; `event` says whether it records its event."""

    async def __call__(self, writer: int, *, event: bool) -> None:
        """Write as `writer` (0 to 7), who never meets another one's rows."""


OpenWrites = Callable[[str], AbstractAsyncContextManager[Mapping[str, Write]]]
"""Open the writes, by name, on the database of this URL."""


@dataclass(frozen=True, kw_only=True)
class WriteTimes:
    """One round of a write: p50 in ms of one writer, and commits a second of eight."""

    p50_with: float
    p50_without: float
    rate_with: float
    rate_without: float


def measure_writes(
    database_url: str, open_writes: OpenWrites, *, commits: int
) -> dict[str, WriteTimes]:
    """Return one round of each write: `commits` pairs by one writer, then as many by each of 8."""
    return asyncio.run(_measure(database_url, open_writes, commits=commits))


async def _measure(
    database_url: str, open_writes: OpenWrites, *, commits: int
) -> dict[str, WriteTimes]:
    async with open_writes(database_url) as writes:
        return {name: await _measure_one(write, commits) for name, write in writes.items()}


async def _measure_one(write: Write, commits: int) -> WriteTimes:
    for event in (True, False):
        await _rate(write, each=WARM_UP, event=event)
    chance = random.Random(SEED)  # noqa: S311 - which of a pair goes first is no secret
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(commits):
        for event in chance.sample((True, False), 2):
            started = time.perf_counter()
            await write(0, event=event)
            seconds[event].append(time.perf_counter() - started)

    each = max(1, commits // 4)
    rates: dict[bool, list[float]] = {True: [], False: []}
    for event in (True, False, False, True) * 2:
        rates[event].append(await _rate(write, each=each, event=event))
    return WriteTimes(
        p50_with=statistics.median(seconds[True]) * 1e3,
        p50_without=statistics.median(seconds[False]) * 1e3,
        rate_with=statistics.mean(rates[True]),
        rate_without=statistics.mean(rates[False]),
    )


async def _rate(write: Write, *, each: int, event: bool) -> float:
    """Return the commits a second of eight writers at once, `each` one after another."""

    async def work(writer: int) -> None:
        for _ in range(each):
            await write(writer, event=event)

    started = time.perf_counter()
    await asyncio.gather(*(work(writer) for writer in range(WRITERS)))
    return WRITERS * each / (time.perf_counter() - started)
