"""One owner's code snapshots."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from db.columns import as_json, naive
from db.keyset import Position, newest_first
from db.models import CodeSnapshot, Task
from db.reads import execute_later, make_statement

_ADD: Final = make_statement("""
insert into code_snapshots
  (id, task_id, user_id, file_path, language, code_content, validation_passed, validation_score,
   validation_feedback, issues_found, metadata, storage_path, created_at)
values
  (:id, :task_id, :user_id, :file_path, :language, :code_content, :validation_passed,
   :validation_score, :validation_feedback, :issues_found, :metadata, :storage_path, :created_at)
""")
LATEST: Final = make_statement("""
select id, issues_found, metadata from code_snapshots
where user_id = :user_id and task_id = :task_id
order by created_at desc, id desc
limit 1
""")


class LatestVerdict(NamedTuple):
    """What was found in a task's newest snapshot, as it is stored."""

    id: str
    issues: list[Any] | None
    meta: dict[str, Any] | None


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

    async def add(self, snapshot: CodeSnapshot) -> None:
        """Store a new snapshot as this owner's, with the next statement or the COMMIT."""
        snapshot.user_id = self._user_id
        values = {
            "id": snapshot.id,
            "task_id": snapshot.task_id,
            "user_id": snapshot.user_id,
            "file_path": snapshot.file_path,
            "language": snapshot.language,
            "code_content": snapshot.code_content,
            "validation_passed": snapshot.validation_passed,
            "validation_score": snapshot.validation_score,
            "validation_feedback": snapshot.validation_feedback,
            "issues_found": as_json(snapshot.issues_found),
            "metadata": as_json(snapshot.meta),
            "storage_path": snapshot.storage_path,
            "created_at": naive(snapshot.created_at),
        }
        await execute_later(self._session, _ADD, values)

    async def get(self, snapshot_id: str) -> CodeSnapshot | None:
        """Return the snapshot, or None where this owner has no such one."""
        return await self._session.scalar(
            select(CodeSnapshot).where(
                CodeSnapshot.id == snapshot_id, CodeSnapshot.user_id == self._user_id
            )
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
