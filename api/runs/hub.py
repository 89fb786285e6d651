"""Runs of this process: begun, told of, cancelled, ended, and those of stopped processes taken up.

A run belongs to nobody's connection. Whoever holds its lease works on it; who finds a lease that is
over begins the run again, which writes nothing twice (`agent/run.py`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import IntegrityError

from agent.context import HISTORY_MESSAGES, LATEST_GOALS, OPEN_TASKS
from agent.review import Action, Decisions, as_json, complete
from agent.run import require_possible
from agent.stream import ENDS, Gap
from api.runs.log import STOPPING, EventLog, Live, Stored, follow_live
from api.runs.tasks import RunTasks
from api.runs.work import Work, first_event
from db.base import new_id
from db.conversation_models import Interrupt, Run
from db.engine import UNAVAILABLE, make_in_flight, make_writes
from db.in_flight import InFlight
from db.run_events import NOTHING_TOLD, ToldBefore, events_after, told_before
from db.runs import Runs, claim_expired, renew_leases
from tools.logs import LazyLogger, bind_log
from tools.runs import (
    Begun,
    Lease,
    Opening,
    Said,
    begin_decision,
    begin_talk,
    get_question,
    get_run,
    plan_talk,
)

if TYPE_CHECKING:
    from api.bootstrap import Services

log = LazyLogger(__name__)
RENEWALS_A_LEASE: Final = 5
TAKEN_EVERY_SECONDS: Final = 1.0
"""How soon a run that was handed back, or whose process has died, goes on here."""
POLL_SECONDS: Final = 0.25
TAKEN_AT_ONCE: Final = 20
HEARTBEAT_SECONDS: Final = 10.0
PAGE: Final = 1_000


@dataclass
class RunHub:
    """All runs of one process; open it with `open_hub`."""

    services: "Services"
    log: EventLog
    in_flight: InFlight
    worker: str = field(default_factory=lambda: new_id("run"))
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when this process begins no more runs: what it is asked for, another one does."""
    _handed_back: bool = False
    _leases: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: RunTasks = field(init=False)

    def __post_init__(self) -> None:
        """Work on nothing yet."""
        self._tasks = RunTasks(self.services, self.log, self.worker)

    @property
    def active(self) -> int:
        """Return the number of runs that this process works on."""
        return len(self._tasks)

    def lease(self) -> Lease:
        """Return a lease that begins now; one that is over where this process is about to end."""
        seconds = 0.0 if self.stopping.is_set() else self.services.settings.run_lease
        return Lease(self.worker, self.services.now() + timedelta(seconds=seconds))

    async def talk(
        self,
        user_id: str,
        *,
        message: str,
        language: str | None = None,
        run_id: str | None = None,
        thread_id: str | None = None,
        must_exist: bool = False,
        history: Sequence[Said] = (),
        durable: bool = True,
    ) -> Begun:
        """Begin a run with what the user says: see `tools.runs.begin_talk`.

        Its graph begins while it is stored. A run that is not `durable` at once is like its events:
        where PostgreSQL itself crashes in the next half second it may be gone, and whoever listens
        to it hears no end.
        """
        new = plan_talk(
            message=message,
            language=language,
            lease=self.lease(),
            run_id=run_id,
            thread_id=thread_id,
            must_exist=must_exist,
            history=history,
        )
        opening = self._opening(first_event(new.run_id, new.thread_id))

        async def store(*, again: bool = False) -> Begun:
            async with self.services.open_tools(user_id) as tools:
                if durable:
                    await tools.session.connection()
                return await begin_talk(tools, new, opening=opening, again=again)

        run = new.as_run(user_id, self.services.now())
        with self._tasks.begin_beside(run, told=opening.first_event) as go_on:
            try:
                begun = await store()
            except IntegrityError:  # the same run, or another of the same thread, at this moment
                begun = await store(again=True)
            bind_log(run_id=begun.run.id)
            if begun.start is not None and not self.stopping.is_set():
                go_on(begun.start)
        return begun

    def _opening(self, first: str) -> Opening:
        assert self.services.agent is not None, "runs need the agent"
        return Opening(
            first_event=first,
            budget=self.services.budget,
            model=self.services.agent.chat.name,
            messages=HISTORY_MESSAGES - 1,
            goals=LATEST_GOALS,
            tasks=OPEN_TASKS,
        )

    async def decide(
        self,
        user_id: str,
        interrupt_id: str,
        decided: Decisions,
        *,
        rest: Action | None = None,
        run_id: str | None = None,
        message: str | None = None,
    ) -> Begun:
        """Answer a question and begin the run that does what was decided.

        Raises NotFound, InputError, InterruptStale or RunActive; then nothing has changed.
        """
        async with self.services.open_tools(user_id) as tools:
            question = await get_question(tools, interrupt_id)
            decisions = complete(question.items, decided, rest=rest)
            require_possible(question.kind, question.draft or {}, decisions)
            begun = await begin_decision(
                tools,
                question,
                decisions=as_json(decisions),
                lease=self.lease(),
                run_id=run_id,
                message=message,
            )
        bind_log(run_id=begun.run.id)
        if begun.is_new:
            self._begin(begun.run, question=question)
        return begun

    async def cancel(self, user_id: str, run_id: str) -> Run:
        """Cancel a run, wherever it is worked on, and return it as it is now. Raises NotFound."""
        async with self.services.open_tools(user_id) as tools:
            await get_run(tools, run_id)
            runs = Runs(tools.session, user_id)
            if not await runs.request_cancel(run_id):
                await runs.cancel_waiting(run_id, at=tools.now)
        mine = self._tasks.get(run_id)
        if mine is not None:
            mine.cancel()
            await asyncio.wait([mine.task])
        async with self.services.open_tools(user_id) as tools:
            return await get_run(tools, run_id)

    async def under_way(self, run_id: str) -> None:
        """Return when the run's first step has begun; at once, where it is not worked on here.

        An answer that begins behind that does not hold up the call of the model.
        """
        mine = self._tasks.get(run_id)
        if mine is not None:
            await mine.work.live.under_way()

    async def follow(
        self, user_id: str, run_id: str, *, after: int = 0, early: bool = False
    ) -> AsyncIterator[Stored | None]:
        """Yield the run's events behind number `after`, to its end; None is a heartbeat.

        Events that are gone are announced by a gap. The run must be the user's. Where this process
        ends before the run, the last one is STOPPING. `early` are events that are not stored yet:
        in a process that dies at this moment they have never been.
        """
        seen = after
        while True:
            mine = self._tasks.get(run_id)
            if mine is not None and seen + 1 >= mine.work.live.first_seq:
                live = mine.work.live
                shown = follow_live(live, seen, heartbeat=HEARTBEAT_SECONDS, early=early)
                async for event in shown:
                    if event is not None:
                        seen = event.seq
                    yield event
                    if event is not None and event.type in ENDS:
                        return
                if live.failed:
                    seen = min(seen, live.last_stored)
                continue
            async for event in self._follow_stored(user_id, run_id, seen):
                if event is None:
                    yield None
                    break
                seen = event.seq or seen
                yield event
                if event.type in ENDS or event is STOPPING:
                    return
            else:
                return

    async def _follow_stored(
        self, user_id: str, run_id: str, seen: int
    ) -> AsyncIterator[Stored | None]:
        """Yield what is stored; None where the run goes on somewhere, nothing where it is over."""
        waited = 0.0
        while True:
            async with self.services.open_tools(user_id) as tools:
                run = await get_run(tools, run_id)
                found = await events_after(
                    tools.session, user_id=user_id, run_id=run_id, seq=seen, limit=PAGE
                )
            for event in found:
                if event.seq > seen + 1:
                    gap = Gap(first=seen + 1, last=event.seq - 1)
                    yield Stored(event.seq - 1, gap.type, gap.model_dump_json())
                yield Stored(event.seq, event.type, event.data)
                seen = event.seq
            if found:
                continue
            if run.state != "running":
                return
            if self._handed_back:
                yield STOPPING
                return
            if run_id in self._tasks:
                yield None
                return
            await asyncio.sleep(POLL_SECONDS)
            waited += POLL_SECONDS
            if waited >= HEARTBEAT_SECONDS:
                yield None
                return

    def _begin(
        self,
        run: Run,
        *,
        question: Interrupt | None = None,
        told: ToldBefore = NOTHING_TOLD,
    ) -> None:
        if self.stopping.is_set():
            return
        work = Work(
            run=run,
            user_id=run.user_id,
            live=Live(run.id, told.next_seq),
            worker=self.worker,
            question=question,
            attempt=told.attempts + 1,
            cancelled=run.cancel_requested,
        )
        self._tasks.begin(work)

    async def keep(self) -> None:
        """Hold the leases of the runs here, and take up what nobody holds, until cancelled."""
        while True:
            try:
                async with self._leases:
                    await self._renew()
                if not self.stopping.is_set():
                    await self.take_over()
            except UNAVAILABLE as error:
                log.warning("runs.database", reason=type(error).__name__)
            except Exception:  # one odd run must not cost the others their leases
                log.exception("runs.keep")
            pause = self.services.settings.run_lease / RENEWALS_A_LEASE
            await asyncio.sleep(min(pause, TAKEN_EVERY_SECONDS))

    async def _renew(self) -> None:
        if not self._tasks:
            return
        async with self.services.system.begin() as session:
            cancelled = await renew_leases(
                session,
                worker=self.worker,
                run_ids=list(self._tasks),
                until=self.lease().until,
            )
        for run_id in cancelled:
            mine = self._tasks.get(run_id)
            if mine is not None:
                mine.cancel()

    async def take_over(self) -> int:
        """Begin again the runs whose process has gone; return how many."""
        async with self.services.system.begin() as session:
            runs = await claim_expired(
                session,
                now=self.services.now(),
                worker=self.worker,
                lease_until=self.lease().until,
                limit=TAKEN_AT_ONCE,
            )
            found = [(run, await told_before(session, run.id)) for run in runs]
        for run, told in found:
            if run.id in self._tasks:  # this process stood still longer than its lease
                continue
            log.warning("run.taken_over", run_id=run.id, attempt=told.attempts + 1)
            question = None
            if "interrupt_id" in run.request:
                async with self.services.open_tools(run.user_id) as tools:
                    question = await get_question(tools, run.request["interrupt_id"])
            self._begin(run, question=question, told=told)
        return len(found)

    async def drain(self, *, patience: float) -> None:
        """Begin nothing more, let what is under way end for `patience` seconds, hand back the rest.

        Who still listens then is told: see STOPPING.
        """
        self.stopping.set()
        if self._tasks:
            await asyncio.wait([one.task for one in self._tasks.values()], timeout=patience)
        await self.close()

    async def close(self) -> None:
        """Stop all runs here and hand them back, so that another process takes them up at once."""
        self.stopping.set()
        try:
            await self._hand_back()
        finally:
            self._handed_back = True

    async def _hand_back(self) -> None:
        tasks = list(self._tasks.values())
        for one in tasks:
            if not one.work.ending:
                one.task.cancel()
        if not tasks:
            return
        await asyncio.wait([one.task for one in tasks])
        with contextlib.suppress(*UNAVAILABLE):
            async with self._leases, self.services.system.begin() as session:
                await renew_leases(
                    session,
                    worker=self.worker,
                    run_ids=[one.work.run.id for one in tasks],
                    until=self.services.now(),
                )


@contextlib.asynccontextmanager
async def open_hub(services: "Services") -> AsyncIterator[RunHub]:
    """Yield the hub of this process, at work until the end of the block."""
    writes = make_writes(services.database_url)
    in_flight = make_in_flight(services.app_url)
    hub = RunHub(services, EventLog(writes), in_flight)
    writing = asyncio.create_task(hub.log.run(), name="run-events")
    keeping = asyncio.create_task(hub.keep(), name="run-leases")
    try:
        yield hub
    finally:
        keeping.cancel()
        await hub.close()
        writing.cancel()
        await asyncio.wait([keeping, writing])
        writes.close()
        await in_flight.close()
