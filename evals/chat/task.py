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
from db.embedded import as_app, open_embedded
from evals.chat import naive
from evals.chat.names import Names
from evals.chat.stored import Rows, read_rows
from evals.chat.talker import Talker
from evals.learners import ASKED, make_learner
from evals.model import LIVE_SECONDS
from evals.suite import Case, Model, Outcome, Task, Way
from tools.backfill import Filler

TALKED: Final = ASKED
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
        migrate(url)
        async with open_stage(url, as_app(url), model) as stage:
            yield stage.go_through


@asynccontextmanager
async def open_stage(url: str, app_url: str, model: Model) -> AsyncIterator["Stage"]:
    """Yield the service over the migrated database at `url`, at the moment of the talks."""
    async with open_in_process(
        url,
        app_url,
        chat=model.chat,
        embedder=model.embedder,
        now=lambda: TALKED,
        call_seconds=LIVE_SECONDS,
    ) as service:
        yield Stage(service, Filler(service.services.system, model.embedder))


@dataclass(frozen=True)
class Stage:
    """The service, and the turn of who fills its vectors: a search must not depend on others."""

    service: InProcess
    filler: Filler
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def go_through(self, case: Case) -> Outcome:
        """Give the case's learner their rows and let them talk."""
        services = self.service.services
        learner = await make_learner(case, services.system, services.embedder)
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
