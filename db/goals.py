"""One owner's goals."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.enums import GoalStatus
from db.keyset import Position, newest_first
from db.models import Goal
from db.reads import make_statement, read

_LATEST: Final = make_statement("""
select id, title, description, validation_criteria, status
from (
  select * from goals where user_id = :user_id order by created_at desc, id desc limit :limit
) as latest
where status <> 'cancelled'
order by created_at desc, id desc
""")


class GoalText(NamedTuple):
    """What a goal says; its criteria as they are stored."""

    id: str
    title: str
    description: str | None
    validation_criteria: dict[str, Any] | None
    status: str


class Goals:
    """The goals of one owner; nobody else's can be read or changed through it."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    def add(self, goal: Goal) -> None:
        """Add a new goal as this owner's."""
        goal.user_id = self._user_id
        self._session.add(goal)

    async def get(self, goal_id: str) -> Goal | None:
        """Return the goal, or None where this owner has no such one."""
        return await self._session.scalar(
            select(Goal).where(Goal.id == goal_id, Goal.user_id == self._user_id)
        )

    async def lock(self, goal_id: str) -> Goal | None:
        """Return the goal as it is now, held until the transaction ends.

        FOR NO KEY UPDATE: two transactions that have each added a task hold a key share of the
        goal, and FOR UPDATE would make them wait for each other.
        """
        return await self._session.scalar(
            select(Goal)
            .where(Goal.id == goal_id, Goal.user_id == self._user_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )

    async def page(
        self,
        *,
        limit: int,
        after: Position | None,
        status: GoalStatus | None,
        course_id: str | None,
    ) -> Sequence[Goal]:
        """Return at most `limit` goals, newest first, from behind `after`."""
        statement = select(Goal).where(Goal.user_id == self._user_id)
        if status is not None:
            statement = statement.where(Goal.status == status)
        if course_id is not None:
            statement = statement.where(Goal.course_id == course_id)
        found = await self._session.scalars(newest_first(statement, Goal, after=after, limit=limit))
        return found.all()

    async def latest_texts(self, *, limit: int) -> list[GoalText]:
        """Return what the latest `limit` goals say, newest first, but for cancelled ones."""
        rows = await read(self._session, _LATEST, {"user_id": self._user_id, "limit": limit})
        return [GoalText._make(row) for row in rows]

    async def delete(self, goal_id: str) -> bool:
        """Delete the goal, its tasks and their code; False where there is no such goal."""
        deleted = await self._session.scalar(
            delete(Goal).where(Goal.id == goal_id, Goal.user_id == self._user_id).returning(Goal.id)
        )
        return deleted is not None
