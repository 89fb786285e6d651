"""One owner's goals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.columns import as_json, naive
from db.enums import GoalPriority, GoalStatus
from db.models import Goal
from db.ordering import (
    Place,
    SortColumn,
    SortColumns,
    order_by,
    read_moment,
    read_number,
    read_text,
)
from db.reads import execute, execute_later, make_statement, read_all

SORTS: Final[SortColumns] = {
    "created_at": SortColumn(Goal.created_at, read_moment),
    "updated_at": SortColumn(Goal.updated_at, read_moment),
    "due_date": SortColumn(Goal.due_date, read_moment),
    "priority": SortColumn(Goal.priority, GoalPriority),
    "progress_percentage": SortColumn(Goal.progress_percentage, read_number),
    "title": SortColumn(Goal.title, read_text),
}

_COURSE: Final = make_statement(
    "select course_id from goals where id = :goal_id and user_id = :user_id"
)

_KEEP_PROGRESS: Final = make_statement("""
update goals set progress_percentage = :progress, updated_at = :at
where id = :goal_id and user_id = :user_id
""")
_MEAN_PROGRESS: Final = make_statement("""
select avg(progress_percentage) from goals
where course_id = :course_id and user_id = :user_id and status <> 'cancelled'
""")
_ADD: Final = make_statement("""
insert into goals
  (id, user_id, course_id, title, description, status, priority, progress_percentage, ai_generated,
   validation_criteria, metadata, created_at, updated_at, due_date)
values
  (:id, :user_id, :course_id, :title, :description, :status::goalstatus, :priority::goalpriority,
   :progress, :ai_generated, :validation_criteria, :metadata, :created_at, :updated_at, :due_date)
""")

_LATEST: Final = make_statement("""
select id, title, description, validation_criteria, status
from (
  select * from goals where user_id = :user_id order by created_at desc, id desc limit :limit
) as latest
where status <> 'cancelled'
order by created_at desc, id desc
""")
_COUNT: Final = make_statement(
    "select count(*) from (select from goals where user_id = :user_id limit :most) as first"
)


class HeldGoal(NamedTuple):
    """What a goal's progress depends on, and its course, as they are while it is held."""

    id: str
    course_id: str | None
    status: GoalStatus
    progress_percentage: float


class GoalText(NamedTuple):
    """What a goal says; its criteria as they are stored."""

    id: str
    title: str
    description: str | None
    validation_criteria: dict[str, Any] | None
    status: str


@dataclass(frozen=True, kw_only=True)
class GoalFilter:
    """Which goals of an owner to list; what is empty or None leaves out nothing.

    Moments: from `…_from` on, and before `…_before`.
    """

    statuses: Sequence[GoalStatus] = ()
    priorities: Sequence[GoalPriority] = ()
    course_id: str | None = None
    ai_generated: bool | None = None
    due_from: datetime | None = None
    due_before: datetime | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class Goals:
    """The goals of one owner; nobody else's can be read or changed through it."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, goal: Goal) -> None:
        """Store a new goal as this owner's, with the next statement or the COMMIT."""
        goal.user_id = self._user_id
        values = {
            "id": goal.id,
            "user_id": goal.user_id,
            "course_id": goal.course_id,
            "title": goal.title,
            "description": goal.description,
            "status": goal.status.value,
            "priority": goal.priority.value,
            "progress": goal.progress_percentage,
            "ai_generated": goal.ai_generated,
            "validation_criteria": as_json(goal.validation_criteria),
            "metadata": as_json(goal.meta),
            "created_at": naive(goal.created_at),
            "updated_at": naive(goal.updated_at),
            "due_date": naive(goal.due_date),
        }
        await execute_later(self._session, _ADD, values)

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

    async def keep_progress(self, goal_id: str, progress: float, *, at: datetime) -> None:
        """Write the progress of a goal that is held, with the next statement or the COMMIT."""
        values = {"goal_id": goal_id, "user_id": self._user_id, "progress": progress}
        await execute_later(self._session, _KEEP_PROGRESS, {**values, "at": naive(at)})

    async def course_of(self, goal_id: str) -> str | None:
        """Return the id of the goal's course, None also where there is no such goal."""
        values = {"goal_id": goal_id, "user_id": self._user_id}
        rows = await execute(self._session, _COURSE, values)
        return rows[0][0] if rows else None

    async def page(
        self, wanted: GoalFilter, *, sort: str, limit: int, after: Place | None
    ) -> Sequence[Goal]:
        """Return at most `limit` goals in the order of `sort`, from behind `after`."""
        statement = select(Goal).where(Goal.user_id == self._user_id)
        if wanted.statuses:
            statement = statement.where(Goal.status.in_(wanted.statuses))
        if wanted.priorities:
            statement = statement.where(Goal.priority.in_(wanted.priorities))
        if wanted.course_id is not None:
            statement = statement.where(Goal.course_id == wanted.course_id)
        if wanted.ai_generated is not None:
            statement = statement.where(Goal.ai_generated == wanted.ai_generated)
        if wanted.due_from is not None:
            statement = statement.where(Goal.due_date >= wanted.due_from)
        if wanted.due_before is not None:
            statement = statement.where(Goal.due_date < wanted.due_before)
        if wanted.created_from is not None:
            statement = statement.where(Goal.created_at >= wanted.created_from)
        if wanted.created_before is not None:
            statement = statement.where(Goal.created_at < wanted.created_before)
        column = SORTS[sort.removeprefix("-")].column
        ordered = order_by(
            statement, Goal, column, descending=sort.startswith("-"), after=after, limit=limit
        )
        return (await self._session.scalars(ordered)).all()

    async def mean_progress(self, course_id: str) -> float | None:
        """Return the mean progress of a course's goals but the cancelled ones, None without any."""
        await self._session.flush()
        values = {"course_id": course_id, "user_id": self._user_id}
        [(mean,)] = await execute(self._session, _MEAN_PROGRESS, values)
        return None if mean is None else float(mean)

    async def latest_texts(self, *, limit: int, most: int) -> tuple[list[GoalText], int]:
        """Return what the latest `limit` goals say, newest first, but for cancelled ones.

        Beside them how many goals there are, counted up to `most`.
        """
        values = {"user_id": self._user_id, "limit": limit, "most": most}
        texts, [(count,)] = await read_all(self._session, [_LATEST, _COUNT], values)
        return [GoalText._make(row) for row in texts], count

    async def delete(self, goal_id: str) -> bool:
        """Delete the goal, its tasks and their code; False where there is no such goal."""
        deleted = await self._session.scalar(
            delete(Goal).where(Goal.id == goal_id, Goal.user_id == self._user_id).returning(Goal.id)
        )
        return deleted is not None
