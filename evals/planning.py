"""How good suggestions and breakdowns are: each case goes through the product's own graph.

`goals eval run --suite planning` prints the report, measured with the recorded answers of the local
model on a PostgreSQL of its own; nothing leaves the machine. What is judged is what was stored, by
code that shares nothing with the agent's own checks.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agent.context import AgentContext, Limits
from agent.models import ChatModel
from agent.run import run_job
from db.engine import Sessions
from evals.planning_cases import Case
from evals.planning_language import foreign_texts
from evals.planning_rows import Learner, make_learner, make_request, open_tools
from evals.planning_verdicts import (
    Stored,
    acceptance_of,
    goal_texts,
    most_alike,
    plan_faults,
    repeats,
    task_texts,
    vague,
)
from evals.recorded_answers import NotRecorded
from tools.backfill import Filler
from tools.context import ToolContext
from tools.embedders import Embedder
from tools.errors import GoalsError
from tools.goals import list_goals
from tools.indexing import goal_text
from tools.schemas import GoalOut, TaskOut
from tools.tasks import list_tasks

UNRECORDED: Final = "unrecorded"
AT_ONCE: Final = 6
MOST_ROWS: Final = 100
KEY: Final = "planning-eval"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What the product made of one case.

    `error` is the code of the error that ended the run, `unrecorded` where the model's answer is
    not in the file, None where something was stored. `found` and `cited` are keys of rows: what was
    retrieved, best first, and what each goal rests on; `grounds` tells whether the model named it
    (`cited`), code found it (`nearest`) or there is none. `dropped` says why goals were left out,
    `mended` what code had to put right in a plan. `foreign` are stored texts in another language,
    `repeated` pairs of stored titles that say the same, `faults` what is wrong with the
    stored plan, `judged_by` the criteria of all that is new and `vague` those among them that
    promise nothing, `touched` the learner's own rows that are not what they were.
    """

    case: Case
    error: str | None = None
    found: tuple[str, ...] = ()
    cited: tuple[tuple[str, ...], ...] = ()
    titles: tuple[str, ...] = ()
    texts: tuple[tuple[str, ...], ...] = ()
    criteria: tuple[int, ...] = ()
    foreign: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()
    judged_by: tuple[str, ...] = ()
    vague: tuple[str, ...] = ()
    alike: float = 0.0
    dropped: tuple[str, ...] = ()
    grounds: tuple[str, ...] = ()
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


async def plan_all(
    cases: Sequence[Case],
    sessions: Sessions,
    *,
    chat: ChatModel,
    embedder: Embedder,
    note: Callable[[int], None],
    call_seconds: float = Limits().call_seconds,
) -> list[Planned]:
    """Return what the product makes of each case, in an empty, migrated database.

    Each case has an account of its own, so no case sees another one's rows. `note` is told of each
    case that is finished.
    """
    from langgraph.checkpoint.memory import InMemorySaver

    from agent.graph import build_graph

    learners = [await make_learner(case, sessions, embedder) for case in cases]
    await Filler(sessions, embedder).fill()
    planner = _Planner(
        graph=build_graph(InMemorySaver()),
        sessions=sessions,
        chat=chat,
        embedder=embedder,
        limits=Limits(call_seconds=call_seconds),
    )
    places = asyncio.Semaphore(AT_ONCE)

    async def plan(case: Case, learner: Learner) -> Planned:
        async with places:
            planned = await planner.plan(case, learner)
        note(1)
        return planned

    return list(await asyncio.gather(*map(plan, cases, learners)))


