"""Goals: make, read, change, delete; their progress follows their tasks, their course's follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from db.base import new_id
from db.enums import GoalStatus
from db.events import (
    DomainEvent,
    GoalBlocked,
    GoalCompleted,
    GoalCreated,
    GoalStarted,
    GoalUpdated,
)
from db.goals import SORTS, GoalFilter, Goals, HeldGoal
from db.models import Course, Goal
from db.snapshots import Snapshots
from db.tasks import TaskCounts, Tasks
from tools.context import ToolContext
from tools.courses import follow_goals, lock_courses, no_such_course, refer_to_courses
from tools.criteria import read_criteria, write_criteria
from tools.cursors import NEWEST_FIRST, cut_sorted, decode_place
from tools.errors import Conflict, NotFound
from tools.indexing import (
    GOAL,
    TASK,
    forget_entities,
    forget_snapshots,
    goal_text,
    index_entity,
    index_new,
)
from tools.metadata import merge_patch, require_free, require_small
from tools.quotas import MOST, require_more, require_room
from tools.schemas import GoalIn, GoalOut, GoalPage, GoalPatch
from tools.transitions import require_transition
from tools.versions import ANY_VERSION, IfMatch

EVERY_GOAL: Final = GoalFilter()
KEPT_BY_US: Final = frozenset({"ai", "plan"})
"""Keys of a goal's metadata that no caller changes."""
MOVED: Final = "somebody moved this to another course or goal at this moment: send it again"
_TEXTS: Final = frozenset({"title", "description", "criteria"})
_COUNTS_FOR_COURSE: Final = frozenset({"status", "course_id"})


@dataclass(frozen=True)
class NewGoalRow:
    """A goal to store; `id` is the one under which it was proposed, `meta` its metadata."""

    goal: GoalIn
    id: str | None = None
    meta: dict[str, Any] | None = None


async def create_goal(
    tools: ToolContext,
    goal: GoalIn,
    *,
    ai_generated: bool = False,
    meta: dict[str, Any] | None = None,
    goal_id: str | None = None,
) -> GoalOut:
    """Store a goal, find it by its text from now on, and record GOAL_CREATED.

    `meta` goes to the row's metadata; `goal_id` is the id under which it was proposed. Raises
    NotFound where the course is not the learner's own, LimitReached.
    """
    require_free(goal.metadata, KEPT_BY_US)
    new = NewGoalRow(goal, id=goal_id, meta={**goal.metadata, **(meta or {})} or None)
    [created] = await create_goals(tools, [new], ai_generated=ai_generated)
    return created


async def create_goals(
    tools: ToolContext,
    goals: Sequence[NewGoalRow],
    *,
    ai_generated: bool = False,
    has_room: bool = False,
) -> list[GoalOut]:
    """Store goals as `create_goal` does, all rows and their texts in one message.

    `has_room` says that the caller has found room for them a moment ago.
    """
    named = {new.goal.course_id for new in goals}
    await refer_to_courses(tools, named)
    if not has_room:
        await require_room(tools, "goals", new=len(goals))
    courses = await _lock_own(tools, named)
    rows = [_row(tools, new, ai_generated=ai_generated) for new in goals]
    for row in rows:
        await Goals(tools.session, tools.user_id).add(row)
        tools.record(
            GoalCreated(
                goal_id=row.id,
                title=row.title,
                course_id=row.course_id,
                priority=row.priority.value,
                ai_generated=ai_generated,
            )
        )
    await index_new(tools, GOAL, {row.id: _text_of(row) for row in rows})
    for course in courses.values():
        await follow_goals(tools, course)
    return [_out(row) for row in rows]


def _row(tools: ToolContext, new: NewGoalRow, *, ai_generated: bool) -> Goal:
    return Goal(
        id=new.id or new_id("gol"),
        course_id=new.goal.course_id,
        title=new.goal.title,
        description=new.goal.description,
        status=GoalStatus.PENDING,
        priority=new.goal.priority,
        progress_percentage=0.0,
        ai_generated=ai_generated,
        validation_criteria=write_criteria(new.goal.criteria, previous=()),
        meta=new.meta,
        created_at=tools.now,
        updated_at=tools.now,
        started_at=None,
        completed_at=None,
        due_date=new.goal.due_date,
    )


async def get_goal(tools: ToolContext, goal_id: str) -> GoalOut:
    """Return one of the learner's goals. Raises NotFound."""
    row = await Goals(tools.session, tools.user_id).get(goal_id)
    if row is None:
        raise no_such_goal()
    return _out(row)


