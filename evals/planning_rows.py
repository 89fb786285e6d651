"""Give a case's learner their rows, by the verbs that the product itself has."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from api.agent_schemas import BreakdownIn, SuggestIn, as_request
from db.courses import Courses
from db.engine import Sessions
from db.enums import CourseStatus, GoalStatus, TaskStatus
from evals.planning_cases import Case
from tools.context import ToolContext
from tools.courses import create_course
from tools.embedders import Embedder
from tools.goals import create_goal, update_goal
from tools.schemas import CourseIn, GoalIn, GoalPatch, SnapshotIn, TaskIn, TaskPatch, Verdict
from tools.snapshots import record_snapshot
from tools.tasks import create_task, update_task
from tools.users import get_or_create_user

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
ASKED: Final = BEGIN + timedelta(days=30)
SOURCE: Final = "evals"
FAILED_SCORE: Final = 0.4

Made = dict[str, str]
"""The ids of a case's rows by their keys."""


@dataclass(frozen=True)
class Learner:
    """A case's account: its id, and the ids of its rows by their keys."""

    user_id: str
    ids: Made

    def key_of(self, entity_id: str) -> str:
        """Return the key of a row, or the id itself where it is none of the case's."""
        return next((key for key, one in self.ids.items() if one == entity_id), entity_id)


async def make_learner(case: Case, sessions: Sessions, embedder: Embedder) -> Learner:
    """Store the account and the rows of `case`, an hour apart, each in its own transaction.

    A course's progress is what the case says, whatever its goals have.
    """
    meta = None if case.preference is None else {"preferences": {"language": case.preference}}
    async with sessions.begin() as session:
        user = await get_or_create_user(
            session, username=case.id, now=BEGIN, source=SOURCE, meta=meta
        )
    made: Made = {}
    for hour, row in enumerate(case.rows, start=1):
        opened = open_tools(sessions, user.id, embedder=embedder, now=BEGIN + timedelta(hours=hour))
        async with opened() as tools:
            made[row["key"]] = await _MAKE[row["type"]](tools, dict(row), made)
    courses = {row["key"]: row for row in case.rows if row["type"] == "course"}
    async with sessions.begin() as session:
        for key, row in courses.items():
            await Courses(session, user.id).set_progress(made[key], float(row["progress"]))
    return Learner(user.id, made)


def make_request(case: Case, ids: Made) -> dict[str, Any]:
    """Return what the API would hand to the agent for the case's request."""
    asked = case.request
    if case.job == "suggest_goals":
        course = asked["course"]
        return as_request(
            SuggestIn(
                wish=asked["wish"],
                count=asked["count"],
                course_id=None if course is None else ids[course],
            )
        )
    return as_request(BreakdownIn(count=asked["count"]), goal_id=ids[asked["goal"]])


def open_tools(
    sessions: Sessions, user_id: str, *, embedder: Embedder, now: datetime = ASKED
) -> Callable[[], AbstractAsyncContextManager[ToolContext]]:
    """Return what opens a transaction of that learner at that moment."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[ToolContext]:
        async with sessions.begin() as session:
            yield ToolContext(
                session=session, user_id=user_id, embedder=embedder, now=now, source=SOURCE
            )

    return opened


async def _course(tools: ToolContext, row: dict[str, Any], _made: Made) -> str:
    course = await create_course(
        tools,
        CourseIn(
            title=row["title"],
            description=row["description"],
            status=CourseStatus.ACTIVE,
            progress_percentage=float(row["progress"]),
            metadata={"technologies": row["technologies"]},
        ),
    )
    return course.id


async def _goal(tools: ToolContext, row: dict[str, Any], made: Made) -> str:
    goal = await create_goal(
        tools,
        GoalIn(
            title=row["title"],
            description=row["description"],
            course_id=made.get(row["course"]),
            criteria=row["criteria"],
        ),
    )
    await update_goal(tools, goal.id, GoalPatch(status=GoalStatus(row["status"])))
    return goal.id


async def _task(tools: ToolContext, row: dict[str, Any], made: Made) -> str:
    task = await create_task(
        tools,
        TaskIn(
            title=row["title"],
            description=row["description"],
            goal_id=made.get(row["goal"]),
            estimated_hours=row["estimated_hours"],
        ),
    )
    status = TaskPatch(status=TaskStatus(row["status"]))
    await update_task(tools, task.id, status)
    if row["actual_hours"] is not None:
        await update_task(tools, task.id, TaskPatch(actual_hours=row["actual_hours"]))
    return task.id


async def _snapshot(tools: ToolContext, row: dict[str, Any], made: Made) -> str:
    snapshot = await record_snapshot(
        tools,
        SnapshotIn(
            task_id=made.get(row["task"]),
            file_path=row["file_path"],
            language=row["programming_language"],
            code=row["code"],
        ),
        verdict=Verdict(
            passed=row["passed"],
            score=1.0 if row["passed"] else FAILED_SCORE,
            feedback=row["feedback"],
        ),
    )
    return snapshot.id


_MAKE: Final = {"course": _course, "goal": _goal, "task": _task, "snapshot": _snapshot}