@dataclass(frozen=True, kw_only=True)
class _Planner:
    graph: Any
    sessions: Sessions
    chat: ChatModel
    embedder: Embedder
    limits: Limits = field(default_factory=Limits)

    async def plan(self, case: Case, learner: Learner) -> Planned:
        """Run the case's job and judge what it has stored."""
        opened = open_tools(self.sessions, learner.user_id, embedder=self.embedder)
        context = AgentContext(
            user_id=learner.user_id,
            open_tools=opened,
            chat=self.chat,
            embedder=self.embedder,
            limits=self.limits,
        )
        async with opened() as tools:
            before = await _rows(tools)
        try:
            result = await run_job(
                self.graph,
                context,
                job=case.job,
                request=make_request(case, learner.ids),
                key=KEY,
            )
        except NotRecorded:
            return Planned(case=case, error=UNRECORDED)
        except GoalsError as error:
            return Planned(case=case, error=error.code)
        async with opened() as tools:
            after = await _rows(tools)
        return await self._judge(case, learner, result, before=before, after=after)

    async def _judge(
        self,
        case: Case,
        learner: Learner,
        result: dict[str, Any],
        *,
        before: "_Rows",
        after: "_Rows",
    ) -> Planned:
        tokens = result["tokens"]
        new_goals = [goal for key, goal in after.goals.items() if key not in before.goals]
        new_tasks = [task for key, task in after.tasks.items() if key not in before.tasks]
        if case.job == "suggest_goals":
            told = {one["goal"]["id"]: one for one in result["suggestions"]}
            whys = [told[goal.id]["why"] for goal in new_goals]
            texts = [(*goal_texts(goal), why) for goal, why in zip(new_goals, whys, strict=True)]
            stored = [_stored_goal(goal) for goal in new_goals]
            known = [_stored_goal(goal) for goal in before.goals.values()]
            threshold = self.embedder.same_goal
            faults: list[str] = []
            cited = [tuple(map(learner.key_of, told[goal.id]["based_on"])) for goal in new_goals]
            judged_by = [criterion.text for goal in new_goals for criterion in goal.criteria]
        else:
            goal = after.goals[learner.ids[case.request["goal"]]]
            texts = [task_texts(task) for task in new_tasks]
            stored = [Stored(task.title, task.title) for task in new_tasks]
            known = [
                Stored(task.title, task.title)
                for task in before.tasks.values()
                if task.goal_id == goal.id and task.status != "skipped"
            ]
            threshold = self.embedder.same_task
            faults = plan_faults(
                [task for task in after.tasks.values() if task.goal_id == goal.id],
                [criterion.id for criterion in goal.criteria],
            )
            cited = []
            judged_by = [text for task in new_tasks for text in acceptance_of(task)]
        vectors = await self.embedder.embed_documents([one.text for one in (*known, *stored)])
        return Planned(
            case=case,
            found=tuple(learner.key_of(source["entity_id"]) for source in result["sources"]),
            cited=tuple(cited),
            titles=tuple(one.title for one in stored),
            texts=tuple(texts),
            criteria=tuple(len(goal.criteria) for goal in new_goals),
            foreign=tuple(foreign_texts([text for some in texts for text in some], case.language)),
            repeated=tuple(repeats(known, stored, vectors, threshold=threshold)),
            faults=tuple(faults),
            touched=tuple(map(learner.key_of, before.changed_in(after))),
            mended=tuple(repair["kind"] for repair in result.get("repairs", [])),
            judged_by=tuple(judged_by),
            vague=tuple(vague(judged_by)),
            alike=most_alike(len(known), vectors),
            dropped=tuple(one.get("reason", "overlap") for one in result.get("dropped", [])),
            grounds=tuple(one["grounds"] for one in result.get("suggestions", [])),
            calls=tokens["calls"],
            input_tokens=tokens["input"],
            output_tokens=tokens["output"],
        )


@dataclass(frozen=True)
class _Rows:
    """A learner's goals and tasks by their ids, oldest first."""

    goals: dict[str, GoalOut]
    tasks: dict[str, TaskOut]

    def changed_in(self, later: "_Rows") -> list[str]:
        """Return the ids of the rows that are gone or say something else."""
        goals = [
            key for key, goal in self.goals.items() if _words(later.goals.get(key)) != _words(goal)
        ]
        return goals + [key for key, task in self.tasks.items() if later.tasks.get(key) != task]


async def _rows(tools: ToolContext) -> _Rows:
    goals = await list_goals(tools, limit=MOST_ROWS)
    tasks = await list_tasks(tools, limit=MOST_ROWS)
    return _Rows(
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


def _stored_goal(goal: GoalOut) -> Stored:
    criteria = [criterion.text for criterion in goal.criteria]
    return Stored(goal.title, goal_text(goal.title, goal.description, criteria))
