"""A plan's draft → rows and events, and what is kept for the next breakdown of the goal."""

import hashlib
import json
from typing import Any

from agent.checks.plan import longest_chain
from agent.checks.plan_diff import KEPT_AS_META, WRITTEN, decided, serving
from agent.context import AgentContext
from agent.job import as_meta, provenance
from agent.prompts import load_prompt
from agent.state import AgentState, Json
from db.enums import TaskType
from db.events import AiFeedbackGenerated
from tools.context import ToolContext
from tools.errors import Conflict
from tools.goals import keep_plan, lock_goal
from tools.indexing import GOAL
from tools.next_task import DONE, needs
from tools.plan import PlanTask, load_plan
from tools.schemas import TaskIn, TaskPatch
from tools.tasks import EDITED, create_task, delete_task, update_task


def as_plan_task(one: PlanTask) -> Json:
    """Return a task of a goal as the state carries it; what is not compared is left out."""
    task, meta = one.task, one.task.metadata
    return {
        "id": task.id,
        "protected": one.protected,
        "status": task.status.value,
        "title": task.title,
        "description": None if one.protected else task.description,
        "task_type": task.task_type.value,
        "priority": task.priority,
        "estimated_hours": task.estimated_hours,
        "depends_on": needs(meta.get("depends_on")),
        "serves": needs(meta.get("serves")),
        "acceptance_criteria": needs(meta.get("acceptance_criteria")),
        "estimate": meta.get("estimate"),
    }


def fingerprint(state: AgentState, subject: Json, context: AgentContext) -> str:
    """Return what tells whether a breakdown would be made of the same again.

    Of the tasks it sees what the model is shown and which of them may be touched. What was
    retrieved, and the learner's pace, are left out: they change with every search and every hour.
    """
    request = state["request"]
    made_of = [
        subject["goal"],
        [[one["id"], one["text"]] for one in subject["criteria"]],
        sorted(
            [one["id"], one["title"], one["status"], one["protected"]] for one in subject["tasks"]
        ),
        [request.get("count"), request.get("instructions") or None, state["language"]],
        [context.chat.name, load_prompt(state["job"], state["language"]).version],
    ]
    return hashlib.sha256(json.dumps(made_of, ensure_ascii=False).encode()).hexdigest()


async def write_plan(tools: ToolContext, state: AgentState, context: AgentContext) -> Json:
    """Store what the draft adds, changes and removes; return the plan as it is now.

    A task that its learner has begun, edited or deleted since it was read is left as it is, and
    said so. Raises NotFound where the goal is gone, Conflict where it got another plan meanwhile.
    """
    draft = state["draft"]
    goal = await lock_goal(tools, draft["goal_id"])
    before = {one.task.id: one for one in await load_plan(tools, goal.id)}
    if draft["unchanged"]:
        return _result(draft, before, ids={}, gone=[])
    plan: Any = goal.metadata.get("plan") or {}
    if plan.get("id") != draft["plan_id"]:
        raise Conflict("this goal got another plan meanwhile; ask again")

    by_user, draft = draft, _without_stale(draft, before)
    told = as_meta(provenance(state, context))
    gone = [one["task_id"] for one in draft["removed"]]
    for task_id in gone:
        await delete_task(tools, task_id)
    ids = await _write_steps(tools, draft, before.keys() - set(gone), told)
    tools.record(
        AiFeedbackGenerated(
            kind="breakdown",
            subject_type=GOAL,
            subject_id=goal.id,
            **provenance(state, context),
        )
    )

    after = await load_plan(tools, goal.id)
    subject = {**state["subject"], "tasks": [as_plan_task(one) for one in after]}
    served = {**plan.get("serves", {}), **draft["stands_in"]}
    left = {one.task.id for one in after}
    await keep_plan(
        tools,
        goal.id,
        {
            "id": state["operation_id"],
            "fingerprint": None
            if by_user["rejected"] or draft["rejected"]
            else fingerprint(state, subject, context),
            "serves": {task_id: found for task_id, found in served.items() if task_id in left},
        },
    )
    return _result(draft, {one.task.id: one for one in after}, ids=ids, gone=gone)


