"""A goal's tasks as a plan: which of them a new breakdown may touch, and how long they take."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Final

from db.enums import TaskStatus
from db.tasks import DoneHours, TaskFilter, Tasks
from tools.context import ToolContext
from tools.schemas import TaskOut
from tools.tasks import EDITED, list_tasks

PLAN_TASKS: Final = 90
LATEST_DONE: Final = 50
LEAST_DONE: Final = 5
LOWEST_RATIO: Final = 0.5
HIGHEST_RATIO: Final = 3.0


@dataclass(frozen=True)
class PlanTask:
    """A task of a goal; one that is `protected` is never changed or removed by a breakdown."""

    task: TaskOut
    protected: bool


@dataclass(frozen=True)
class Calibration:
    """How much longer than estimated a learner takes, by that many finished tasks."""

    ratio: float
    tasks: int


async def load_plan(tools: ToolContext, goal_id: str) -> list[PlanTask]:
    """Return the newest tasks of a goal, oldest first; at most `PLAN_TASKS`."""
    page = await list_tasks(tools, limit=PLAN_TASKS, wanted=TaskFilter(goal_id=goal_id))
    submitted = await Tasks(tools.session, tools.user_id).submitted_of_goal(goal_id)
    return [
        PlanTask(task, is_protected(task, submitted=task.id in submitted))
        for task in reversed(page.items)
    ]


def is_protected(task: TaskOut, *, submitted: bool) -> bool:
    """Tell whether a task is the learner's: made or edited by them, or worked on."""
    worked_on = (
        task.status is not TaskStatus.TODO
        or task.started_at is not None
        or task.actual_hours is not None
        or submitted
    )
    return worked_on or "ai" not in task.metadata or bool(task.metadata.get(EDITED))


async def load_calibration(tools: ToolContext) -> Calibration | None:
    """Return how the learner's hours compare to the estimates, None where too few are known."""
    return calibrate(await Tasks(tools.session, tools.user_id).done_hours(limit=LATEST_DONE))


def calibrate(done: Iterable[DoneHours]) -> Calibration | None:
    """Return the ratio of actual to estimated hours, None for fewer than `LEAST_DONE` tasks.

    It is the median of the ratios, in logarithms, so that half and double cancel out and one odd
    task counts for little; shrunk towards 1 by n / (n + 5), and kept between 0.5 and 3. An estimate
    that was itself calibrated counts as it was before, or the ratio would chase itself.
    """
    logs = [math.log(one.actual / _uncalibrated(one)) for one in done]
    if len(logs) < LEAST_DONE:
        return None
    shrunk = median(logs) * len(logs) / (len(logs) + LEAST_DONE)
    ratio = min(max(math.exp(shrunk), LOWEST_RATIO), HIGHEST_RATIO)
    return Calibration(ratio=round(ratio, 2), tasks=len(logs))


def _uncalibrated(done: DoneHours) -> float:
    """Return the estimate before calibration, where it still is the one that was calibrated."""
    estimate = done.estimate if isinstance(done.estimate, dict) else {}
    raw = estimate.get("uncalibrated")
    is_ours = estimate.get("likely") == done.estimated
    return float(raw) if is_ours and isinstance(raw, int | float) and raw > 0 else done.estimated
