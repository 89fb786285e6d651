"""A new status for a goal or a task: proposed in a conversation, decided by the user, no model."""

from collections.abc import Mapping
from typing import Final

from agent.context import AgentContext
from agent.job import Job
from agent.review import Decision
from agent.state import AgentState, Json
from db.enums import GoalStatus, TaskStatus
from tools.context import ToolContext
from tools.errors import InputError
from tools.goals import get_goal, update_goal
from tools.indexing import GOAL, TASK
from tools.schemas import GoalPatch, TaskPatch
from tools.tasks import get_task, update_task
from tools.transitions import require_transition

KEY: Final = "s1"
STATUSES: Final[Mapping[str, tuple[str, ...]]] = {
    GOAL: tuple(status.value for status in GoalStatus),
    TASK: tuple(status.value for status in TaskStatus),
}


async def load(tools: ToolContext, request: Json) -> Json:
    """Read the goal or task by its id. Raises NotFound."""
    entity_id = request["entity_id"]
    if entity_id.startswith("gol_"):
        goal = await get_goal(tools, entity_id)
        return {"entity_type": GOAL, "title": goal.title, "before": goal.status.value}
    task = await get_task(tools, entity_id)
    return {"entity_type": TASK, "title": task.title, "before": task.status.value}


def query(request: Json, subject: Json) -> str:
    """Return the title, by which the language is told; nothing is searched."""
    return str(subject["title"])


async def answer(state: AgentState, context: AgentContext) -> AgentState:
    """Take the status as it was asked for: no model has a say."""
    return AgentState(answer={"status": state["request"]["status"]}, complaint=None)


async def check(state: AgentState, context: AgentContext) -> AgentState:
    """Make the draft. Raises InputError, StateConflict for what it cannot become."""
    subject = state["subject"]
    after = require_possible(subject["entity_type"], subject["before"], state["answer"]["status"])
    return AgentState(
        complaint=None,
        draft={
            "entity_type": subject["entity_type"],
            "entity_id": state["request"]["entity_id"],
            "title": subject["title"],
            "before": subject["before"],
            "after": after,
        },
    )


def items(draft: Json) -> list[Json]:
    """Return the one change that the user decides on."""
    return [
        {
            "key": KEY,
            "kind": "status",
            "action": "change",
            "title": draft["title"],
            "entity_id": draft["entity_id"],
            "before": draft["before"],
            "fields": {"status": draft["after"]},
        }
    ]


def decide(draft: Json, decisions: Mapping[str, Decision]) -> Json:
    """Return the draft that the user wants; rejected, it changes nothing.

    Raises InputError or StateConflict for what it cannot become.
    """
    decision = decisions[KEY]
    if decision.action == "reject":
        return {**draft, "after": None}
    wanted = decision.fields.get("status", draft["after"])
    return {**draft, "after": require_possible(draft["entity_type"], draft["before"], wanted)}


async def persist(tools: ToolContext, state: AgentState, context: AgentContext) -> Json:
    """Change the status through the verbs, which record it. Raises NotFound."""
    draft = state["draft"]
    entity_id, after = draft["entity_id"], draft["after"]
    before = (await load(tools, {"entity_id": entity_id}))["before"]
    if after is not None and draft["entity_type"] == GOAL:
        await update_goal(tools, entity_id, GoalPatch(status=GoalStatus(after)))
    elif after is not None:
        await update_task(tools, entity_id, TaskPatch(status=TaskStatus(after)))
    return {
        "entity_type": draft["entity_type"],
        "entity_id": entity_id,
        "title": draft["title"],
        "before": before,
        "after": before if after is None else after,
    }


def require_possible(entity_type: str, before: str, status: object) -> str:
    """Return a status that may follow `before`. Raises InputError, StateConflict."""
    after = require_status(entity_type, status)
    if entity_type == GOAL:
        require_transition(GoalStatus(before), GoalStatus(after))
    else:
        require_transition(TaskStatus(before), TaskStatus(after))
    return after


def require_status(entity_type: str, status: object) -> str:
    """Return a status that such a thing can have. Raises InputError."""
    if status not in STATUSES[entity_type]:
        raise InputError(
            f"a {entity_type} can be {', '.join(STATUSES[entity_type])}, not {str(status)[:40]}"
        )
    return str(status)


CHANGE_STATUS: Final = Job(
    name="change_status",
    entity_types=(),
    load=load,
    query=query,
    answer=answer,
    check=check,
    persist=persist,
    items=items,
    decide=decide,
)
