"""Courses: make, read, change, delete."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.courses import Courses
from db.enums import CourseStatus
from db.events import (
    CourseArchived,
    CourseCompleted,
    CourseCreated,
    CourseUpdated,
    DomainEvent,
)
from db.models import Course
from tools.context import ToolContext
from tools.cursors import cut_page, decode_cursor
from tools.errors import NotFound
from tools.indexing import COURSE, course_text, forget_entities, index_entity
from tools.schemas import CourseIn, CourseOut, CoursePage, CoursePatch


async def create_course(tools: ToolContext, course: CourseIn) -> CourseOut:
    """Store a course, find it by its text from now on, and record COURSE_CREATED."""
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
    await _index(tools, row)
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
    """See that goals may refer to these courses: before anything else in a transaction.

    One that lives elsewhere is found by its text from now on, as it is there at this moment.
    Raises NotFound where one is not the learner's own, UsersUnavailable.
    """
    courses = [await get_course(tools, one) for one in course_ids if one is not None]
    for course in courses if tools.directory.is_elsewhere else ():
        text = course_text(course.title, course.description, _technologies(course.metadata))
        await index_entity(tools, entity_type=COURSE, entity_id=course.id, text=text)


async def list_courses(
    tools: ToolContext,
    *,
    limit: int = 20,
    cursor: str | None = None,
    status: CourseStatus | None = None,
) -> CoursePage:
    """Return a page of the learner's courses, newest first. Raises InputError for a bad cursor."""
    found = await Courses(tools.session, tools.user_id).page(
        limit=limit + 1, after=decode_cursor(cursor), status=status
    )
    rows, next_cursor = cut_page(found, limit=limit)
    return CoursePage(items=[_out(row) for row in rows], next_cursor=next_cursor)


async def update_course(tools: ToolContext, course_id: str, patch: CoursePatch) -> CourseOut:
    """Change the given fields, and record what changed. Raises NotFound."""
    row = await Courses(tools.session, tools.user_id).lock(course_id)
    if row is None:
        raise no_such_course()

    changed = _apply(row, patch, now=tools.now)
    if not changed:
        return _out(row)

    row.updated_at = tools.now
    await _index(tools, row)
    status_event = _status_event(row) if "status" in changed else None
    if status_event is not None:
        tools.record(status_event)
    others = tuple(name for name in changed if name != "status" or status_event is None)
    if others:
        tools.record(CourseUpdated(course_id=row.id, title=row.title, changed=others))
    return _out(row)


async def delete_course(tools: ToolContext, course_id: str) -> None:
    """Delete a course; its goals stay, without one. Raises NotFound.

    The catalogue has no event for it, so COURSE_UPDATED says `deleted`.
    """
    courses = Courses(tools.session, tools.user_id)
    row = await courses.lock(course_id)
    if row is None or not await courses.delete(course_id):
        raise no_such_course()
    await forget_entities(tools, COURSE, [course_id])
    tools.record(CourseUpdated(course_id=course_id, title=row.title, changed=("deleted",)))


def no_such_course() -> NotFound:
    """Return the error for a course that is missing or somebody else's."""
    return NotFound("there is no such course")


def _apply(row: Course, patch: CoursePatch, *, now: datetime) -> tuple[str, ...]:
    """Put the given values into the row and return the names of those that are new."""
    given = patch.given()
    changed: list[str] = []
    if "metadata" in given:
        merged = merge_patch(row.meta or {}, given.pop("metadata"))
        if merged != (row.meta or {}):
            row.meta = merged or None
            changed.append("metadata")
    status = given.pop("status", row.status)
    for name, value in given.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed.append(name)
    if status is not row.status:
        _enter(row, status, now=now)
        changed.append("status")
    return tuple(sorted(changed))


def _enter(row: Course, status: CourseStatus, *, now: datetime) -> None:
    if status is CourseStatus.COMPLETED:
        row.completed_at = now
        row.progress_percentage = 100.0
    elif row.status is CourseStatus.COMPLETED and status is not CourseStatus.ARCHIVED:
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


async def _index(tools: ToolContext, row: Course) -> None:
    text = course_text(row.title, row.description, _technologies(row.meta or {}))
    await index_entity(tools, entity_type=COURSE, entity_id=row.id, text=text)


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


def merge_patch(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Return `target` with `patch` merged into it (RFC 7396): null removes, objects merge."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            inner = merged.get(key)
            merged[key] = merge_patch(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[key] = value
    return merged