async def latest_goal_texts(
    tools: ToolContext, *, limit: int, room_for: int
) -> list[dict[str, Any]]:
    """Return `id`, `title`, `description`, `criteria` and `status` of the latest goals, as texts.

    Newest first; of the latest `limit`, those that were not cancelled. Raises LimitReached where
    there is no room for `room_for` more.
    """
    goals = Goals(tools.session, tools.user_id)
    texts, count = await goals.latest_texts(limit=limit, most=MOST["goals"])
    require_more("goals", has=count, new=room_for)
    return [
        {
            "id": goal.id,
            "title": goal.title,
            "description": goal.description,
            "criteria": [one.text for one in read_criteria(goal.validation_criteria)],
            "status": goal.status,
        }
        for goal in texts
    ]


async def list_goals(
    tools: ToolContext,
    *,
    limit: int = 20,
    cursor: str | None = None,
    wanted: GoalFilter = EVERY_GOAL,
    sort: str = NEWEST_FIRST,
) -> GoalPage:
    """Return a page of the learner's goals. Raises InputError for a bad cursor."""
    found = await Goals(tools.session, tools.user_id).page(
        wanted,
        sort=sort,
        limit=limit + 1,
        after=decode_place(cursor, sort=sort, columns=SORTS),
    )
    rows, next_cursor = cut_sorted(found, limit=limit, sort=sort, columns=SORTS)
    return GoalPage(items=[_out(row) for row in rows], next_cursor=next_cursor)


async def update_goal(
    tools: ToolContext, goal_id: str, patch: GoalPatch, *, if_match: IfMatch = ANY_VERSION
) -> GoalOut:
    """Change the given fields, and record what changed.

    Raises NotFound, also where the course is not the learner's own; VersionConflict; StateConflict
    for a status that may not follow.
    """
    await refer_to_courses(tools, [patch.course_id])
    row, courses = await _lock(tools, goal_id, patch)
    if_match.require(_out(row))
    was_completed = row.status is GoalStatus.COMPLETED
    changed = _apply(row, patch, now=tools.now)
    if not changed:
        return _out(row)

    if was_completed and "status" in changed:
        await follow_tasks(tools, row)
    row.updated_at = tools.now
    if not _TEXTS.isdisjoint(changed):
        await index_entity(tools, entity_type=GOAL, entity_id=row.id, text=_text_of(row))
    if not _COUNTS_FOR_COURSE.isdisjoint(changed):
        for course in courses.values():
            await follow_goals(tools, course)
    status_event = _status_event(row) if "status" in changed else None
    if status_event is not None:
        tools.record(status_event)
    others = tuple(name for name in changed if name != "status" or status_event is None)
    if others:
        tools.record(GoalUpdated(goal_id=row.id, title=row.title, changed=others))
    return _out(row)


async def keep_plan(tools: ToolContext, goal_id: str, plan: dict[str, Any]) -> None:
    """Keep in the goal's metadata what the next breakdown must know. Raises NotFound.

    No event: nothing that the learner sees has changed.
    """
    row = await Goals(tools.session, tools.user_id).lock(goal_id)
    if row is None:
        raise no_such_goal()
    row.meta = {**(row.meta or {}), "plan": plan}


async def lock_goal(tools: ToolContext, goal_id: str) -> GoalOut:
    """Return the goal as it is now, held until the transaction ends. Raises NotFound."""
    row, _ = await hold_goal(tools, goal_id)
    return _out(row)


async def delete_goal(tools: ToolContext, goal_id: str, *, if_match: IfMatch = ANY_VERSION) -> None:
    """Delete a goal with its tasks and their code. Raises NotFound, VersionConflict.

    The catalogue has no event for it, so GOAL_UPDATED says `deleted`.
    """
    row, course = await hold_goal(tools, goal_id)
    if_match.require(_out(row))
    snapshot_ids = await Snapshots(tools.session, tools.user_id).ids_of_goal(goal_id)
    await forget_snapshots(tools, snapshot_ids)
    task_ids = await Tasks(tools.session, tools.user_id).ids_of_goal(goal_id)
    await forget_entities(tools, TASK, task_ids)
    await forget_entities(tools, GOAL, [goal_id])
    await Goals(tools.session, tools.user_id).delete(goal_id)
    await follow_goals(tools, course)
    tools.record(GoalUpdated(goal_id=goal_id, title=row.title, changed=("deleted",)))


async def hold_goal(tools: ToolContext, goal_id: str) -> tuple[Goal, Course | None]:
    """Hold a goal's course, then the goal, until the transaction ends. Raises NotFound."""
    goals = Goals(tools.session, tools.user_id)
    courses = await lock_courses(tools, [await goals.course_of(goal_id)])
    row = await goals.lock(goal_id)
    if row is None:
        raise no_such_goal()
    return row, None if tools.directory.is_elsewhere else _course_of(row, courses)


