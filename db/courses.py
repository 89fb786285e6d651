"""One owner's courses."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.columns import naive
from db.enums import CourseStatus
from db.models import Course
from db.ordering import (
    Place,
    SortColumn,
    SortColumns,
    order_by,
    read_moment,
    read_number,
    read_text,
)
from db.reads import execute_later, make_statement

SORTS: Final[SortColumns] = {
    "created_at": SortColumn(Course.created_at, read_moment),
    "updated_at": SortColumn(Course.updated_at, read_moment),
    "progress_percentage": SortColumn(Course.progress_percentage, read_number),
    "title": SortColumn(Course.title, read_text),
}

_KEEP_PROGRESS: Final = make_statement("""
update courses set progress_percentage = :progress, updated_at = :at
where id = :course_id and user_id = :user_id
""")


class HeldCourse(NamedTuple):
    """What a course's progress depends on, as it is while the course is held."""

    id: str
    status: CourseStatus
    progress_percentage: float


@dataclass(frozen=True, kw_only=True)
class CourseFilter:
    """Which courses of an owner to list; what is empty or None leaves out nothing.

    Moments: from `created_from` on, and before `created_before`.
    """

    statuses: Sequence[CourseStatus] = ()
    created_from: datetime | None = None
    created_before: datetime | None = None


class Courses:
    """The courses of one owner; nobody else's can be read or changed through it."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    def add(self, course: Course) -> None:
        """Add a new course as this owner's."""
        course.user_id = self._user_id
        self._session.add(course)

    async def get(self, course_id: str) -> Course | None:
        """Return the course, or None where this owner has no such one."""
        return await self._session.scalar(
            select(Course).where(Course.id == course_id, Course.user_id == self._user_id)
        )

    async def lock(self, course_id: str) -> Course | None:
        """Return the course as it is now, held until the transaction ends."""
        return await self._session.scalar(
            select(Course)
            .where(Course.id == course_id, Course.user_id == self._user_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )

    async def lock_all(self, course_ids: Collection[str]) -> dict[str, Course]:
        """Return those of the courses that are this owner's, held in the order of their ids."""
        found = await self._session.scalars(
            select(Course)
            .where(Course.id.in_(course_ids), Course.user_id == self._user_id)
            .order_by(Course.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        return {course.id: course for course in found}

    async def keep_progress(self, course_id: str, progress: float, *, at: datetime) -> None:
        """Write the progress of a course that is held, with the next statement or the COMMIT."""
        values = {"course_id": course_id, "user_id": self._user_id, "progress": progress}
        await execute_later(self._session, _KEEP_PROGRESS, {**values, "at": naive(at)})

    async def set_progress(self, course_id: str, percentage: float) -> None:
        """Let a course have this progress, 0 to 100, whatever its goals have."""
        await self._session.execute(
            update(Course)
            .where(Course.id == course_id, Course.user_id == self._user_id)
            .values(progress_percentage=percentage)
        )

    async def page(
        self, wanted: CourseFilter, *, sort: str, limit: int, after: Place | None
    ) -> Sequence[Course]:
        """Return at most `limit` courses in the order of `sort`, from behind `after`."""
        statement = select(Course).where(Course.user_id == self._user_id)
        if wanted.statuses:
            statement = statement.where(Course.status.in_(wanted.statuses))
        if wanted.created_from is not None:
            statement = statement.where(Course.created_at >= wanted.created_from)
        if wanted.created_before is not None:
            statement = statement.where(Course.created_at < wanted.created_before)
        column = SORTS[sort.removeprefix("-")].column
        ordered = order_by(
            statement, Course, column, descending=sort.startswith("-"), after=after, limit=limit
        )
        return (await self._session.scalars(ordered)).all()

    async def delete(self, course_id: str) -> bool:
        """Delete the course, leaving its goals without one; False where there is no such course."""
        deleted = await self._session.scalar(
            delete(Course)
            .where(Course.id == course_id, Course.user_id == self._user_id)
            .returning(Course.id)
        )
        return deleted is not None
