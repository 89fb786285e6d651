"""What a verdict on code rests on, and what it moves: read, and held, in one message each."""

from typing import Any, Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from db.columns import aware
from db.counts import UP_TO
from db.courses import HeldCourse
from db.dismissals import FINGERPRINTS
from db.enums import CourseStatus, GoalStatus, TaskStatus, TaskType
from db.goals import HeldGoal
from db.models import Task
from db.reads import execute_all, make_statement, read_all
from db.snapshots import LATEST, LatestVerdict
from db.tasks import TEXT, TaskCounts, TaskText

_GOAL_OF_TASK: Final = "select goal_id from tasks where id = :task_id and user_id = :user_id"
_HOLD_COURSE: Final = make_statement(f"""
select id, status, progress_percentage from courses
where user_id = :user_id
  and id = (select course_id from goals where user_id = :user_id and id = ({_GOAL_OF_TASK}))
for no key update
""")  # noqa: S608 - constants only
_HOLD_GOAL: Final = make_statement(f"""
select id, course_id, status, progress_percentage from goals
where user_id = :user_id and id = ({_GOAL_OF_TASK})
for no key update
""")  # noqa: S608 - constants only
_MOMENTS: Final = ("created_at", "updated_at", "started_at", "completed_at")
_COLUMNS: Final = (
    *("id", "user_id", "goal_id", "title", "description", "task_type", "status", "priority"),
    *("estimated_hours", "actual_hours", "validation_result", "ai_feedback", "meta"),
    *_MOMENTS,
)
_HOLD_TASK: Final = make_statement("""
select id, user_id, goal_id, title, description, task_type, status, priority,
       estimated_hours, actual_hours, validation_result, ai_feedback, metadata,
       created_at, updated_at, started_at, completed_at
from tasks where id = :task_id and user_id = :user_id
for no key update
""")
_COUNT_OTHERS: Final = make_statement(f"""
select count(*) filter (where status <> 'skipped'), count(*) filter (where status = 'completed')
from tasks where user_id = :user_id and goal_id = ({_GOAL_OF_TASK}) and id <> :task_id
""")  # noqa: S608 - constants only


class Before(NamedTuple):
    """What is known before code is judged; `snapshots` are counted up to the limit asked for."""

    dismissed: frozenset[str]
    snapshots: int
    task: TaskText | None
    latest: LatestVerdict | None


class Held(NamedTuple):
    """A task, its goal and that goal's course as they are until the transaction ends.

    `others` counts the goal's other tasks. The course is None where courses live elsewhere.
    """

    task: Task
    goal: HeldGoal | None
    course: HeldCourse | None
    others: TaskCounts


class Verdicts:
    """What one owner's verdicts rest on and move."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def before(self, task_id: str | None, *, most: int) -> Before:
        """Return what is known before code is judged, for a task or none."""
        values = {"user_id": self._user_id, "task_id": task_id, "limit": most}
        statements = [FINGERPRINTS, UP_TO["code_snapshots"]]
        if task_id is not None:
            statements += [TEXT, LATEST]
        dismissed, [(snapshots,)], *of_task = await read_all(self._session, statements, values)
        task, latest = of_task or ([], [])
        return Before(
            dismissed=frozenset(fingerprint for (fingerprint,) in dismissed),
            snapshots=snapshots,
            task=TaskText._make(task[0]) if task else None,
            latest=LatestVerdict._make(latest[0]) if latest else None,
        )

    async def hold(self, task_id: str, *, own_courses: bool) -> Held | None:
        """Hold a task's course, goal and the task itself, in the order that everybody takes.

        It is past the session: the task is not its, and `Tasks.keep_verdict` writes what changes.
        None where this owner has no such task.
        """
        values = {"task_id": task_id, "user_id": self._user_id}
        statements = [_HOLD_GOAL, _HOLD_TASK, _COUNT_OTHERS]
        if own_courses:
            statements.insert(0, _HOLD_COURSE)
        *courses, goals, tasks, [counts] = await execute_all(self._session, statements, values)
        if not tasks:
            return None
        goal = HeldGoal._make(goals[0]) if goals else None
        course = HeldCourse._make(courses[0][0]) if courses and courses[0] else None
        return Held(
            task=_as_task(tasks[0]),
            goal=None if goal is None else goal._replace(status=GoalStatus(goal.status)),
            course=None if course is None else course._replace(status=CourseStatus(course.status)),
            others=TaskCounts(*counts),
        )


def _as_task(found: tuple[Any, ...]) -> Task:
    row = dict(zip(_COLUMNS, found, strict=True))
    row |= {name: aware(row[name]) for name in _MOMENTS}
    row |= {"task_type": TaskType(row["task_type"]), "status": TaskStatus(row["status"])}
    return Task(**row)
