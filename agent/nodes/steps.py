"""The steps of every job: retrieve, answer and check, persist; and which comes after which."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from langgraph.runtime import Runtime

from agent.context import AgentContext
from agent.course import meet_course
from agent.job import Job
from agent.nodes import converse, review
from agent.nodes.beginning import begun, chosen_by, result_of
from agent.nodes.breakdown import BREAK_DOWN_GOAL
from agent.nodes.change_status import CHANGE_STATUS
from agent.nodes.suggest import SUGGEST_GOALS
from agent.nodes.validate import VALIDATE_CODE
from agent.sources import label_hits
from agent.state import AgentState, JobName, Json
from agent.told import tell_nothing, tell_result
from db.operations import AlreadyFinished, Finished, Operations, beginning, request_hash
from db.retrieval import Scope
from tools.context import ToolContext
from tools.search import MAX_QUERY_CHARACTERS, Hit, search_everything
from tools.users import preferences_of

JOBS: Final[Mapping[JobName, Job]] = {
    job.name: job for job in (SUGGEST_GOALS, BREAK_DOWN_GOAL, VALIDATE_CODE, CHANGE_STATUS)
}
SOURCES: Final = 6

Context = Runtime[AgentContext]


async def _load(job: Job, state: AgentState, context: AgentContext) -> AgentState:
    """Read what a job is about; where it was finished before, its answer is all that is taken."""
    await meet_course(context, state["request"])
    async with context.open_tools() as tools:
        done, account = await _done_and_account(tools, state)
        if (result := result_of(done, state)) is not None:
            return AgentState(result=result)
        chosen = chosen_by(account)
        subject = await job.load(tools, state["request"])
    return begun(state, subject, chosen=chosen, otherwise=job.query(state["request"], subject))


async def retrieve(state: AgentState, runtime: Context) -> AgentState:
    """Read what the job is about, search the learner's own rows for it, and collect its evidence.

    The language of the answer is settled. Where the job was finished before, its answer is taken.

    Raises NotFound for what is not the user's, Conflict where the key belongs to another request,
    LimitReached where there is no room for an answer, and BudgetExceeded where the user's tokens or
    calls of the day are spent.
    """
    job, context = JOBS[state["job"]], runtime.context
    change = await _load(job, state, context)
    if change["result"] is not None:
        return change
    state = {**state, **change}
    collecting = None if job.collect is None else asyncio.create_task(job.collect(state))
    searching = asyncio.create_task(_search(job, state, context))
    try:
        async with context.open_tools() as tools:
            await context.reserve(tools, state)
        if collecting is not None:
            change["subject"] = await collecting
    finally:
        if collecting is not None:
            collecting.cancel()
        hits = await searching
    without = frozenset(state["subject"].get("without_sources", ()))
    change["sources"] = label_hits(hits, without=without)
    if not change["sources"] and job.otherwise is not None:
        change["sources"] = job.otherwise(state["subject"])
    return change


async def _search(job: Job, state: AgentState, context: AgentContext) -> Sequence[Hit]:
    query = job.query(state["request"], state["subject"]).strip()
    if not (query and job.entity_types):
        return ()
    async with context.open_tools() as tools:
        found = await search_everything(
            tools,
            query[:MAX_QUERY_CHARACTERS],
            limit=SOURCES,
            scope=Scope(entity_types=job.entity_types),
            at_least=tools.embedder.ground_is_at_least if job.seeks_grounds else None,
        )
    return found.hits


def answer_and_check(job: Job) -> Callable[[AgentState, Context], Awaitable[AgentState]]:
    """Return the node of a job, which asks the model and judges by code what it said."""

    async def node(state: AgentState, runtime: Context) -> AgentState:
        answered = await job.answer(state, runtime.context)
        if answered.get("complaint"):
            return answered
        return {**answered, **await job.check({**state, **answered}, runtime.context)}

    return node


async def propose(state: AgentState, runtime: Context) -> AgentState:
    """Keep the draft and ask the user about it."""
    return await review.propose(JOBS[state["job"]], state, runtime)


async def await_review(state: AgentState, runtime: Context) -> AgentState:
    """Wait for the user."""
    return review.review(JOBS[state["job"]], state)


async def persist(state: AgentState, runtime: Context) -> AgentState:
    """Write rows and events in one transaction, once for each operation."""
    context = runtime.context
    await meet_course(context, state["request"])
    try:
        with beginning():
            result = await _write(state, context)
    except AlreadyFinished:
        async with context.open_tools() as tools:
            result = result_of(await _done(tools, state), state) or {}
    return AgentState(result=result, messages=_with_result(state, runtime, result))


async def _write(state: AgentState, context: AgentContext) -> Json:
    job, operation = JOBS[state["job"]], state["operation_id"]
    async with context.open_tools() as tools:
        operations = Operations(tools.session, context.user_id)
        await operations.begin(
            operation, kind=job.name, request_hash=request_hash(state["request"]), at=tools.now
        )
        result = await job.persist(tools, state, context)
        result.update(review.told_with_result(state, context))
        await operations.finish(operation, result)
        await context.settle(tools, operation)
    return result


def _with_result(state: AgentState, runtime: Context, result: Json) -> list[Json]:
    """Return what was said in the run, in a conversation with what was written."""
    if state.get("thread_id") is None:
        return state.get("messages", [])
    language = state["language"]
    if state.get("proposal") is None:  # in a conversation all that is written was proposed
        text = tell_nothing(language, state["draft"])
    else:
        text = tell_result(language, state["job"], result)
    message, events = converse.service_message(text)
    for event in events:
        runtime.stream_writer(event)
    return [*state.get("messages", []), message]


def after_start(state: AgentState) -> str:
    """Go to what is first."""
    return "converse" if state["job"] == "converse" else "retrieve"


def after_retrieve(state: AgentState) -> str:
    """Go to the node of the job, or end with the answer of one that was finished before."""
    return state["job"] if state.get("result") is None else "__end__"


def after_job(state: AgentState) -> str:
    """Go on to write, to the user's review where it is asked for, or back for the repair turn."""
    if state.get("complaint"):
        return state["job"]
    items = JOBS[state["job"]].items
    wanted = state["request"].get("review") and items is not None and items(state["draft"])
    return "propose" if wanted else "persist"


async def _done_and_account(
    tools: ToolContext, state: AgentState
) -> tuple[Finished | None, Json | None]:
    """Return what was done before, and the account's metadata: one statement, if both are here."""
    operation_id = state["operation_id"]
    operations = Operations(tools.session, tools.user_id)
    if not tools.directory.is_elsewhere:
        return await operations.find_with_account(operation_id)
    return await operations.find(operation_id), await preferences_of(tools)


async def _done(tools: ToolContext, state: AgentState) -> Finished | None:
    return await Operations(tools.session, tools.user_id).find(state["operation_id"])
