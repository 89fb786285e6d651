"""Tasks: make, read, change, delete; `tools/verdicts.py` has the verdicts on their code."""

from datetime import datetime
from typing import Any, Final

from db.base import new_id
from db.enums import TaskStatus
from db.events import DomainEvent, TaskCompleted, TaskCreated, TaskStarted, TaskUpdated
from db.goals import Goals
from db.models import Course, Goal, Task
from db.snapshots import Snapshots
from db.tasks import SORTS, TaskFilter, Tasks, TaskText
from tools.context import ToolContext
from tools.courses import follow_goals, lock_courses
from tools.cursors import NEWEST_FIRST, cut_sorted, decode_place
from tools.errors import Conflict, NotFound
from tools.goals import MOVED, follow_tasks, hold_goal
from tools.indexing import (
    TASK,
    forget_entities,
    forget_snapshots,
    index_entity,
    index_new,
    task_text,
)
from tools.metadata import merge_patch, require_free, require_small
from tools.quotas import require_room
from tools.schemas import TaskIn, TaskOut, TaskPage, TaskPatch
from tools.transitions import require_transition
from tools.versions import ANY_VERSION, IfMatch

EDITED: Final = "edited_by_user"
"""The key of a task's metadata that keeps a later breakdown from touching what a person wrote."""
EVERY_TASK: Final = TaskFilter()
KEPT_BY_US: Final = frozenset(
    {
        *("acceptance_criteria", "ai", "depends_on", "estimate", "proposed_examples", "serves"),
        EDITED,
    }
)
"""Keys of a task's metadata that no caller changes."""
_TEXTS: Final = frozenset({"title", "description"})
_WRITTEN: Final = frozenset({"title", "description", "task_type", "priority", "estimated_hours"})


async def create_task(
    tools: ToolContext,
    task: TaskIn,
    *,
    ai_generated: bool = False,
    meta: dict[str, Any] | None = None,
) -> TaskOut:
    """Store a task, find it by its text from now on, and record TASK_CREATED.

    `meta` goes to the row's metadata. Raises NotFound where the goal is not the learner's own,
    LimitReached.
    """
    require_free(task.metadata, KEPT_BY_US)
    await require_room(tools, "tasks")
    goal, course = None, None
    if task.goal_id is not None:
        goal, course = await hold_goal(tools, task.goal_id)
    row = Task(
        id=new_id("tsk"),
        goal_id=task.goal_id,
        title=task.title,
        description=task.description,
        task_type=task.task_type,
        status=TaskStatus.TODO,
        priority=task.priority,
        estimated_hours=task.estimated_hours,
        actual_hours=None,
        validation_result=None,
        ai_feedback=None,
        meta={**task.metadata, **(meta or {})} or None,
        created_at=tools.now,
        updated_at=tools.now,
        started_at=None,
        completed_at=None,
    )
    Tasks(tools.session, tools.user_id).add(row)

    tools.record(
        TaskCreated(
            task_id=row.id,
            title=row.title,
            goal_id=row.goal_id,
            task_type=row.task_type.value,
            estimated_hours=row.estimated_hours,
            ai_generated=ai_generated,
        )
    )
    await index_new(tools, TASK, {row.id: task_text(row.title, row.description)})
    await _follow(tools, goal, course)
    return as_out(row)


async def get_task(tools: ToolContext, task_id: str) -> TaskOut:
    """Return one of the learner's tasks. Raises NotFound."""
    row = await Tasks(tools.session, tools.user_id).get(task_id)
    if row is None:
        raise no_such_task()
    return as_out(row)


async def get_task_text(tools: ToolContext, task_id: str) -> TaskText:
    """Return what one of the learner's tasks says. Raises NotFound."""
    text = await Tasks(tools.session, tools.user_id).text_of(task_id)
    if text is None:
        raise no_such_task()
    return text


async def list_tasks(
    tools: ToolContext,
    *,
    limit: int = 20,
    cursor: str | None = None,
    wanted: TaskFilter = EVERY_TASK,
    sort: str = NEWEST_FIRST,
) -> TaskPage:
    """Return a page of the learner's tasks. Raises InputError for a bad cursor."""
    found = await Tasks(tools.session, tools.user_id).page(
        wanted,
        sort=sort,
        limit=limit + 1,
        after=decode_place(cursor, sort=sort, columns=SORTS),
    )
    rows, next_cursor = cut_sorted(found, limit=limit, sort=sort, columns=SORTS)
    return TaskPage(items=[as_out(row) for row in rows], next_cursor=next_cursor)


