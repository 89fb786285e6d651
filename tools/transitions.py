"""Which status may follow which: one table for each kind of thing.

To stay in a status is no transition. What is made may begin in any status that its schema allows.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from db.enums import CourseStatus, GoalStatus, TaskStatus
from tools.errors import StateConflict

Status = TypeVar("Status", CourseStatus, GoalStatus, TaskStatus)

COURSES: Final[Mapping[CourseStatus, frozenset[CourseStatus]]] = {
    CourseStatus.DRAFT: frozenset({CourseStatus.ACTIVE, CourseStatus.ARCHIVED}),
    CourseStatus.ACTIVE: frozenset(
        {CourseStatus.DRAFT, CourseStatus.COMPLETED, CourseStatus.ARCHIVED}
    ),
    CourseStatus.COMPLETED: frozenset({CourseStatus.ACTIVE, CourseStatus.ARCHIVED}),
    CourseStatus.ARCHIVED: frozenset({CourseStatus.ACTIVE}),
}

GOALS: Final[Mapping[GoalStatus, frozenset[GoalStatus]]] = {
    GoalStatus.PENDING: frozenset(
        {
            GoalStatus.IN_PROGRESS,
            GoalStatus.COMPLETED,
            GoalStatus.BLOCKED,
            GoalStatus.CANCELLED,
        }
    ),
    GoalStatus.IN_PROGRESS: frozenset(
        {GoalStatus.PENDING, GoalStatus.COMPLETED, GoalStatus.BLOCKED, GoalStatus.CANCELLED}
    ),
    GoalStatus.BLOCKED: frozenset(
        {GoalStatus.PENDING, GoalStatus.IN_PROGRESS, GoalStatus.CANCELLED}
    ),
    GoalStatus.COMPLETED: frozenset({GoalStatus.IN_PROGRESS}),
    GoalStatus.CANCELLED: frozenset({GoalStatus.PENDING}),
}

TASKS: Final[Mapping[TaskStatus, frozenset[TaskStatus]]] = {
    TaskStatus.TODO: frozenset(
        {
            TaskStatus.IN_PROGRESS,
            TaskStatus.IN_REVIEW,
            TaskStatus.COMPLETED,
            TaskStatus.FAILED,
            TaskStatus.SKIPPED,
        }
    ),
    TaskStatus.IN_PROGRESS: frozenset(
        {
            TaskStatus.TODO,
            TaskStatus.IN_REVIEW,
            TaskStatus.COMPLETED,
            TaskStatus.FAILED,
            TaskStatus.SKIPPED,
        }
    ),
    TaskStatus.IN_REVIEW: frozenset(
        {TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.SKIPPED}
    ),
    TaskStatus.FAILED: frozenset(
        {
            TaskStatus.TODO,
            TaskStatus.IN_PROGRESS,
            TaskStatus.IN_REVIEW,
            TaskStatus.COMPLETED,
            TaskStatus.SKIPPED,
        }
    ),
    TaskStatus.COMPLETED: frozenset({TaskStatus.TODO, TaskStatus.IN_PROGRESS}),
    TaskStatus.SKIPPED: frozenset({TaskStatus.TODO, TaskStatus.IN_PROGRESS}),
}

BY_VERDICT: Final = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.IN_REVIEW})
"""Whatever a task was, code that is handed in for it is judged: these come from any status."""

_TABLES: Final[Mapping[type, Mapping[object, frozenset[object]]]] = {
    CourseStatus: COURSES,  # type: ignore[dict-item]  # each table is of its own enum
    GoalStatus: GOALS,  # type: ignore[dict-item]  # each table is of its own enum
    TaskStatus: TASKS,  # type: ignore[dict-item]  # each table is of its own enum
}
_NAMES: Final = {CourseStatus: "course", GoalStatus: "goal", TaskStatus: "task"}


def allowed_after(status: Status) -> tuple[Status, ...]:
    """Return what a thing of this status may become, in the order of the enum."""
    following = _TABLES[type(status)][status]
    return tuple(one for one in type(status) if one in following)


def require_transition(before: Status, after: Status) -> None:
    """Raise StateConflict, saying what is allowed, where `after` may not follow `before`."""
    if before is after or after in _TABLES[type(before)][before]:
        return
    allowed = ", ".join(allowed_after(before))
    raise StateConflict(
        f"a {_NAMES[type(before)]} that is {before} cannot become {after}; it can become: {allowed}"
    )
