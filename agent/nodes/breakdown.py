"""Task breakdown: a goal → tasks that together reach it, in an order in which they can be done."""

from typing import Any, Final

from agent.checks.overlap import Named, Overlap, cosine, find_overlaps
from agent.checks.plan import Plan, Step, cover, make_plan
from agent.context import AgentContext
from agent.course import course_line, load_course
from agent.job import Job, as_meta, ask_for, complain, provenance
from agent.outputs import PlannedTask, PlannedTasks
from agent.sources import dashed, new_fence, numbered, source_lines
from agent.state import AgentState, Json
from db.enums import TaskStatus, TaskType
from db.events import AiFeedbackGenerated
from tools.context import ToolContext
from tools.goals import get_goal
from tools.indexing import CODE_SNAPSHOT, COURSE, GOAL, TASK
from tools.schemas import TaskIn
from tools.tasks import create_task, list_tasks

EXISTING_TASKS: Final = 50
DEFAULT_COUNT: Final = 4
PRIORITY_STEP: Final = 10


async def load(tools: ToolContext, request: Json) -> Json:
    """Read the goal, its criteria, its tasks and its course. Raises NotFound."""
    goal = await get_goal(tools, request["goal_id"])
    page = await list_tasks(tools, limit=EXISTING_TASKS, goal_id=goal.id)
    tasks = [
        {"id": task.id, "title": task.title, "description": task.description}
        for task in page.items
        if task.status is not TaskStatus.SKIPPED
    ]
    return {
        "goal": {"id": goal.id, "title": goal.title, "description": goal.description or ""},
        "criteria": [criterion.model_dump() for criterion in goal.criteria],
        "tasks": tasks,
        "course": await load_course(tools, goal.course_id),
        "without_sources": [goal.id, *(task["id"] for task in tasks)],
    }


def query(request: Json, subject: Json) -> str:
    """Return what to search for: the goal's own text."""
    return f"{subject['goal']['title']}. {subject['goal']['description']}"


async def answer(state: AgentState, context: AgentContext) -> AgentState:
    """Ask the model for tasks."""
    subject = state["subject"]
    goal = subject["goal"]
    criteria = [criterion["text"] for criterion in subject["criteria"]]
    count = state["request"].get("count") or max(DEFAULT_COUNT, min(len(criteria) + 1, 7))
    return await ask_for(
        PlannedTasks,
        state,
        context,
        values={
            "fence": new_fence(),
            "count": str(count),
            "goal": f"{goal['title']}. {goal['description']}",
            "criteria": numbered(criteria),
            "tasks": dashed(task["title"] for task in subject["tasks"]),
            "course": course_line(subject["course"]),
            "sources": source_lines(state["sources"]),
        },
        scripted={
            "goal": goal["title"],
            "criteria": criteria,
            "count": count,
            "language": state["language"],
        },
    )


async def check(state: AgentState, context: AgentContext) -> AgentState:
    """Make a plan of the model's tasks: no repeats, no cycles, every criterion served."""
    said = PlannedTasks.model_validate(state["answer"])
    subject = state["subject"]
    criteria = [criterion["text"] for criterion in subject["criteria"]]
    existing = subject["tasks"]
    embedder = context.embedder

    old = await embedder.embed_documents([task["title"] for task in existing])
    new = await embedder.embed_documents([task.title for task in said.tasks])
    overlaps = find_overlaps(
        [(task.title, vector) for task, vector in zip(said.tasks, new, strict=True)],
        [
            Named(task["id"], task["title"], vector)
            for task, vector in zip(existing, old, strict=True)
        ],
        threshold=embedder.same_task,
    )
    repeated = {overlap.index for overlap in overlaps}
    kept = _without(said.tasks, overlaps)
    if len(kept) < min(2, len(said.tasks)) and state["repairs"] < context.limits.repairs:
        titles = "; ".join(said.tasks[index].title for index in sorted(repeated))
        return complain(state, context, _REPEATED[state["language"]] + titles)

    plan = make_plan(kept, criteria=len(criteria))
    if plan.steps and plan.uncovered(len(criteria)):
        plan = await _cover(plan, criteria, context)
    merged = [
        {
            "kind": "merged_duplicate",
            "task": said.tasks[overlap.index].title,
            "detail": overlap.repeats.title,
        }
        for overlap in overlaps
    ]
    return AgentState(
        complaint=None,
        draft={
            "steps": [vars(step) for step in plan.steps],
            "critical_path": list(plan.critical_path),
            "repairs": [vars(repair) for repair in plan.repairs] + merged,
        },
    )