async def update_task(
    tools: ToolContext,
    task_id: str,
    patch: TaskPatch,
    *,
    by_agent: bool = False,
    meta: dict[str, Any] | None = None,
    if_match: IfMatch = ANY_VERSION,
) -> TaskOut:
    """Change the given fields, and record what changed.

    Raises NotFound; VersionConflict; StateConflict for a status that may not follow. What a person
    has written is marked in the metadata, and no breakdown changes it again; not so what changes
    `by_agent`. `meta` joins the row's metadata.
    """
    goal: Goal | None = None
    course: Course | None = None
    if "status" in patch.model_fields_set:
        row, goal, course = await _hold(tools, task_id)
    else:
        row = await _lock(tools, task_id)
    if_match.require(as_out(row))
    changed = _apply(row, patch, now=tools.now)
    marks = {} if by_agent or _WRITTEN.isdisjoint(changed) else {EDITED: True}
    merged = {**(row.meta or {}), **(meta or {}), **marks}
    if merged != (row.meta or {}):
        row.meta = merged
        told = bool(meta) and "metadata" not in changed
        changed = (*changed, "metadata") if told else changed
    if not changed:
        return as_out(row)

    row.updated_at = tools.now
    if not _TEXTS.isdisjoint(changed):
        text = task_text(row.title, row.description)
        await index_entity(tools, entity_type=TASK, entity_id=row.id, text=text)
    status_event = _status_event(row) if "status" in changed else None
    if status_event is not None:
        tools.record(status_event)
    others = tuple(name for name in changed if name != "status" or status_event is None)
    if others:
        tools.record(TaskUpdated(task_id=row.id, title=row.title, changed=others))
    if "status" in changed:
        await _follow(tools, goal, course)
    return as_out(row)


async def delete_task(tools: ToolContext, task_id: str, *, if_match: IfMatch = ANY_VERSION) -> None:
    """Delete a task and its code. Raises NotFound, VersionConflict.

    The catalogue has no event for it, so TASK_UPDATED says `deleted`.
    """
    row, goal, course = await _hold(tools, task_id)
    if_match.require(as_out(row))
    snapshot_ids = await Snapshots(tools.session, tools.user_id).ids_of_task(task_id)
    await forget_snapshots(tools, snapshot_ids)
    await forget_entities(tools, TASK, [task_id])
    await Tasks(tools.session, tools.user_id).delete(task_id)
    await _follow(tools, goal, course)
    tools.record(TaskUpdated(task_id=task_id, title=row.title, changed=("deleted",)))


def no_such_task() -> NotFound:
    """Return the error for a task that is missing or somebody else's."""
    return NotFound("there is no such task")


async def _hold(tools: ToolContext, task_id: str) -> tuple[Task, Goal | None, Course | None]:
    """Hold the course, the goal and the task: in the order that keeps changes from a deadlock."""
    parents = await Tasks(tools.session, tools.user_id).parents(task_id)
    if parents is None:
        raise no_such_task()
    courses = await lock_courses(tools, [parents.course_id])
    goal = None
    if parents.goal_id is not None:
        goal = await Goals(tools.session, tools.user_id).lock(parents.goal_id)
    row = await _lock(tools, task_id)
    if goal is None or goal.course_id is None or tools.directory.is_elsewhere:
        return row, goal, None
    if goal.course_id not in courses:
        raise Conflict(MOVED)
    return row, goal, courses[goal.course_id]


async def _lock(tools: ToolContext, task_id: str) -> Task:
    row = await Tasks(tools.session, tools.user_id).lock(task_id)
    if row is None:
        raise no_such_task()
    return row


async def _follow(tools: ToolContext, goal: Goal | None, course: Course | None) -> None:
    if goal is not None:
        await follow_tasks(tools, goal)
        await follow_goals(tools, course)


def _apply(row: Task, patch: TaskPatch, *, now: datetime) -> tuple[str, ...]:
    """Put the given values into the row and return the names of those that are new."""
    given = patch.given()
    changed: list[str] = []
    if "metadata" in given:
        asked = given.pop("metadata")
        require_free(asked, KEPT_BY_US)
        merged = require_small(merge_patch(row.meta or {}, asked))
        if merged != (row.meta or {}):
            row.meta = merged or None
            changed.append("metadata")
    status = given.pop("status", row.status)
    for name, value in given.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed.append(name)
    if status is not row.status:
        require_transition(row.status, status)
        enter(row, status, now=now)
        changed.append("status")
    return tuple(sorted(changed))


def enter(row: Task, status: TaskStatus, *, now: datetime) -> None:
    """Give a task this status, and the moments that come with it."""
    if status not in {TaskStatus.TODO, TaskStatus.SKIPPED} and row.started_at is None:
        row.started_at = now
    if status is not TaskStatus.COMPLETED:
        row.completed_at = None
    elif row.status is not TaskStatus.COMPLETED or row.completed_at is None:
        row.completed_at = now
    row.status = status


def _status_event(row: Task) -> DomainEvent | None:
    if row.status is TaskStatus.IN_PROGRESS:
        return TaskStarted(task_id=row.id, title=row.title)
    if row.status is TaskStatus.COMPLETED:
        score = (row.validation_result or {}).get("score")
        return TaskCompleted(task_id=row.id, title=row.title, validation_score=score)
    return None


def as_out(row: Task) -> TaskOut:
    """Return a row as the API shows it."""
    return TaskOut(
        id=row.id,
        user_id=row.user_id or "",
        goal_id=row.goal_id,
        title=row.title,
        description=row.description,
        task_type=row.task_type,
        status=row.status,
        priority=row.priority,
        estimated_hours=row.estimated_hours,
        actual_hours=row.actual_hours,
        validation_result=row.validation_result,
        ai_feedback=row.ai_feedback,
        metadata=row.meta or {},
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
    )
