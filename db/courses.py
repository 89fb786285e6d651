"""One owner's courses."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.enums import CourseStatus
from db.keyset import Position, newest_first
from db.models import Course


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

    async def page(
        self, *, limit: int, after: Position | None, status: CourseStatus | None
    ) -> Sequence[Course]:
        """Return at most `limit` courses, newest first, from behind `after`."""
        statement = select(Course).where(Course.user_id == self._user_id)
        if status is not None:
            statement = statement.where(Course.status == status)
        found = await self._session.scalars(
            newest_first(statement, Course, after=after, limit=limit)
        )
        return found.all()

    async def delete(self, course_id: str) -> bool:
        """Delete the course, leaving its goals without one; False where there is no such course."""
        deleted = await self._session.scalar(
            delete(Course)
            .where(Course.id == course_id, Course.user_id == self._user_id)
            .returning(Course.id)
        )
        return deleted is not None
