"""The events of runs: stored in groups, and only then shown to those who follow.

What a client has seen can therefore be replayed, whatever becomes of this process. The commits do
not wait for the disk: after a crash of PostgreSQL itself the last half second of a run that had not
ended may be missing, which a follower is told as a gap.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.exc import IntegrityError

from agent.stream import ENDS, RunEvent
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
    """An event of a run with its place in it; `data` is its JSON text."""

    seq: int
    type: str
    data: str


STOPPING: Final = Stored(0, "stopping", '{"type":"stopping"}')
"""What who follows gets last where this process ends before the run; it has no place in the run."""


@dataclass
class Live:
    """A run of this process: what is stored of it since it began here, for those who follow."""

    run_id: str
    first_seq: int
    events: list[Stored] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    """Nothing more comes from this process; the last event tells whether the run has ended."""
    failed: bool = False
    """Some of its events could not be stored: it cannot go on here."""

    def add(self, events: Sequence[Stored]) -> None:
        """Show more events."""
        self.events.extend(events)
        self.over = self.over or events[-1].type in ENDS
        self.wake()

    def wake(self) -> None:
        """Let all who wait look again."""
        self.changed.set()
        self.changed = asyncio.Event()


async def follow_live(live: Live, seen: int, *, heartbeat: float) -> AsyncIterator[Stored | None]:
    """Yield what a run of this process has shown and shows; ends where no more comes from here.

    None comes after each silence of `heartbeat` seconds.
    """
    at = seen + 1 - live.first_seq
    while True:
        changed = live.changed
        while at < len(live.events):
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
        """Have an event stored and then shown; returns before it is.

        Raises LogFailed where one before it could not be stored.
        """
        if live.failed:
            raise LogFailed(live.run_id)
        await self._queue.put((live, as_row(live.run_id, seq, event, at=utc_now())))

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
                self._take_all(taken)
            by_run: dict[str, list[Written]] = {}
            for one in taken:
                if isinstance(one, tuple):
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
    shown: dict[str, tuple[Live, list[Stored]]] = {}
    for live, row in group:
        shown.setdefault(live.run_id, (live, []))[1].append(Stored(row[1], row[2], str(row[3])))
    for live, events in shown.values():
        live.add(events)


def _fail(group: Sequence[Written]) -> None:
    for live, _ in group:
        live.failed = True
