"""One owner's tasks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.columns import as_json, naive
from db.enums import TaskStatus, TaskType
from db.models import CodeSnapshot, Goal, Task
from db.ordering import (
    Place,
    SortColumn,
    SortColumns,
    order_by,
    read_integer,
    read_moment,
    read_number,
    read_text,
)
from db.reads import execute, execute_later, make_statement, read

SORTS: Final[SortColumns] = {
    "created_at": SortColumn(Task.created_at, read_moment),
    "updated_at": SortColumn(Task.updated_at, read_moment),
    "completed_at": SortColumn(Task.completed_at, read_moment),
    "priority": SortColumn(Task.priority, read_integer),
    "estimated_hours": SortColumn(Task.estimated_hours, read_number),
    "title": SortColumn(Task.title, read_text),
}

_PARENTS: Final = make_statement("""
select tasks.goal_id, goals.course_id
from tasks left join goals on goals.id = tasks.goal_id and goals.user_id = tasks.user_id
where tasks.id = :task_id and tasks.user_id = :user_id
""")

TEXT: Final = make_statement("""
select id, title, description, metadata from tasks where id = :task_id and user_id = :user_id
""")
_KEEP_VERDICT: Final = make_statement("""
update tasks set status = :status::taskstatus, validation_result = :validation_result,
       ai_feedback = :ai_feedback, metadata = :metadata, updated_at = :updated_at,
       started_at = :started_at, completed_at = :completed_at
where id = :task_id and user_id = :user_id
""")
_COUNT: Final = make_statement("""
select count(*) filter (where status <> 'skipped'), count(*) filter (where status = 'completed')
from tasks where goal_id = :goal_id and user_id = :user_id
""")


class TaskText(NamedTuple):
    """What a task says, and its metadata as they are stored."""

    id: str
    title: str
    description: str | None
    meta: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which tasks of an owner to list; what is empty or None leaves out nothing.

    Moments: from `created_from` on, and before `created_before`.
    """

    statuses: Sequence[TaskStatus] = ()
    types: Sequence[TaskType] = ()
    goal_id: str | None = None
    course_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class Parents(NamedTuple):
    """The goal that a task is for, and the course that the goal belongs to."""

    goal_id: str | None
    course_id: str | None


@dataclass(frozen=True)
class TaskCounts:
    """Tasks of a goal: those not skipped, and those of them that are done."""

    counted: int
    completed: int

    def with_one(self, status: TaskStatus) -> "TaskCounts":
        """Return the counts with one more task, of this status."""
        return TaskCounts(
            counted=self.counted + (status is not TaskStatus.SKIPPED),
            completed=self.completed + (status is TaskStatus.COMPLETED),
        )


@dataclass(frozen=True)
class PlanRow:
    """What the order of a goal's tasks depends on."""

    id: str
    status: TaskStatus
    priority: int
    created_at: datetime
    depends_on: Any


@dataclass(frozen=True)
class DoneHours:
    """What a finished task was thought to take and took; `estimate` is its metadata's, or None."""

    estimated: float
    actual: float
    estimate: Any


