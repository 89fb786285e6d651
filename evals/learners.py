"""The learners of the planning suites: what each has and asks for, and an account with their rows.

A case is one learner: their rows in the order in which they were made, each with a `key`, a `type`
and the fields of that type, and one request; rows and the request name other rows by their keys.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from db.courses import Courses
from db.engine import Sessions
from db.enums import CourseStatus, GoalStatus, TaskStatus
from evals.lines import read_lines
from evals.suite import Case, Json
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


def load_learners(folder: Path) -> tuple[Case, ...]:
    """Read the cases of `folder`; `relevant` are keys of rows that a tutor would name."""
    return tuple(
        Case(
            id=row["id"],
            language=row["language"],
            slices=tuple(row["traits"]),
            hard=row["hard"],
            inputs={name: row[name] for name in ("learner", "preference", "rows", "request")},
            expected={"relevant": row.get("relevant", [])},
        )
        for row in read_lines(folder / "cases.jsonl")
    )


def seen_naively(folder: Path) -> frozenset[str]:
    """Return the ids of the cases that the naive way is asked too."""
    return frozenset(row["id"] for row in read_lines(folder / "cases.jsonl") if row["naive"])


async def make_learner(case: Case, sessions: Sessions, embedder: Embedder) -> Learner:
    """Store the account and the rows of `case`, an hour apart, each in its own transaction.

    A course's progress is what the case says, whatever its goals have.
    """
    preference, rows = case.inputs["preference"], case.inputs["rows"]
    meta = None if preference is None else {"preferences": {"language": preference}}
    async with sessions.begin() as session:
        user = await get_or_create_user(
            session, username=case.id, now=BEGIN, source=SOURCE, meta=meta
        )
    made: Made = {}
    for hour, row in enumerate(rows, start=1):
        opened = open_tools(sessions, user.id, embedder=embedder, now=BEGIN + timedelta(hours=hour))
        async with opened() as tools:
            made[row["key"]] = await _MAKE[row["type"]](tools, dict(row), made)
    courses = {row["key"]: row for row in rows if row["type"] == "course"}
    async with sessions.begin() as session:
        for key, row in courses.items():
            await Courses(session, user.id).set_progress(made[key], float(row["progress"]))
    return Learner(user.id, made)


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


async def _course(tools: ToolContext, row: Json, _made: Made) -> str:
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


async def _goal(tools: ToolContext, row: Json, made: Made) -> str:
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


async def _task(tools: ToolContext, row: Json, made: Made) -> str:
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


async def _snapshot(tools: ToolContext, row: Json, made: Made) -> str:
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
