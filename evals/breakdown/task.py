"""Break a goal down as the product does, and tell what was stored, in JSON."""

from typing import Any

from api.agent_schemas import BreakdownIn, as_request
from evals.breakdown.steps import in_plan_order, stored_plan, tasks_of
from evals.plan_metrics import UNUSABLE, unusable
from evals.planner import Done, Planner, Text, find_nearest
from evals.suite import Case, Json, Outcome
from tools.embedders import Embedder
from tools.schemas import TaskOut


async def break_down(case: Case, planner: Planner) -> Outcome:
    """Return the tasks that the product has stored for the case's goal.

    `plan` are all tasks of the goal as steps, `new` the new ones with the task that is most like
    each, `touched` the keys of own rows that are not what they were, `mended` what code had to put
    right in the model's plan.
    """
    learner = await planner.admit(case)
    asked = case.inputs["request"]
    goal_id = learner.ids[asked["goal"]]
    request = as_request(BreakdownIn(count=asked["count"]), goal_id=goal_id)
    try:
        done = await planner.run(learner, "break_down_goal", request)
    except UNUSABLE as error:
        return unusable(error)
    return Outcome(data=await _told(case, done, goal_id, planner.model.embedder))


async def _told(case: Case, done: Done, goal_id: str, embedder: Embedder) -> Json:
    tasks = in_plan_order(done)
    own = [task for key, task in done.before.tasks.items() if key in done.after.tasks]
    keys = {task.id: done.learner.key_of(task.id) for task in own}
    keys |= {task.id: f"n{number}" for number, task in enumerate(tasks, start=1)}
    of_goal = [task for task in (*own, *tasks) if task.goal_id == goal_id]
    nearest = await find_nearest(
        [Text(row["title"], row["title"]) for row in tasks_of(case) if row["status"] != "skipped"],
        [Text(task.title, task.title) for task in tasks],
        embedder,
    )
    new = [
        {
            "title": task.title,
            "description": task.description or "",
            "why": _reason(task),
            "criteria": _criteria(task),
            "nearest": like,
        }
        for task, like in zip(tasks, nearest, strict=True)
    ]
    return {
        "new": new,
        "plan": stored_plan(done.after.goals[goal_id], of_goal, keys=keys),
        "same": embedder.same_task,
        "touched": done.touched,
        "mended": [repair["kind"] for repair in done.result["repairs"]],
    }


def _criteria(task: TaskOut) -> list[str]:
    said: Any = task.metadata.get("acceptance_criteria") or ()
    return list(said)


def _reason(task: TaskOut) -> str:
    estimate: Any = task.metadata.get("estimate") or {}
    return str(estimate.get("reason") or "")
