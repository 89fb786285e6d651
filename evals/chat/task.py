"""Go through a talk: by the product's own HTTP in this process, on an embedded PostgreSQL."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.in_process import InProcess, open_in_process
from api.migrations import migrate
from db.embedded import open_embedded
from evals import planning_rows
from evals.chat import naive
from evals.chat.names import Names
from evals.chat.stored import Rows, read_rows
from evals.chat.talker import Talker
from evals.planning_cases import Case as PlanningCase
from evals.suite import Case, Model, Outcome, Task, Way
from tools.backfill import Filler

TALKED: Final = planning_rows.ASKED
"""The moment of every talk, on the service's own clock."""


@asynccontextmanager
async def open_task(way: Way, model: Model) -> AsyncIterator[Task]:
    """Yield what goes through a case, the product's way or the naive one."""
    if way == "naive":

        async def ask(case: Case) -> Outcome:
            return await naive.talk(case, model)

        yield ask
        return

    with (
        tempfile.TemporaryDirectory(prefix="goals-", ignore_cleanup_errors=True) as folder,
        open_embedded(Path(folder) / "pg") as url,
    ):
        await asyncio.to_thread(migrate, url)
        async with open_in_process(
            url, chat=model.chat, embedder=model.embedder, now=lambda: TALKED
        ) as service:
            filler = Filler(service.services.system, model.embedder)
            yield Stage(service, filler).go_through


@dataclass(frozen=True)
class Stage:
    """The service, and the turn of who fills its vectors: a search must not depend on others."""

    service: InProcess
    filler: Filler
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def go_through(self, case: Case) -> Outcome:
        """Give the case's learner their rows and let them talk."""
        services = self.service.services
        learner = await planning_rows.make_learner(
            _as_planned(case), services.system, services.embedder
        )
        await self._settle()

        async def read() -> Rows:
            async with services.open_tools(learner.user_id) as tools:
                return await read_rows(tools)

        async with self.service.client(learner.user_id) as client:
            talker = Talker(client=client, names=Names(learner.ids), read=read, settle=self._settle)
            turns = await talker.go_through(case.inputs["turns"])
        return Outcome(data={"turns": turns})

    async def _settle(self) -> None:
        async with self._turn:
            await self.filler.fill()


def _as_planned(case: Case) -> PlanningCase:
    """Return the case as what `planning_rows` gives rows to."""
    return PlanningCase(
        id=case.id,
        job="suggest_goals",
        learner="",
        language=case.language,
        preference=case.inputs["preference"],
        traits=(),
        rows=tuple(case.inputs["rows"]),
        request={},
        relevant=frozenset(),
        origin="evals",
    )
