"""One owner's code snapshots."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from db.keyset import Position, newest_first
from db.models import CodeSnapshot, Task


@dataclass(frozen=True, kw_only=True)
class SnapshotFilter:
    """Which snapshots of an owner to list; what is None leaves out nothing.

    Moments: from `created_from` on, and before `created_before`.
    """

    task_id: str | None = None
    language: str | None = None
    passed: bool | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class Snapshots:
    """The code snapshots of one owner; nobody else's can be read or changed through it."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    def add(self, snapshot: CodeSnapshot) -> None:
        """Add a new snapshot as this owner's."""
        snapshot.user_id = self._user_id
        self._session.add(snapshot)

    async def get(self, snapshot_id: str) -> CodeSnapshot | None:
        """Return the snapshot, or None where this owner has no such one."""
        return await self._session.scalar(
            select(CodeSnapshot).where(
                CodeSnapshot.id == snapshot_id, CodeSnapshot.user_id == self._user_id
            )
        )

    async def latest_of_task(self, task_id: str) -> CodeSnapshot | None:
        """Return the newest snapshot of a task."""
        statement = select(CodeSnapshot).where(
            CodeSnapshot.user_id == self._user_id, CodeSnapshot.task_id == task_id
        )
        return await self._session.scalar(
            newest_first(statement, CodeSnapshot, after=None, limit=1)
        )

    async def page(
        self, wanted: SnapshotFilter, *, limit: int, after: Position | None
    ) -> Sequence[CodeSnapshot]:
        """Return at most `limit` snapshots without code, newest first, from behind `after`."""
        statement = (
            select(CodeSnapshot)
            .where(CodeSnapshot.user_id == self._user_id)
            .options(defer(CodeSnapshot.code_content, raiseload=True))
        )
        if wanted.task_id is not None:
            statement = statement.where(CodeSnapshot.task_id == wanted.task_id)
        if wanted.language is not None:
            statement = statement.where(CodeSnapshot.language == wanted.language)
        if wanted.passed is not None:
            statement = statement.where(CodeSnapshot.validation_passed == wanted.passed)
        if wanted.created_from is not None:
            statement = statement.where(CodeSnapshot.created_at >= wanted.created_from)
        if wanted.created_before is not None:
            statement = statement.where(CodeSnapshot.created_at < wanted.created_before)
        found = await self._session.scalars(
            newest_first(statement, CodeSnapshot, after=after, limit=limit)
        )
        return found.all()

    async def ids_of_task(self, task_id: str) -> Sequence[str]:
        """Return the ids of a task's snapshots."""
        found = await self._session.scalars(
            select(CodeSnapshot.id).where(
                CodeSnapshot.task_id == task_id, CodeSnapshot.user_id == self._user_id
            )
        )
        return found.all()

    async def ids_of_goal(self, goal_id: str) -> Sequence[str]:
        """Return the ids of the snapshots of all of a goal's tasks."""
        found = await self._session.scalars(
            select(CodeSnapshot.id)
            .join(Task, Task.id == CodeSnapshot.task_id)
            .where(
                Task.goal_id == goal_id,
                Task.user_id == self._user_id,
                CodeSnapshot.user_id == self._user_id,
            )
        )
        return found.all()

    async def delete(self, snapshot_id: str) -> bool:
        """Delete the snapshot; False where there is no such one."""
        deleted = await self._session.scalar(
            delete(CodeSnapshot)
            .where(CodeSnapshot.id == snapshot_id, CodeSnapshot.user_id == self._user_id)
            .returning(CodeSnapshot.id)
        )
        return deleted is not None