async def follow_tasks(
    tools: ToolContext, goal: Goal | HeldGoal, counts: TaskCounts | None = None
) -> None:
    """Set the goal's progress to the done share of its tasks that are not skipped.

    A completed goal stays at 100; one without such tasks is at 0. The goal must be locked, and its
    course before it: `tools.courses.follow_goals` comes next. Tasks are counted where the caller
    has not.
    """
    if goal.status is GoalStatus.COMPLETED:
        return
    if counts is None:
        counts = await Tasks(tools.session, tools.user_id).count_of_goal(goal.id)
    progress = round(100.0 * counts.completed / counts.counted, 2) if counts.counted else 0.0
    if progress == goal.progress_percentage:
        return
    if isinstance(goal, HeldGoal):
        goals = Goals(tools.session, tools.user_id)
        await goals.keep_progress(goal.id, progress, at=tools.now)
    else:
        goal.progress_percentage = progress
        goal.updated_at = tools.now


def no_such_goal() -> NotFound:
    """Return the error for a goal that is missing or somebody else's."""
    return NotFound("there is no such goal")


async def _lock(
    tools: ToolContext, goal_id: str, patch: GoalPatch
) -> tuple[Goal, Mapping[str, Course]]:
    """Hold the courses whose progress the change may move, then the goal."""
    goals = Goals(tools.session, tools.user_id)
    courses: Mapping[str, Course] = {}
    moves = not patch.model_fields_set.isdisjoint(_COUNTS_FOR_COURSE)
    wanted = patch.course_id
    if moves:
        courses = await lock_courses(tools, [wanted, await goals.course_of(goal_id)])
    row = await goals.lock(goal_id)
    if row is None:
        raise no_such_goal()
    if moves and not tools.directory.is_elsewhere:
        _course_of(row, courses)
        if wanted is not None and wanted not in courses:
            raise no_such_course()
    return row, courses


async def _lock_own(tools: ToolContext, course_ids: set[str | None]) -> Mapping[str, Course]:
    courses = await lock_courses(tools, course_ids)
    if len(courses) < len(course_ids - {None}) and not tools.directory.is_elsewhere:
        raise no_such_course()
    return courses


def _course_of(row: Goal, courses: Mapping[str, Course]) -> Course | None:
    """Return the goal's course, which is held. Raises Conflict where it is another one by now."""
    if row.course_id is None:
        return None
    if row.course_id not in courses:
        raise Conflict(MOVED)
    return courses[row.course_id]


def _apply(row: Goal, patch: GoalPatch, *, now: datetime) -> tuple[str, ...]:
    """Put the given values into the row and return the names of those that are new."""
    given = patch.given()
    changed: list[str] = []
    if "criteria" in given:
        previous = read_criteria(row.validation_criteria)
        criteria = given.pop("criteria")
        if criteria != [criterion.text for criterion in previous]:
            row.validation_criteria = write_criteria(criteria, previous=previous)
            changed.append("criteria")
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
        _enter(row, status, now=now)
        changed.append("status")
    return tuple(sorted(changed))


def _enter(row: Goal, status: GoalStatus, *, now: datetime) -> None:
    if status in {GoalStatus.IN_PROGRESS, GoalStatus.COMPLETED} and row.started_at is None:
        row.started_at = now
    row.completed_at = now if status is GoalStatus.COMPLETED else None
    if status is GoalStatus.COMPLETED:
        row.progress_percentage = 100.0
    row.status = status


def _status_event(row: Goal) -> DomainEvent | None:
    if row.status is GoalStatus.IN_PROGRESS:
        return GoalStarted(goal_id=row.id, title=row.title)
    if row.status is GoalStatus.COMPLETED:
        return GoalCompleted(
            goal_id=row.id, title=row.title, progress_percentage=row.progress_percentage
        )
    if row.status is GoalStatus.BLOCKED:
        return GoalBlocked(goal_id=row.id, title=row.title)
    return None


def _text_of(row: Goal) -> str:
    criteria = [criterion.text for criterion in read_criteria(row.validation_criteria)]
    return goal_text(row.title, row.description, criteria)


def _out(row: Goal) -> GoalOut:
    return GoalOut(
        id=row.id,
        user_id=row.user_id or "",
        course_id=row.course_id,
        title=row.title,
        description=row.description,
        status=row.status,
        priority=row.priority,
        progress_percentage=row.progress_percentage,
        ai_generated=row.ai_generated,
        criteria=read_criteria(row.validation_criteria),
        metadata=row.meta or {},
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        due_date=row.due_date,
    )
