"""The runs that this process works on, each of them a task of its own."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.metrics import ACTIVE_RUNS
from api.runs.log import EventLog, Live, Stored
from api.runs.work import RUN_STARTED, Work, work_on
from db.conversation_models import Run
from tools.logs import LazyLogger, bind_log
from tools.runs import Start

if TYPE_CHECKING:
    from api.bootstrap import Services

log = LazyLogger(__name__)


@dataclass(frozen=True)
class RunTask:
    """A run and the task that works on it."""

    work: Work
    task: "asyncio.Task[None]"

    def cancel(self) -> None:
        """Cancel the run as its user wants; one that is ending ends as it would."""
        if not self.work.ending:
            self.work.cancelled = True
            self.task.cancel()


@dataclass(eq=False)
class RunTasks(Mapping[str, RunTask]):
    """The tasks of one process's runs, by the run's id; one that is done is gone from here."""

    services: "Services"
    events: EventLog
    worker: str
    _tasks: dict[str, RunTask] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of runs that this process works on."""
        return len(self._tasks)

    def __iter__(self) -> Iterator[str]:
        """Yield their ids."""
        return iter(self._tasks)

    def __getitem__(self, run_id: str) -> RunTask:
        """Return the run's task. Raises KeyError where this process does not work on it."""
        return self._tasks[run_id]

    def begin(self, work: Work) -> None:
        """Work on a run that is stored."""
        self._tasks[work.run.id] = self._start(work)

    @contextlib.contextmanager
    def begin_beside(self, run: Run, *, told: str) -> Iterator[Callable[[Start], None]]:
        """Begin a run beside the block that stores it, with `told`, its first event's JSON.

        What the block gets lets the stored run go on with what was read. Until then it tells
        nothing, asks nothing and keeps nothing; where it is never called, there was no run.
        """
        start: asyncio.Future[Start] = asyncio.get_running_loop().create_future()
        live = Live(run.id, 1, [Stored(1, RUN_STARTED, told)])
        begun = self._start(Work(run, run.user_id, live, self.worker, start=start))

        def go_on(read: Start) -> None:
            self._tasks[run.id] = begun
            start.set_result(read)

        try:
            yield go_on
        finally:
            if not start.done():
                start.cancel()
                begun.task.cancel()

    def _start(self, work: Work) -> RunTask:
        return RunTask(work, asyncio.create_task(self._work(work), name=work.run.id))

    async def _work(self, work: Work) -> None:
        bind_log(user_id=work.user_id, run_id=work.run.id)
        active = ACTIVE_RUNS.labels(kind=work.run.kind)
        active.inc()
        try:
            await work_on(work, services=self.services, log=self.events)
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("run.lost", run_id=work.run.id)
        finally:
            active.dec()
            mine = self._tasks.get(work.run.id)
            if mine is not None and mine.work is work:
                del self._tasks[work.run.id]
            work.live.end()
