"""Go through one of the product's planning jobs as a learner, and see what is stored then.

The product runs as a whole: its graph, retrieval, checks, repair turn and rows, on an embedded
PostgreSQL. What is judged is what was stored.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

import numpy as np

from agent.context import AgentContext, Limits
from agent.run import run_job
from agent.state import JobName
from db.engine import Sessions
from evals.database import open_empty_database
from evals.learners import Learner, make_learner, open_tools
from evals.model import LIVE_SECONDS
from evals.suite import Case, Json, Model
from tools.backfill import Filler
from tools.context import ToolContext
from tools.embedders import Embedder
from tools.goals import list_goals
from tools.schemas import GoalOut, TaskOut
from tools.tasks import list_tasks

MOST_ROWS: Final = 100
KEY: Final = "planning-eval"
DECIMALS: Final = 3
"""Of a similarity: more of them differ between processors."""


@dataclass(frozen=True)
class Rows:
    """A learner's goals and tasks by their ids, oldest first."""

    goals: dict[str, GoalOut]
    tasks: dict[str, TaskOut]

    def changed_in(self, later: "Rows") -> list[str]:
        """Return the ids of the rows that are gone or say something else."""
        goals = [
            key for key, goal in self.goals.items() if _words(later.goals.get(key)) != _words(goal)
        ]
        return goals + [key for key, task in self.tasks.items() if later.tasks.get(key) != task]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a job answered, and a learner's rows before and after it."""

    learner: Learner
    result: Json
    before: Rows
    after: Rows

    @property
    def new_goals(self) -> list[GoalOut]:
        """Return the goals that were not there before."""
        return [goal for key, goal in self.after.goals.items() if key not in self.before.goals]

    @property
    def new_tasks(self) -> list[TaskOut]:
        """Return the tasks that were not there before."""
        return [task for key, task in self.after.tasks.items() if key not in self.before.tasks]

    @property
    def touched(self) -> list[str]:
        """Return the keys of the learner's own rows that are not what they were."""
        return [self.learner.key_of(one) for one in self.before.changed_in(self.after)]

    @property
    def found(self) -> list[str]:
        """Return the keys of the rows that were retrieved, best first."""
        return [self.learner.key_of(one["entity_id"]) for one in self.result["sources"]]


@dataclass(frozen=True)
class Text:
    """A row's title, and the text by which it is compared with others."""

    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Runs jobs in a database of its own; each case has an account there."""

    graph: Any
    sessions: Sessions
    model: Model
    _one_fills: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def admit(self, case: Case) -> Learner:
        """Store the case's learner and rows, with their vectors."""
        async with self._one_fills:
            learner = await make_learner(case, self.sessions, self.model.embedder)
            await Filler(self.sessions, self.model.embedder).fill()
        return learner

    async def run(self, learner: Learner, job: JobName, request: Json) -> Done:
        """Run `job` as the product would. Raises the errors of `tools.errors`."""
        opened = open_tools(self.sessions, learner.user_id, embedder=self.model.embedder)
        context = AgentContext(
            user_id=learner.user_id,
            open_tools=opened,
            chat=self.model.chat,
            embedder=self.model.embedder,
            limits=Limits(call_seconds=LIVE_SECONDS),
        )
        async with opened() as tools:
            before = await _rows(tools)
        result = await run_job(self.graph, context, job=job, request=request, key=KEY)
        async with opened() as tools:
            after = await _rows(tools)
        return Done(learner=learner, result=result, before=before, after=after)


@asynccontextmanager
async def open_planner(model: Model) -> AsyncIterator[Planner]:
    """Yield a planner in an empty database that is gone with the block."""
    from langgraph.checkpoint.memory import InMemorySaver

    from agent.graph import build_graph

    async with open_empty_database() as sessions:
        yield Planner(graph=build_graph(InMemorySaver()), sessions=sessions, model=model)


async def find_nearest(
    known: Sequence[Text], new: Sequence[Text], embedder: Embedder
) -> list[Json | None]:
    """Return for each new text the title and similarity of the one that is most like it.

    Looked at are the known ones and the new ones before it; None where there is none. A title
    that is the same but for case and spaces has the similarity 1.
    """
    rows = [*known, *new]
    vectors = await embedder.embed_documents([one.text for one in rows])
    nearest: list[Json | None] = [None] * len(new)
    for one, other in combinations(range(len(rows)), 2):
        if other < len(known):
            continue
        alike = _cosine(vectors[one], vectors[other])
        if _plain(rows[one].title) == _plain(rows[other].title):
            alike = 1.0
        best = nearest[other - len(known)]
        if best is None or alike > best["similarity"]:
            nearest[other - len(known)] = {"title": rows[one].title, "similarity": alike}
    return nearest


def _cosine(one: Any, other: Any) -> float:
    product = float(np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))
    return round(product, DECIMALS)


def _plain(title: str) -> str:
    return " ".join(title.casefold().split())


async def _rows(tools: ToolContext) -> Rows:
    goals = await list_goals(tools, limit=MOST_ROWS)
    tasks = await list_tasks(tools, limit=MOST_ROWS)
    return Rows(
        goals={goal.id: goal for goal in sorted(goals.items, key=_age)},
        tasks={task.id: task for task in sorted(tasks.items, key=_age)},
    )


def _age(row: GoalOut | TaskOut) -> tuple[Any, str]:
    return row.created_at, row.id


def _words(goal: GoalOut | None) -> tuple[Any, ...] | None:
    """Return what a learner has written of a goal: its progress and status follow its tasks."""
    if goal is None:
        return None
    return goal.title, goal.description, goal.priority, goal.criteria, goal.due_date
