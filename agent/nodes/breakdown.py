"""Task breakdown: a goal → tasks that together reach it, in an order in which they can be done.

A goal that has tasks gets a diff: what the learner made, edited or worked on stays as it is.
"""

from collections.abc import Mapping
from typing import Final

from agent.checks.estimates import with_likely
from agent.checks.language import foreign_texts, is_foreign
from agent.checks.plan_diff import WRITTEN, decided
from agent.checks.plan_draft import by_key, draft_plan, kept_draft, protected, replaceable
from agent.context import AgentContext
from agent.course import course_line, load_course_of_goal
from agent.job import Job, ask_for, complain
from agent.nodes.plan_rows import as_plan_task, fingerprint, write_plan
from agent.outputs import FEWEST_TASKS, MOST_TASKS, PlannedTasks, tasks_shape
from agent.review import Decision, validated
from agent.sources import NOTHING, dashed, new_fence, numbered, source_lines
from agent.state import AgentState, Json
from agent.token_budget import cut
from tools.context import ToolContext
from tools.errors import ModelBadOutput
from tools.goals import get_goal
from tools.indexing import CODE_SNAPSHOT, COURSE, GOAL, TASK
from tools.plan import load_calibration, load_plan
from tools.schemas import TaskIn

SHOWN_TASKS: Final = 30
DEFAULT_COUNT: Final = 4
FEWEST_BESIDE_OTHERS: Final = 2
TITLE_TOKENS: Final = 30
CRITERION_TOKENS: Final = 60
DESCRIPTION_TOKENS: Final = 300


async def load(tools: ToolContext, request: Json) -> Json:
    """Read the goal, its criteria, tasks and course, and the learner's pace. Raises NotFound."""
    goal = await get_goal(tools, request["goal_id"])
    tasks = [as_plan_task(one) for one in await load_plan(tools, goal.id)]
    calibration = await load_calibration(tools)
    return {
        "goal": {"id": goal.id, "title": goal.title, "description": goal.description or ""},
        "criteria": [criterion.model_dump() for criterion in goal.criteria],
        "plan": goal.metadata.get("plan") or {},
        "tasks": tasks,
        "calibration": None if calibration is None else vars(calibration),
        "course": await load_course_of_goal(tools, goal.course_id),
        "without_sources": [goal.id, *(task["id"] for task in tasks)],
    }


def query(request: Json, subject: Json) -> str:
    """Return what to search for: the goal's own text."""
    return f"{subject['goal']['title']}. {subject['goal']['description']}"


def is_unchanged(state: AgentState, context: AgentContext) -> bool:
    """Tell whether the goal's plan was made of the very same: no model can better it."""
    made_of = state["subject"]["plan"].get("fingerprint")
    return made_of is not None and made_of == fingerprint(state, state["subject"], context)


async def answer(state: AgentState, context: AgentContext) -> AgentState:
    """Ask the model for tasks, unless the plan was made of the very same."""
    if is_unchanged(state, context):
        return AgentState(answer={"unchanged": True}, complaint=None)

    subject, request = state["subject"], state["request"]
    goal = subject["goal"]
    criteria = [criterion["text"] for criterion in subject["criteria"]]
    existing = [f"{key}. {cut(one['title'], TITLE_TOKENS)}" for key, one in by_key(subject).items()]
    earlier = dashed(cut(task["title"], TITLE_TOKENS) for task in replaceable(subject))
    count = _count(state)
    return await ask_for(
        tasks_shape(count, len(criteria), len(existing)),
        state,
        context,
        values={
            "fence": new_fence(),
            "count": str(count),
            "goal": f"{goal['title']}. {cut(goal['description'], DESCRIPTION_TOKENS)}",
            "criteria": numbered(cut(text, CRITERION_TOKENS) for text in criteria),
            "tasks": "\n".join(existing[-SHOWN_TASKS:]) or NOTHING,
            "earlier": earlier,
            "instructions": request.get("instructions") or NOTHING,
            "course": course_line(subject["course"]),
            "sources": source_lines(state["sources"]),
        },
        scripted={
            "goal": goal["title"],
            "criteria": criteria,
            "count": request.get("count"),
            "language": state["language"],
        },
    )


