"""Which task of a goal to do now: the one place that decides it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from db.enums import TaskStatus
from db.tasks import PlanRow, Tasks
from tools.context import ToolContext
from tools.goals import get_goal
from tools.schemas import NextTaskOut
from tools.tasks import get_task

DONE: Final = frozenset({TaskStatus.COMPLETED, TaskStatus.SKIPPED})
TO_DO: Final = frozenset({TaskStatus.TODO, TaskStatus.IN_PROGRESS, TaskStatus.FAILED})
"""A task in review waits for a verdict: there is nothing to do on it."""


async def find_next_task(tools: ToolContext, goal_id: str) -> NextTaskOut:
    """Return the task of a goal to do now, or why there is none. Raises NotFound.

    A task can be done where all that it depends on is completed, skipped or gone. Of those the
    lowest priority number comes first, then the one that the fewest open tasks wait for, then the
    oldest.
    """
    await get_goal(tools, goal_id)
    tasks = Tasks(tools.session, tools.user_id)
    rows = await tasks.plan_of_goal(goal_id)
    own = {row.id for row in rows}
    elsewhere = {needed for row in rows for needed in needs(row.depends_on)} - own
    others = await tasks.statuses(elsewhere) if elsewhere else {}

    chosen = choose(rows, others)
    held = blocked(rows, others)
    open_rows = [row for row in rows if row.status not in DONE]
    return NextTaskOut(
        task=None if chosen is None else await get_task(tools, chosen),
        reason=None if chosen else _reason(rows, open_rows),
        blocked_by=[]
        if chosen
        else sorted({needed for found in held.values() for needed in found}),
        waiting=len(held),
    )


def choose(rows: Sequence[PlanRow], others: Mapping[str, TaskStatus]) -> str | None:
    """Return the id of the task to do now; `others` are the statuses of other goals' tasks."""
    held = blocked(rows, others)
    waited_for = Counter(needed for found in held.values() for needed in found)
    ready = [row for row in rows if row.status in TO_DO and row.id not in held]
    first = min(
        ready,
        key=lambda row: (row.priority, waited_for[row.id], row.created_at, row.id),
        default=None,
    )
    return None if first is None else first.id


def blocked(
    rows: Sequence[PlanRow], others: Mapping[str, TaskStatus]
) -> dict[str, tuple[str, ...]]:
    """Return the open tasks that cannot be begun yet, each with the unfinished ones it needs."""
    statuses = {**others, **{row.id: row.status for row in rows}}
    unfinished = {task_id for task_id, status in statuses.items() if status not in DONE}
    held = {
        row.id: tuple(dict.fromkeys(one for one in needs(row.depends_on) if one in unfinished))
        for row in rows
        if row.status not in DONE
    }
    return {task_id: found for task_id, found in held.items() if found}


def needs(stored: object) -> list[str]:
    """Return the ids of a stored `depends_on`, whatever it holds."""
    return [one for one in stored if isinstance(one, str)] if isinstance(stored, list) else []


def _reason(
    rows: Sequence[PlanRow], open_rows: Sequence[PlanRow]
) -> Literal["no_tasks", "all_done", "in_review", "blocked"]:
    if not rows:
        return "no_tasks"
    if not open_rows:
        return "all_done"
    in_review = any(row.status is TaskStatus.IN_REVIEW for row in open_rows)
    return "in_review" if in_review else "blocked"
