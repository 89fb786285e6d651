"""Courses: make, read, change, delete; their progress follows their goals.

Whoever holds several rows takes them in one order: course, goal, task.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.courses import SORTS, CourseFilter, Courses, HeldCourse
from db.enums import CourseStatus
from db.events import (
    CourseArchived,
    CourseCompleted,
    CourseCreated,
    CourseUpdated,
    DomainEvent,
)
from db.goals import Goals
from db.models import Course
from tools.context import ToolContext
from tools.cursors import NEWEST_FIRST, cut_sorted, decode_place
from tools.errors import NotFound, StateConflict
from tools.indexing import COURSE, course_text, forget_entities, index_entity, index_new
from tools.metadata import merge_patch, require_small
from tools.quotas import require_room
from tools.schemas import CourseIn, CourseOut, CoursePage, CoursePatch
from tools.transitions import require_transition
from tools.versions import ANY_VERSION, IfMatch

EVERY_COURSE: Final = CourseFilter()
_TEXTS: Final = frozenset({"title", "description", "metadata"})
_SETTLED: Final = frozenset({CourseStatus.COMPLETED, CourseStatus.ARCHIVED})


async def create_course(tools: ToolContext, course: CourseIn) -> CourseOut:
    """Store a course, find it by its text from now on, and record COURSE_CREATED.

    Raises LimitReached.
    """
    await require_room(tools, "courses")
    row = Course(
        id=new_id("crs"),
        title=course.title,
        description=course.description,
        status=CourseStatus.DRAFT,
        progress_percentage=course.progress_percentage,
        meta=course.metadata or None,
        created_at=tools.now,
        updated_at=tools.now,
        completed_at=None,
    )
    _enter(row, course.status, now=tools.now)
    Courses(tools.session, tools.user_id).add(row)

    tools.record(CourseCreated(course_id=row.id, title=row.title, status=row.status.value))
    await index_new(tools, COURSE, {row.id: _text_of(row)})
    return _out(row)


async def get_course(tools: ToolContext, course_id: str) -> CourseOut:
    """Return one of the learner's courses. Raises NotFound, UsersUnavailable."""
    course = await tools.directory.find_course(tools.session, tools.user_id, course_id)
    if course is None:
        raise no_such_course()
    return course


async def find_own_course(session: AsyncSession, user_id: str, course_id: str) -> CourseOut | None:
    """Return the course as this database has it, None where the user has no such one."""
    row = await Courses(session, user_id).get(course_id)
    return None if row is None else _out(row)


async def refer_to_courses(tools: ToolContext, course_ids: Collection[str | None]) -> None:
    """See that goals may refer to these courses, where courses live elsewhere.

    Before anything else in a transaction. They are found by their texts from now on, as these are
    there at this moment. Own courses are seen when they are locked. Raises NotFound where one is
    not the learner's own, UsersUnavailable.
    """
    if not tools.directory.is_elsewhere:
        return
    courses = [await get_course(tools, one) for one in course_ids if one is not None]
    for course in courses:
        text = course_text(course.title, course.description, _technologies(course.metadata))
        await index_entity(tools, entity_type=COURSE, entity_id=course.id, text=text)


async def list_courses(
    tools: ToolContext,
    *,
    limit: int = 20,
    cursor: str | None = None,
    wanted: CourseFilter = EVERY_COURSE,
    sort: str = NEWEST_FIRST,
) -> CoursePage:
    """Return a page of the learner's courses. Raises InputError for a bad cursor."""
    found = await Courses(tools.session, tools.user_id).page(
        wanted,
        sort=sort,
        limit=limit + 1,
        after=decode_place(cursor, sort=sort, columns=SORTS),
    )
    rows, next_cursor = cut_sorted(found, limit=limit, sort=sort, columns=SORTS)
    return CoursePage(items=[_out(row) for row in rows], next_cursor=next_cursor)


async def update_course(
    tools: ToolContext, course_id: str, patch: CoursePatch, *, if_match: IfMatch = ANY_VERSION
) -> CourseOut:
    """Change the given fields, and record what changed.

    Raises NotFound; VersionConflict; StateConflict for a status that may not follow, and for a
    progress that the course's goals have already.
    """
    row = await Courses(tools.session, tools.user_id).lock(course_id)
    if row is None:
        raise no_such_course()
    if_match.require(_out(row))
    if patch.given().get("progress_percentage", row.progress_percentage) != row.progress_percentage:
        await _require_own_progress(tools, row)

    changed = _apply(row, patch, now=tools.now)
    if not changed:
        return _out(row)

    row.updated_at = tools.now
    if not _TEXTS.isdisjoint(changed):
        await index_entity(tools, entity_type=COURSE, entity_id=row.id, text=_text_of(row))
    if "status" in changed:
        await follow_goals(tools, row)
    status_event = _status_event(row) if "status" in changed else None
    if status_event is not None:
        tools.record(status_event)
    others = tuple(name for name in changed if name != "status" or status_event is None)
    if others:
        tools.record(CourseUpdated(course_id=row.id, title=row.title, changed=others))
    return _out(row)