async def _write_steps(
    tools: ToolContext, draft: Json, existing: set[str], told: Json
) -> dict[str, str]:
    """Store the steps in their order; return the id of each by its key."""
    ids: dict[str, str] = {}
    for step in draft["steps"]:
        ids[step["key"]] = step["task_id"] or ""
        if step["action"] == "keep":
            continue
        wanted = (ids.get(one, one) for one in step["depends_on"])
        known = existing | set(ids.values())
        meta: Json = {name: step[name] for name in KEPT_AS_META}
        meta |= {"depends_on": [one for one in wanted if one in known], "ai": told}
        if step.get("edited"):
            meta[EDITED] = True
        values = {name: step[name] for name in WRITTEN if name != "task_type"}
        kind = TaskType(step["task_type"])
        if step["action"] == "add":
            task = TaskIn(goal_id=draft["goal_id"], task_type=kind, **values)
            made = await create_task(tools, task, ai_generated=True, meta=meta)
            ids[step["key"]] = made.id
        else:
            patch = TaskPatch(task_type=kind, **values)
            await update_task(tools, step["task_id"], patch, by_agent=True, meta=meta)
    return ids


def _without_stale(draft: Json, rows: dict[str, PlanTask]) -> Json:
    """Return the draft without changes of tasks that are gone by now, or the learner's own."""

    def is_stale(task_id: str) -> bool:
        return task_id not in rows or rows[task_id].protected

    planned = [step for step in draft["steps"] if step["action"] == "change"]
    stale = {one["key"]: one for one in (*planned, *draft["removed"]) if is_stale(one["task_id"])}
    if not stale:
        return draft
    rest = decided(draft, rejected=stale)
    said = [
        {"kind": "changed_meanwhile", "task": one["title"], "detail": "it is left as it is"}
        for one in stale.values()
    ]
    return {**rest, "repairs": [*rest["repairs"], *said]}


def _result(
    draft: Json, rows: dict[str, PlanTask], *, ids: dict[str, str], gone: list[str]
) -> Json:
    """Return the plan as it is stored now; `rows` are all tasks of the goal."""
    by_key = {step["key"]: ids.get(step["key"]) or step["task_id"] for step in draft["steps"]}
    order = [task_id for task_id in by_key.values() if task_id in rows]
    touched = {
        name: [by_key[step["key"]] for step in draft["steps"] if step["action"] == action]
        for name, action in (("added", "add"), ("changed", "change"))
    }
    written = {*touched["added"], *touched["changed"]}
    kept = [task_id for task_id in rows if task_id not in written]
    open_rows = {task_id: one.task for task_id, one in rows.items() if one.task.status not in DONE}
    serves = {by_key.get(key, key): criteria for key, criteria in serving(draft).items()}
    return {
        "goal_id": draft["goal_id"],
        "tasks": [rows[task_id].task.model_dump(mode="json") for task_id in order],
        "diff": {**touched, "removed": gone, "kept": kept},
        "unchanged": draft["unchanged"],
        "critical_path": list(
            longest_chain(
                {task_id: task.estimated_hours or 0.0 for task_id, task in open_rows.items()},
                {
                    task_id: needs(task.metadata.get("depends_on"))
                    for task_id, task in open_rows.items()
                },
            )
        ),
        "coverage": [
            {
                "criterion_id": criterion["id"],
                "task_ids": [
                    task_id
                    for task_id, criteria in serves.items()
                    if criterion["id"] in criteria and task_id in rows
                ],
            }
            for criterion in draft["criteria"]
        ],
        "repairs": draft["repairs"],
        "calibration": draft["calibration"],
    }
