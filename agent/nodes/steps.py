"""The steps that every job shares: load, route, retrieve, check, persist."""

from collections.abc import Mapping
from typing import Final, Literal

from langgraph.runtime import Runtime

from agent.context import AgentContext
from agent.job import Job
from agent.nodes.breakdown import BREAK_DOWN_GOAL
from agent.nodes.suggest import SUGGEST_GOALS
from agent.nodes.validate import VALIDATE_CODE
from agent.sources import label_hits
from agent.state import AgentState, JobName, Json, Tokens
from agent.words import language_of
from db.operations import Operations, request_hash
from db.retrieval import Scope
from tools.context import ToolContext
from tools.errors import Conflict
from tools.search import MAX_QUERY_CHARACTERS, search_everything
from tools.users import get_user

JOBS: Final[Mapping[JobName, Job]] = {
    job.name: job for job in (SUGGEST_GOALS, BREAK_DOWN_GOAL, VALIDATE_CODE)
}
SOURCES: Final = 6

Context = Runtime[AgentContext]


async def load(state: AgentState, runtime: Context) -> AgentState:
    """Read what the run is about; where it was finished before, take that answer instead.

    Raises NotFound for what is not the user's, Conflict where the key belongs to another request.
    """
    context = runtime.context
    async with context.open_tools() as tools:
        finished = await _finished(tools, state)
        if finished is not None:
            return AgentState(result=finished)
        user = await get_user(tools.session, context.user_id)
        subject = await JOBS[state["job"]].load(tools, state["request"])
    return AgentState(
        subject={**subject, "preferred_language": user.language},
        complaint=None,
        repairs=0,
        sources=[],
        result=None,
        tokens=Tokens(input=0, output=0, calls=0),
    )


async def route(state: AgentState, runtime: Context) -> AgentState:
    """Settle the language of the answer: as asked, else the learner's own, else the text's."""
    asked = state["request"].get("language") or state["subject"]["preferred_language"]
    if asked in {"es", "en"}:
        return AgentState(language=asked)
    return AgentState(language=language_of(_query(state)))


async def retrieve(state: AgentState, runtime: Context) -> AgentState:
    """Search the learner's own rows for what the job is about."""
    query = _query(state).strip()
    if not query:
        return AgentState(sources=[])
    async with runtime.context.open_tools() as tools:
        found = await search_everything(
            tools,
            query[:MAX_QUERY_CHARACTERS],
            limit=SOURCES,
            scope=Scope(entity_types=JOBS[state["job"]].entity_types),
        )
    without = frozenset(state["subject"].get("without_sources", ()))
    return AgentState(sources=label_hits(found.hits, without=without))


async def check(state: AgentState, runtime: Context) -> AgentState:
    """Judge what the model said, by code."""
    return await JOBS[state["job"]].check(state, runtime.context)


async def persist(state: AgentState, runtime: Context) -> AgentState:
    """Write rows and events in one transaction, once for each operation."""
    context = runtime.context
    job = JOBS[state["job"]]
    operation = state["operation_id"]
    async with context.open_tools() as tools:
        operations = Operations(tools.session, context.user_id)
        mine = await operations.claim(
            operation, kind=job.name, request_hash=request_hash(state["request"]), at=tools.now
        )
        if not mine:
            return AgentState(result=await _finished(tools, state))
        result = await job.persist(tools, state, context)
        result["language"] = state["language"]
        result["tokens"] = state["tokens"]
        result["model"] = context.chat.name
        result["sources"] = [
            {key: source[key] for key in ("label", "entity_type", "entity_id", "title", "score")}
            for source in state["sources"]
        ]
        await operations.finish(operation, result)
    return AgentState(result=result)


def after_load(state: AgentState) -> Literal["route", "__end__"]:
    """Go on, or end with the answer of an operation that was finished before."""
    return "__end__" if state.get("result") is not None else "route"


def to_job(state: AgentState) -> JobName:
    """Go to the node of the job that the caller asked for."""
    return state["job"]


def after_answer(state: AgentState) -> str:
    """Go to the checks, or back for the repair turn."""
    return state["job"] if state.get("complaint") else "check"


def after_check(state: AgentState) -> str:
    """Go on to write, or back for the repair turn."""
    return state["job"] if state.get("complaint") else "persist"


def _query(state: AgentState) -> str:
    return JOBS[state["job"]].query(state["request"], state["subject"])


async def _finished(tools: ToolContext, state: AgentState) -> Json | None:
    done = await Operations(tools.session, tools.user_id).find(state["operation_id"])
    if done is None:
        return None
    if done.request_hash != request_hash(state["request"]):
        raise Conflict(
            "this Idempotency-Key was used for another request",
            code="IDEMPOTENCY_MISMATCH",
            status=422,
        )
    return done.result