async def persist(tools: ToolContext, state: AgentState, context: AgentContext) -> Json:
    """Store the tasks in their order, with their edges, and record the feedback."""
    told = provenance(state, context)
    goal, criteria = state["subject"]["goal"], state["subject"]["criteria"]
    ids: list[str] = []
    stored = []
    first = len(state["subject"]["tasks"])
    for position, fields in enumerate(state["draft"]["steps"], start=first + 1):
        step = Step(**fields)
        task = await create_task(
            tools,
            TaskIn(
                title=step.title,
                description=step.description,
                goal_id=goal["id"],
                task_type=TaskType(step.task_type),
                priority=min(position * PRIORITY_STEP, 1_000),
                estimated_hours=step.hours_likely,
            ),
            ai_generated=True,
            meta=_meta(step, ids, criteria) | {"ai": as_meta(told)},
        )
        ids.append(task.id)
        stored.append(task.model_dump(mode="json"))
    tools.record(
        AiFeedbackGenerated(kind="breakdown", subject_type=GOAL, subject_id=goal["id"], **told)
    )
    return {
        "goal_id": goal["id"],
        "tasks": stored,
        "critical_path": [ids[at] for at in state["draft"]["critical_path"]],
        "repairs": state["draft"]["repairs"],
    }


def _without(tasks: list[PlannedTask], overlaps: list[Overlap]) -> list[PlannedTask]:
    """Return the tasks that repeat nothing; an edge to a repeat goes to what it repeats."""
    stands_for = {
        tasks[overlap.index].key: tasks[overlap.repeats.index].key
        for overlap in overlaps
        if overlap.repeats.index is not None
    }
    repeated = {overlap.index for overlap in overlaps}
    kept: list[PlannedTask] = []
    for index, task in enumerate(tasks):
        if index in repeated:
            continue
        edges = dict.fromkeys(stands_for.get(key, key) for key in task.depends_on)
        edges.pop(task.key, None)
        kept.append(task.model_copy(update={"depends_on": list(edges)}))
    return kept


async def _cover(plan: Plan, criteria: list[str], context: AgentContext) -> Plan:
    texts = [f"{step.title} {step.description}" for step in plan.steps]
    vectors = await context.embedder.embed_documents([*criteria, *texts])
    by_text = dict(zip([*criteria, *texts], vectors, strict=True))
    return cover(plan, criteria, similarity=lambda one, other: cosine(by_text[one], by_text[other]))


def _meta(step: Step, ids: list[str], criteria: list[dict[str, Any]]) -> Json:
    return {
        "depends_on": [ids[position] for position in step.depends_on],
        "serves": [criteria[position]["id"] for position in step.serves],
        "acceptance_criteria": list(step.acceptance),
        "estimate": {
            "low": step.hours_low,
            "likely": step.hours_likely,
            "high": step.hours_high,
            "complexity": step.complexity,
            "reason": step.reason,
        },
    }


_REPEATED: Final = {"es": "estas tareas repiten otras: ", "en": "these tasks repeat others: "}

BREAK_DOWN_GOAL: Final = Job(
    name="break_down_goal",
    entity_types=(TASK, GOAL, COURSE, CODE_SNAPSHOT),
    load=load,
    query=query,
    answer=answer,
    check=check,
    persist=persist,
)