async def check(state: AgentState, context: AgentContext) -> AgentState:
    """Make a plan of the model's tasks, as a diff to what there is; complain once if it is none.

    Raises ModelBadOutput where the tasks are not in the learner's language.
    """
    if state["answer"].get("unchanged"):
        return AgentState(complaint=None, draft=kept_draft(state["subject"]))

    said = PlannedTasks.model_validate(state["answer"])
    language, words = state["language"], _COMPLAINTS[state["language"]]
    last = state["repairs"] >= context.limits.repairs
    texts = [text for task in said.tasks for text in (task.title, task.description, task.reason)]
    texts += [text for task in said.tasks for text in task.acceptance]
    foreign, is_all_foreign = foreign_texts(texts, language), is_foreign(". ".join(texts), language)
    if is_all_foreign and not last:
        return complain(state, context, words["all_foreign"], answer={})
    if foreign and not last:
        return complain(state, context, words["language"] + "; ".join(foreign[:5]))
    if is_all_foreign:
        raise ModelBadOutput(f"the model did not answer in the language {language}")

    draft = await draft_plan(said.tasks, state["subject"], context.embedder)
    fewest = FEWEST_BESIDE_OTHERS if protected(state["subject"]) else FEWEST_TASKS
    if len(draft["steps"]) < min(fewest, len(said.tasks)) and not last:
        merged = [one["task"] for one in draft["repairs"] if one["kind"] == "merged_duplicate"]
        return complain(state, context, words["repeated"] + "; ".join(merged))
    return AgentState(complaint=None, draft=draft)


def items(draft: Json) -> list[Json]:
    """Return each task that is added, changed or removed as what the user decides on."""
    steps = [
        {
            "key": step["key"],
            "kind": "task",
            "action": step["action"],
            "title": step["title"],
            "task_id": step["task_id"],
            "changes": step["changes"],
            "depends_on": step["depends_on"],
            "fields": {name: step[name] for name in WRITTEN},
        }
        for step in draft["steps"]
        if step["action"] != "keep"
    ]
    removed = [
        {**one, "kind": "task", "action": "remove", "fields": {}} for one in draft["removed"]
    ]
    return [*steps, *removed]


def decide(draft: Json, decisions: Mapping[str, Decision]) -> Json:
    """Return the draft that the user wants: without what they reject, with their own words.

    It still has no cycle, and criteria that no task serves any more are among its repairs. Raises
    InputError for an edit that no task can have.
    """
    edits = {key: one.fields for key, one in decisions.items() if one.action == "edit"}
    steps = [
        _edited(step, edits[step["key"]]) if step["key"] in edits else step
        for step in draft["steps"]
    ]
    rejected = {key for key, one in decisions.items() if one.action == "reject"}
    return decided({**draft, "steps": steps}, rejected=rejected)


async def persist(tools: ToolContext, state: AgentState, context: AgentContext) -> Json:
    """Store what the draft adds, changes and removes, and record the feedback.

    Raises NotFound where the goal is gone, Conflict where it got another plan meanwhile.
    """
    return await write_plan(tools, state, context)


def _count(state: AgentState) -> int:
    criteria = len(state["subject"]["criteria"])
    return state["request"].get("count") or max(DEFAULT_COUNT, min(criteria + 1, MOST_TASKS))


def _edited(step: Json, fields: Json) -> Json:
    wanted = {name: fields.get(name, step[name]) for name in WRITTEN}
    checked = validated(TaskIn, wanted)
    hours = checked.estimated_hours
    return {
        **step,
        **checked.model_dump(mode="json", include=set(WRITTEN)),
        "estimate": step["estimate"] if hours is None else with_likely(step["estimate"], hours),
        "edited": True,
    }


_COMPLAINTS: Final = {
    "es": {
        "repeated": "estas tareas repiten otras: ",
        "language": "todo debe estar en español; esto no lo está: ",
        "all_foreign": "Escribe cada título, descripción, criterio y razón en español.",
    },
    "en": {
        "repeated": "these tasks repeat others: ",
        "language": "everything must be in English; this is not: ",
        "all_foreign": "Write every title, description, criterion and reason in English.",
    },
}

BREAK_DOWN_GOAL: Final = Job(
    name="break_down_goal",
    entity_types=(TASK, GOAL, COURSE, CODE_SNAPSHOT),
    load=load,
    query=query,
    answer=answer,
    check=check,
    persist=persist,
    items=items,
    decide=decide,
)
