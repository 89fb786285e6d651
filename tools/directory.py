"""Who knows users and courses: the tables of this database, or the service that they live in."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import Sessions
from db.users import Users, is_active
from tools.courses import find_own_course
from tools.schemas import CourseOut


class Directory(Protocol):
    """What the product asks about users and courses.

    Where they are elsewhere every question may raise UsersUnavailable, and AuthError where the
    token that the user showed is refused there.
    """

    @property
    def is_elsewhere(self) -> bool:
        """Tell whether users and courses live in another service, and no table here has them."""

    def introduce(self, user_id: str, bearer: str) -> None:
        """Keep the token by which this user has just proved who they are, to ask with it."""

    async def is_active(self, sessions: Sessions, user_id: str) -> bool:
        """Tell whether there is such an account and it may be used."""

    async def metadata_of(self, session: AsyncSession, user_id: str) -> dict[str, Any] | None:
        """Return the account's metadata, perhaps empty; None where there is no such account."""

    async def find_course(
        self, session: AsyncSession, user_id: str, course_id: str
    ) -> CourseOut | None:
        """Return the course, None where this user has no such one."""


@dataclass(frozen=True)
class OwnTables:
    """Users and courses are rows of this database."""

    is_elsewhere: bool = False

    def introduce(self, user_id: str, bearer: str) -> None:
        """Keep nothing: the tables ask for no token."""

    async def is_active(self, sessions: Sessions, user_id: str) -> bool:
        """Tell whether there is such an account and it may be used."""
        return await is_active(sessions, user_id)

    async def metadata_of(self, session: AsyncSession, user_id: str) -> dict[str, Any] | None:
        """Return the account's metadata, perhaps empty; None where there is no such account."""
        return await Users(session).metadata_of(user_id)

    async def find_course(
        self, session: AsyncSession, user_id: str, course_id: str
    ) -> CourseOut | None:
        """Return the course, None where this user has no such one."""
        return await find_own_course(session, user_id, course_id)


OWN_TABLES: Final = OwnTables()
