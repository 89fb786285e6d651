"""A plan as the metrics see it: steps with keys, what they serve, what they depend on.

`serves` are the numbers of the goal's criteria, from 1; a step that is skipped serves nothing.
"""

from evals.planner import Done
from evals.suite import Case, Json
from tools.schemas import GoalOut, TaskOut


def goal_of(case: Case) -> Json:
    """Return the row of the goal that is to be broken down."""
    wanted = case.inputs["request"]["goal"]
    found: Json = next(row for row in case.inputs["rows"] if row["key"] == wanted)
    return found


def tasks_of(case: Case) -> list[Json]:
    """Return the rows of the tasks that the goal has already."""
    wanted = case.inputs["request"]["goal"]
    return [row for row in case.inputs["rows"] if row.get("goal") == wanted]


def stored_plan(goal: GoalOut, tasks: list[TaskOut], *, keys: dict[str, str]) -> list[Json]:
    """Return the stored tasks of a goal as steps; `keys` are those of the tasks' ids."""
    numbers = {one.id: number for number, one in enumerate(goal.criteria, start=1)}
    about_goal: Json = goal.metadata
    stands_in = (about_goal.get("plan") or {}).get("serves", {})
    plan = []
    for task in tasks:
        about: Json = task.metadata
        served = [*(about.get("serves") or ()), *stands_in.get(task.id, ())]
        skipped = task.status == "skipped"
        plan.append(
            {
                "key": keys[task.id],
                "title": task.title,
                "serves": [] if skipped else sorted({numbers.get(one, 0) for one in served}),
                "depends_on": [keys.get(one, one) for one in about.get("depends_on") or ()],
            }
        )
    return plan


def in_plan_order(done: Done) -> list[TaskOut]:
    """Return the new tasks in the order of the plan, which is the same in every run."""
    order = {task["id"]: place for place, task in enumerate(done.result["tasks"])}
    return sorted(done.new_tasks, key=lambda task: order.get(task.id, len(order)))