class Tasks:
    """The tasks of one owner; nobody else's can be read or changed through it."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    def add(self, task: Task) -> None:
        """Add a new task as this owner's."""
        task.user_id = self._user_id
        self._session.add(task)

    async def get(self, task_id: str) -> Task | None:
        """Return the task, or None where this owner has no such one."""
        return await self._session.scalar(
            select(Task).where(Task.id == task_id, Task.user_id == self._user_id)
        )

    async def lock(self, task_id: str) -> Task | None:
        """Return the task as it is now, held until the transaction ends.

        Hold the goal first, where there is one: everybody takes the two in that order.
        """
        return await self._session.scalar(
            select(Task)
            .where(Task.id == task_id, Task.user_id == self._user_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )

    async def text_of(self, task_id: str) -> TaskText | None:
        """Return what the task says, or None where this owner has no such one."""
        await self._session.flush()
        values = {"task_id": task_id, "user_id": self._user_id}
        rows = await read(self._session, TEXT, values)
        return TaskText._make(rows[0]) if rows else None

    async def keep_verdict(self, task: Task) -> None:
        """Write status, verdict, metadata and moments of a task that is held."""
        values = {
            "task_id": task.id,
            "user_id": self._user_id,
            "status": task.status.value,
            "validation_result": as_json(task.validation_result),
            "ai_feedback": task.ai_feedback,
            "metadata": as_json(task.meta),
            "updated_at": naive(task.updated_at),
            "started_at": naive(task.started_at),
            "completed_at": naive(task.completed_at),
        }
        await execute_later(self._session, _KEEP_VERDICT, values)

    async def parents(self, task_id: str) -> Parents | None:
        """Return the ids of what a task belongs to, or None where this owner has no such task."""
        values = {"task_id": task_id, "user_id": self._user_id}
        rows = await execute(self._session, _PARENTS, values)
        return Parents(*rows[0]) if rows else None

    async def page(
        self, wanted: TaskFilter, *, sort: str, limit: int, after: Place | None
    ) -> Sequence[Task]:
        """Return at most `limit` tasks in the order of `sort`, from behind `after`."""
        statement = select(Task).where(Task.user_id == self._user_id)
        if wanted.statuses:
            statement = statement.where(Task.status.in_(wanted.statuses))
        if wanted.types:
            statement = statement.where(Task.task_type.in_(wanted.types))
        if wanted.goal_id is not None:
            statement = statement.where(Task.goal_id == wanted.goal_id)
        if wanted.course_id is not None:
            of_course = select(Goal.id).where(
                Goal.course_id == wanted.course_id, Goal.user_id == self._user_id
            )
            statement = statement.where(Task.goal_id.in_(of_course))
        if wanted.created_from is not None:
            statement = statement.where(Task.created_at >= wanted.created_from)
        if wanted.created_before is not None:
            statement = statement.where(Task.created_at < wanted.created_before)
        column = SORTS[sort.removeprefix("-")].column
        ordered = order_by(
            statement, Task, column, descending=sort.startswith("-"), after=after, limit=limit
        )
        return (await self._session.scalars(ordered)).all()

    async def ids_of_goal(self, goal_id: str) -> Sequence[str]:
        """Return the ids of a goal's tasks."""
        found = await self._session.scalars(
            select(Task.id).where(Task.goal_id == goal_id, Task.user_id == self._user_id)
        )
        return found.all()

    async def plan_of_goal(self, goal_id: str) -> list[PlanRow]:
        """Return what the order of a goal's tasks depends on, oldest first."""
        found = await self._session.execute(
            select(Task.id, Task.status, Task.priority, Task.created_at, Task.meta["depends_on"])
            .where(Task.goal_id == goal_id, Task.user_id == self._user_id)
            .order_by(Task.created_at, Task.id)
        )
        return [PlanRow(*row) for row in found]

    async def statuses(self, task_ids: Collection[str]) -> dict[str, TaskStatus]:
        """Return the status of each of these tasks that is this owner's."""
        found = await self._session.execute(
            select(Task.id, Task.status).where(Task.id.in_(task_ids), Task.user_id == self._user_id)
        )
        return {row.id: row.status for row in found}

    async def submitted_of_goal(self, goal_id: str) -> frozenset[str]:
        """Return the ids of a goal's tasks for which code was submitted."""
        found = await self._session.scalars(
            select(Task.id)
            .join(CodeSnapshot, CodeSnapshot.task_id == Task.id)
            .where(
                Task.goal_id == goal_id,
                Task.user_id == self._user_id,
                CodeSnapshot.user_id == self._user_id,
            )
            .distinct()
        )
        return frozenset(found.all())

    async def done_hours(self, *, limit: int) -> list[DoneHours]:
        """Return the hours of the tasks finished last that have both numbers."""
        found = await self._session.execute(
            select(Task.estimated_hours, Task.actual_hours, Task.meta["estimate"])
            .where(
                Task.user_id == self._user_id,
                Task.status == TaskStatus.COMPLETED,
                Task.estimated_hours > 0,
                Task.actual_hours > 0,
            )
            .order_by(Task.completed_at.desc().nulls_last(), Task.id.desc())
            .limit(limit)
        )
        return [DoneHours(row[0], row[1], row[2]) for row in found]

    async def count_of_goal(self, goal_id: str) -> TaskCounts:
        """Count a goal's tasks."""
        await self._session.flush()
        values = {"goal_id": goal_id, "user_id": self._user_id}
        [(counted, completed)] = await execute(self._session, _COUNT, values)
        return TaskCounts(counted=counted, completed=completed)

    async def delete(self, task_id: str) -> bool:
        """Delete the task and its code; False where there is no such task."""
        deleted = await self._session.scalar(
            delete(Task).where(Task.id == task_id, Task.user_id == self._user_id).returning(Task.id)
        )
        return deleted is not None
