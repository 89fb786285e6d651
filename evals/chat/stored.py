"""What a learner has stored, and what a turn of a talk has changed of it."""

from collections.abc import Mapping
from typing import Any, Final

from evals.suite import Json
from tools.context import ToolContext
from tools.goals import list_goals
from tools.tasks import list_tasks

MOST_ROWS: Final = 100
Rows = Mapping[str, Json]
"""Rows by their ids; `kind` is goal or task."""


async def read_rows(tools: ToolContext) -> Rows:
    """Return the goals and tasks, without what follows from others: progress and moments."""
    goals = await list_goals(tools, limit=MOST_ROWS)
    tasks = await list_tasks(tools, limit=MOST_ROWS)
    found: dict[str, Json] = {
        goal.id: {
            "kind": "goal",
            "title": goal.title,
            "description": goal.description,
            "priority": goal.priority.value,
            "criteria": [criterion.text for criterion in goal.criteria],
            "status": goal.status.value,
        }
        for goal in goals.items
    }
    for task in tasks.items:
        found[task.id] = {
            "kind": "task",
            "title": task.title,
            "description": task.description,
            "goal": task.goal_id,
            "estimated_hours": task.estimated_hours,
            "status": task.status.value,
        }
    return dict(sorted(found.items()))


def changes(before: Rows, after: Rows) -> list[Json]:
    """Return what is added, changed or removed, a change for each row; fields that changed only."""
    found: list[Json] = []
    for row_id in sorted({*before, *after}):
        old, new = before.get(row_id), after.get(row_id)
        if old == new:
            continue
        if old is None:
            found.append({"change": "add", "id": row_id, **(new or {})})
        elif new is None:
            found.append({"change": "remove", "id": row_id, "kind": old["kind"]})
        else:
            fields: dict[str, Any] = {
                name: value for name, value in new.items() if old.get(name) != value
            }
            found.append({"change": "change", "id": row_id, "kind": new["kind"], "fields": fields})
    return found