async def delete_course(
    tools: ToolContext, course_id: str, *, if_match: IfMatch = ANY_VERSION
) -> None:
    """Delete a course; its goals stay, without one. Raises NotFound, VersionConflict.

    The catalogue has no event for it, so COURSE_UPDATED says `deleted`.
    """
    courses = Courses(tools.session, tools.user_id)
    row = await courses.lock(course_id)
    if row is None:
        raise no_such_course()
    if_match.require(_out(row))
    await courses.delete(course_id)
    await forget_entities(tools, COURSE, [course_id])
    tools.record(CourseUpdated(course_id=course_id, title=row.title, changed=("deleted",)))


async def lock_courses(tools: ToolContext, course_ids: Collection[str | None]) -> dict[str, Course]:
    """Return the courses of these ids, held until the transaction ends.

    Ids that are None, missing or somebody else's are left out, and all where courses live
    elsewhere: nothing here moves their progress.
    """
    if tools.directory.is_elsewhere:
        return {}
    named = {course_id for course_id in course_ids if course_id is not None}
    return await Courses(tools.session, tools.user_id).lock_all(named) if named else {}


async def follow_goals(tools: ToolContext, course: Course | HeldCourse | None) -> None:
    """Set a course's progress to the mean of its goals that are not cancelled.

    A completed course stays at 100 and an archived one as it was; so does one without such goals.
    The course must be locked, before its goals.
    """
    if course is None or course.status in _SETTLED:
        return
    mean = await Goals(tools.session, tools.user_id).mean_progress(course.id)
    if mean is None or round(mean, 2) == course.progress_percentage:
        return
    if isinstance(course, HeldCourse):
        courses = Courses(tools.session, tools.user_id)
        await courses.keep_progress(course.id, round(mean, 2), at=tools.now)
    else:
        course.progress_percentage = round(mean, 2)
        course.updated_at = tools.now


def no_such_course() -> NotFound:
    """Return the error for a course that is missing or somebody else's."""
    return NotFound("there is no such course")


async def _require_own_progress(tools: ToolContext, row: Course) -> None:
    if row.status is CourseStatus.COMPLETED:
        raise StateConflict("a completed course is at 100 %")
    if await Goals(tools.session, tools.user_id).mean_progress(row.id) is not None:
        raise StateConflict("the progress of a course with goals follows them")


def _apply(row: Course, patch: CoursePatch, *, now: datetime) -> tuple[str, ...]:
    """Put the given values into the row and return the names of those that are new."""
    given = patch.given()
    changed: list[str] = []
    if "metadata" in given:
        merged = require_small(merge_patch(row.meta or {}, given.pop("metadata")))
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


def _enter(row: Course, status: CourseStatus, *, now: datetime) -> None:
    if status is CourseStatus.COMPLETED:
        row.completed_at = now
        row.progress_percentage = 100.0
    elif status is not CourseStatus.ARCHIVED:
        row.completed_at = None
    row.status = status


def _status_event(row: Course) -> DomainEvent | None:
    if row.status is CourseStatus.COMPLETED:
        return CourseCompleted(
            course_id=row.id, title=row.title, progress_percentage=row.progress_percentage
        )
    if row.status is CourseStatus.ARCHIVED:
        return CourseArchived(course_id=row.id, title=row.title)
    return None


def _text_of(row: Course) -> str:
    return course_text(row.title, row.description, _technologies(row.meta or {}))


def _technologies(metadata: Mapping[str, Any]) -> list[str]:
    named = metadata.get("technologies")
    return [str(name) for name in named] if isinstance(named, list) else []


def _out(row: Course) -> CourseOut:
    return CourseOut(
        id=row.id,
        user_id=row.user_id or "",
        title=row.title,
        description=row.description,
        status=row.status,
        progress_percentage=row.progress_percentage,
        metadata=row.meta or {},
        created_at=row.created_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
    )
