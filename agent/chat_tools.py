"""What the model may call in a conversation: searches, and proposals that the user decides on.

No tool writes. A proposal names a job, which goes the way of every job and ends at a review.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.context import AgentContext
from agent.nodes.change_status import require_possible
from agent.search_tools import make_search_tools
from agent.state import JobName, Json
from agent.talk import Call
from agent.tracing import execute_tool
from tools.errors import GoalsError, InputError, NotFound, StateConflict
from tools.goals import get_goal
from tools.indexing import GOAL, TASK
from tools.tasks import get_task
from tools.texts import Id, Text

CALLS_AT_ONCE: Final = 8


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProposeGoals(_Arguments):
    """Propose new learning goals for what the user wants. The user decides on each of them."""

    wish: Annotated[Text, Field(min_length=1, max_length=2_000)] = Field(
        description="What the user wants, in their own words"
    )
    count: int = Field(default=3, ge=1, le=7)


class ProposeTasks(_Arguments):
    """Break one of the user's goals down into tasks. The user decides on each of them."""

    goal_id: Id = Field(description="Id of the goal: gol_…")
    instructions: Annotated[Text, Field(max_length=1_000)] | None = None


class ProposeStatus(_Arguments):
    """Propose a new status for one of the user's goals or tasks. The user decides on it."""

    id: Id = Field(description="Id of the goal (gol_…) or task (tsk_…)")
    status: Annotated[Text, Field(max_length=20)] = Field(
        description="goal: pending, in_progress, completed, blocked, cancelled; "
        "task: todo, in_progress, in_review, completed, failed, skipped"
    )


_PROPOSALS: Final[Mapping[str, tuple[type[_Arguments], JobName]]] = {
    "propose_goals": (ProposeGoals, "suggest_goals"),
    "propose_tasks": (ProposeTasks, "break_down_goal"),
    "propose_status": (ProposeStatus, "change_status"),
}


@dataclass(frozen=True)
class Told:
    """What a call came to: an answer for the model, or a job that takes over with its request."""

    content: str
    failed: bool = False
    job: JobName | None = None
    request: Json | None = None


@cache
def tool_definitions() -> tuple[Json, ...]:
    """Return all tools as OpenAI's function definitions; they are the same for every user."""
    from langchain_core.utils.function_calling import convert_to_openai_tool

    def nobody() -> Any:
        raise AssertionError("definitions are not called")

    searches = [convert_to_openai_tool(tool) for tool in make_search_tools(nobody)]
    proposals = [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": takes.__doc__,
                "parameters": takes.model_json_schema(),
            },
        }
        for name, (takes, _) in _PROPOSALS.items()
    ]
    return (*searches, *proposals)


async def call_tool(context: AgentContext, call: Call, *, language: Literal["es", "en"]) -> Told:
    """Return what `call` comes to. Never raises for what the model did wrong: it is told."""
    if call.arguments is None:
        return _refused(InputError("the arguments are not a JSON object"))
    if call.name in _PROPOSALS:
        return await _propose(context, call, language=language)
    searches = {tool.name: tool for tool in make_search_tools(context.open_tools)}
    if call.name not in searches:
        return _refused(InputError("there is no such tool"))
    with execute_tool(call.name, call_id=call.id, arguments=call.arguments) as told:
        message = await searches[call.name].ainvoke(
            {"type": "tool_call", "id": call.id, "name": call.name, "args": call.arguments}
        )
        told.tell_result(str(message.content))
    return Told(str(message.content), failed=message.status == "error")


async def _propose(context: AgentContext, call: Call, *, language: Literal["es", "en"]) -> Told:
    takes, job = _PROPOSALS[call.name]
    try:
        asked = takes.model_validate(call.arguments)
        request = await _request(context, asked)
    except ValidationError as error:
        fields = "; ".join(
            f"{'.'.join(map(str, one['loc']))[:40]}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)[:5]
        )
        return _refused(InputError(fields))
    except (NotFound, InputError, StateConflict) as error:
        return _refused(error)
    content = json.dumps({"proposed": True, "written": False})
    return Told(content, job=job, request={**request, "language": language, "review": True})


async def _request(context: AgentContext, asked: _Arguments) -> Json:
    """Return the job's request. Raises NotFound for what is not the user's."""
    if isinstance(asked, ProposeGoals):
        return {"wish": asked.wish, "course_id": None, "count": asked.count}
    async with context.open_tools() as tools:
        if isinstance(asked, ProposeTasks):
            await get_goal(tools, asked.goal_id)
            return {"goal_id": asked.goal_id, "count": None, "instructions": asked.instructions}
        assert isinstance(asked, ProposeStatus)
        if asked.id.startswith("gol_"):
            goal = await get_goal(tools, asked.id)
            require_possible(GOAL, goal.status, asked.status)
        else:
            task = await get_task(tools, asked.id)
            require_possible(TASK, task.status, asked.status)
        return {"entity_id": asked.id, "status": asked.status}


def _refused(error: GoalsError) -> Told:
    content = json.dumps({"error": {"code": error.code, "detail": error.detail}})
    return Told(content, failed=True)
