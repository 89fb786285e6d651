"""Verdicts on code: what they rest on is read before, what they move is held and written."""

from typing import Any, Final

from db.base import as_text
from db.enums import TaskStatus
from db.tasks import Tasks
from db.verdicts import Before, Held, Verdicts
from tools.context import ToolContext
from tools.courses import follow_goals
from tools.errors import Conflict
from tools.goals import MOVED, follow_tasks
from tools.quotas import MOST, require_more
from tools.schemas import TaskOut
from tools.tasks import as_out, enter, no_such_task

VERDICT_STATUS: Final = {
    True: TaskStatus.COMPLETED,
    False: TaskStatus.FAILED,
    None: TaskStatus.IN_REVIEW,
}
"""What a verdict makes of a task, whatever it was (`tools.transitions.BY_VERDICT`)."""


async def read_before(tools: ToolContext, task_id: str | None, *, room_for: int = 0) -> Before:
    """Return what is known before code is judged, for a task or none.

    Raises NotFound for a task that is not the learner's, LimitReached where there is no room for
    `room_for` more snapshots.
    """
    verdicts = Verdicts(tools.session, tools.user_id)
    before = await verdicts.before(task_id, most=MOST["code_snapshots"])
    if task_id is not None and before.task is None:
        raise no_such_task()
    if room_for:
        require_more("code_snapshots", has=before.snapshots, new=room_for)
    return before


async def hold_for_verdict(tools: ToolContext, task_id: str) -> Held:
    """Hold a task with its goal and course, as every change of it does.

    Raises NotFound, and Conflict where somebody moves one of them at this moment.
    """
    verdicts = Verdicts(tools.session, tools.user_id)
    held = await verdicts.hold(task_id, own_courses=not tools.directory.is_elsewhere)
    if held is None:
        raise no_such_task()
    goal, course = held.goal, held.course
    of_task, of_goal = (None, None) if goal is None else (goal.id, goal.course_id)
    own_course = None if tools.directory.is_elsewhere else of_goal
    if of_task != held.task.goal_id or own_course != (None if course is None else course.id):
        raise Conflict(MOVED)
    return held


async def apply_validation(
    tools: ToolContext,
    held: Held,
    *,
    passed: bool | None,
    score: float | None,
    issues: list[dict[str, Any]],
    feedback: str,
    extra: dict[str, Any] | None = None,
    meta: dict[str, Any] | None = None,
) -> TaskOut:
    """Put the verdict on a submission into its task, which is held for it.

    Completed where it passed, failed where it did not, in review where nobody could tell (None).
    `score` is 0 to 1; `extra` joins `validation_result`, `meta` the task's metadata. Records
    nothing: the caller knows the model and the snapshot, and records TASK_VALIDATED and what
    belongs to it.
    """
    row = held.task
    row.validation_result = {
        **(extra or {}),
        "passed": passed,
        "score": score,
        "issues": issues,
        "validated_at": as_text(tools.now),
    }
    row.ai_feedback = feedback
    row.updated_at = tools.now
    if meta:
        row.meta = {**(row.meta or {}), **meta}
    enter(row, VERDICT_STATUS[passed], now=tools.now)
    await Tasks(tools.session, tools.user_id).keep_verdict(row)
    if held.goal is not None:
        await follow_tasks(tools, held.goal, held.others.with_one(row.status))
        await follow_goals(tools, held.course)
    return as_out(row)
