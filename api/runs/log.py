"""The events of runs: stored in groups, and only then shown to those who follow.

What a client has seen can therefore be replayed, whatever becomes of this process. Who cannot name
an event, to go on behind it, follows `early`: what is told, all but the end, before it is stored.
The commits do
not wait for the disk: after a crash of PostgreSQL itself the last half second of a run that had not
ended may be missing, which a follower is told as a gap.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.exc import IntegrityError

from agent.stream import RunEvent
from db.base import utc_now
from db.engine import UNAVAILABLE
from db.reads import Reads
from db.run_events import NewEvent, append_past
from tools.logs import LazyLogger

log = LazyLogger(__name__)
WAITING: Final = 20_000
"""Events that may wait to be stored; whoever has more to tell waits with them."""
GROUP: Final = 1_000
STEPS: Final = frozenset({"step_started", "step_finished"})
STEPS_WAIT_SECONDS: Final = 0.02
"""For so long steps wait for what comes after them, to be stored with it."""
RETRY_SECONDS: Final = 0.2
GIVE_UP_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Stored:
    """An event of a run as it is stored, with its place in the run; `data` is its JSON text."""

    seq: int
    type: str
    data: str


STOPPING: Final = Stored(0, "stopping", '{"type":"stopping"}')
"""What who follows gets last where this process ends before the run; it has no place in the run."""


@dataclass
class Live:
    """A run of this process: what was told of it since it began here, for those who follow.

    Of the `events` the first `stored` are stored; all those that it begins with are.
    """

    run_id: str
    first_seq: int
    events: list[Stored] = field(default_factory=list)
    stored: int = field(init=False)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    """Nothing more comes from this process; the last event tells whether the run has ended."""
    failed: bool = False
    """Some of its events could not be stored: it cannot go on here."""

    def __post_init__(self) -> None:
        """Count what is stored."""
        self.stored = len(self.events)

    @property
    def last_stored(self) -> int:
        """Return the place of the last event that is stored."""
        return self.first_seq - 1 + self.stored

    async def under_way(self) -> None:
        """Return when more was told than that the run has begun, or nothing more comes."""
        while len(self.events) < 2 and not self.over:
            await self.told.wait()

    def tell(self, event: Stored) -> None:
        """Show an event that is yet to be stored to those who follow early."""
        self.events.append(event)
        self.told.set()
        self.told = asyncio.Event()

    def show(self, count: int) -> None:
        """Show so many more events to everybody: they are stored."""
        self.stored += count
        self.changed.set()
        self.changed = asyncio.Event()

    def end(self, last: Stored | None = None) -> None:
        """Show the run's last event, where it has ended here; nothing more comes."""
        self.over = True
        if last is not None:
            self.tell(last)
            self.show(1)
        else:
            self.told.set()
            self.changed.set()


async def follow_live(
    live: Live, seen: int, *, heartbeat: float, early: bool = False
) -> AsyncIterator[Stored | None]:
    """Yield what a run of this process has shown and shows; ends where no more comes from here.

    None comes after each silence of `heartbeat` seconds.
    """
    at = seen + 1 - live.first_seq
    while True:
        changed = live.told if early else live.changed
        while at < (len(live.events) if early else live.stored):
            yield live.events[at]
            at += 1
        if live.over:
            return
        try:
            async with asyncio.timeout(heartbeat):
                await changed.wait()
        except TimeoutError:
            yield None


Written = tuple[Live, NewEvent]
Waiting = Written | asyncio.Future[None]


class LogFailed(Exception):
    """Events of a run could not be stored: the database is gone for too long, or the run is."""


class EventLog:
    """Stores the events of this process's runs, many runs in one statement."""

    def __init__(self, writes: Reads) -> None:
        self._writes = writes
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(WAITING)

    async def write(self, live: Live, seq: int, event: RunEvent) -> None:
        """Have an event told, stored and then shown; returns before it is stored.

        Raises LogFailed where one before it could not be stored.
        """
        if live.failed:
            raise LogFailed(live.run_id)
        row = as_row(live.run_id, seq, event, at=utc_now())
        await self._queue.put((live, row))
        live.tell(Stored(seq, event.type, str(row[3])))

    async def flush(self, live: Live) -> None:
        """Return when all that was written before is stored. Raises LogFailed where it is not."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put(done)
        await done
        if live.failed:
            raise LogFailed(live.run_id)

    async def run(self) -> None:
        """Store what comes, until cancelled."""
        while True:
            taken = [await self._queue.get()]
            self._take_all(taken)
            if all(_can_wait(one) for one in taken):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STEPS_WAIT_SECONDS):
                        while _can_wait(taken[-1]):
                            taken.append(await self._queue.get())
            await asyncio.sleep(0)  # who follows early sends these before they are stored
            self._take_all(taken)
            by_run: dict[str, list[Written]] = {}
            for one in taken:
                if isinstance(one, tuple) and not one[0].failed:
                    by_run.setdefault(one[0].run_id, []).append(one)
            await self._keep(by_run)
            for one in taken:
                if isinstance(one, asyncio.Future) and not one.done():
                    one.set_result(None)
            await asyncio.sleep(0)  # who follows sends these before the next are stored

    def _take_all(self, taken: list[Waiting]) -> None:
        while len(taken) < GROUP and not self._queue.empty():
            taken.append(self._queue.get_nowait())

    async def _keep(self, by_run: Mapping[str, Sequence[Written]]) -> None:
        """Store a group and show it; where a run is gone, the others' events are stored alone."""
        groups = [[one for written in by_run.values() for one in written]]
        while groups:
            group = groups.pop()
            try:
                await self._store([row for _, row in group])
            except IntegrityError:
                if len({live.run_id for live, _ in group}) > 1:
                    groups.extend(list(written) for written in by_run.values())
                    continue
                _fail(group)
            except LogFailed:
                _fail(group)
            else:
                _show(group)

    async def _store(self, rows: Sequence[NewEvent]) -> None:
        if not rows:
            return
        began = asyncio.get_running_loop().time()
        while True:
            try:
                await append_past(self._writes, rows)
            except IntegrityError:
                raise
            except UNAVAILABLE as error:
                log.warning("run_events.database", reason=type(error).__name__)
                if asyncio.get_running_loop().time() - began > GIVE_UP_SECONDS:
                    raise LogFailed(type(error).__name__) from error
                await asyncio.sleep(RETRY_SECONDS)
                continue
            return


def as_row(run_id: str, seq: int, event: RunEvent, *, at: datetime) -> NewEvent:
    """Return an event as it is stored."""
    return run_id, seq, event.type, event.model_dump_json(), at


def _can_wait(one: Waiting) -> bool:
    return isinstance(one, tuple) and one[1][2] in STEPS


def _show(group: Sequence[Written]) -> None:
    counts = Counter(live.run_id for live, _ in group)
    for live in {live.run_id: live for live, _ in group}.values():
        live.show(counts[live.run_id])


def _fail(group: Sequence[Written]) -> None:
    for live, _ in group:
        live.failed = True
