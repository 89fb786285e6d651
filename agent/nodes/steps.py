"""The steps of a run: load of a talk; of every job retrieve, answer and check, persist."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, cast

from langgraph.runtime import Runtime

from agent.context import AgentContext
from agent.course import meet_course
from agent.job import Job
from agent.nodes import converse, review
from agent.nodes.breakdown import BREAK_DOWN_GOAL
from agent.nodes.change_status import CHANGE_STATUS
from agent.nodes.suggest import SUGGEST_GOALS
from agent.nodes.validate import VALIDATE_CODE
from agent.sources import label_hits
from agent.state import AgentState, JobName, Json, Tokens
from agent.told import tell_nothing, tell_result
from agent.words import Language, language_of
from db.base import utc_now
from db.operations import AlreadyFinished, Finished, Operations, beginning, request_hash
from db.retrieval import Scope
from tools.context import ToolContext
from tools.errors import Conflict
from tools.runs import Start
from tools.schemas import chosen_language
from tools.search import MAX_QUERY_CHARACTERS, Hit, search_everything
from tools.usage import budget_exceeded
from tools.users import no_such_user, preferences_of

JOBS: Final[Mapping[JobName, Job]] = {
    job.name: job for job in (SUGGEST_GOALS, BREAK_DOWN_GOAL, VALIDATE_CODE, CHANGE_STATUS)
}
SOURCES: Final = 6

Context = Runtime[AgentContext]


async def load(state: AgentState, runtime: Context) -> AgentState:
    """Read what a talk is about, and settle the language of its answer.

    Where it was finished before, take that answer instead.

    Raises BudgetExceeded where the user's tokens or calls of the day are spent.
    """
    start = runtime.context.start
    loaded = await _read_talk(state, runtime.context) if start is None else _take(start, state)
    return _begun(state, loaded)


def begun_with(start: Start, state: AgentState) -> AgentState:
    """Return the state of a talk as `load` leaves it, which has been read with its message.

    Where `load` would end the run, it is left to that.
    """
    finished = start.talk.finished is not None
    if finished or not start.reserved or start.talk.account is None:
        return state
    chosen, subject = _chosen_by(start.talk.account), converse.as_subject(start.talk)
    return {**state, **_begun(state, (chosen, subject))}


def _begun(state: AgentState, loaded: "Loaded | Finished") -> AgentState:
    if isinstance(loaded, Finished):
        return AgentState(result=_result_of(loaded, state))
    chosen, subject = loaded
    change = AgentState(
        subject=subject,
        language=_language_of(state, subject, chosen),
        complaint=None,
        repairs=0,
        sources=[],
        result=None,
        proposal=None,
        tokens=state.get("tokens") or Tokens(input=0, output=0, calls=0),
    )
    if state["job"] == "converse":
        change["messages"], change["rounds"] = [], 0
    return change


Loaded = tuple[Language | None, Json]
"""The language that the user chose, and what the run is about."""


async def _read_talk(state: AgentState, context: AgentContext) -> Loaded | Finished:
    """Read what there is, and reserve the talk's share of the budget: it asks next."""
    async with context.open_tools() as tools:
        talk = await converse.load(tools, state)
        if talk.finished is not None and _result_of(talk.finished, state) is not None:
            return talk.finished
        chosen = _chosen_by(talk.account)
        await context.reserve(tools, state)
    return chosen, converse.as_subject(talk)


async def _read(state: AgentState, context: AgentContext) -> Loaded | Finished:
    """Read what there is of a job."""
    await meet_course(context, state["request"])
    async with context.open_tools() as tools:
        done, account = await _done_and_account(tools, state)
        if done is not None and _result_of(done, state) is not None:
            return done
        return _chosen_by(account), await JOBS[state["job"]].load(tools, state["request"])


def _take(start: Start, state: AgentState) -> Loaded | Finished:
    """Return what was read, and reserved, when the talk began."""
    talk = start.talk
    if talk.finished is not None and _result_of(talk.finished, state) is not None:
        return talk.finished
    chosen = _chosen_by(talk.account)
    if not start.reserved:
        raise budget_exceeded(utc_now())
    return chosen, converse.as_subject(talk)


async def retrieve(state: AgentState, runtime: Context) -> AgentState:
    """Read what the job is about, search the learner's own rows for it, and collect its evidence.

    The language of the answer is settled. Where the job was finished before, its answer is taken.

    Raises NotFound for what is not the user's, Conflict where the key belongs to another request,
    LimitReached where there is no room for an answer, and BudgetExceeded where the user's tokens or
    calls of the day are spent.
    """
    job, context = JOBS[state["job"]], runtime.context
    change = _begun(state, await _read(state, context))
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
            result = _result_of(await _done(tools, state), state) or {}
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
    """Go to what is first: a talk that was read with its message need not be loaded."""
    if state["job"] != "converse":
        return "retrieve"
    return "converse" if state["subject"] else "load"


def after_load(state: AgentState) -> str:
    """Go on, or end with the answer of a talk that was finished before."""
    return "converse" if state.get("result") is None else "__end__"


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


def _language_of(state: AgentState, subject: Json, chosen: Language | None) -> Language:
    """Return the language that was asked for, else the learner's own, else the text's."""
    asked = state["request"].get("language") or chosen
    if asked in {"es", "en"}:
        return cast("Language", asked)
    if state["job"] == "converse":
        return language_of(state["request"]["message"])
    return language_of(JOBS[state["job"]].query(state["request"], subject))


def _chosen_by(account: Json | None) -> Language | None:
    if account is None:
        raise no_such_user()
    return chosen_language(account)


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


def _result_of(done: Finished | None, state: AgentState) -> Json | None:
    """Return the answer of the operation. Raises Conflict where the key was another request's."""
    if done is None:
        return None
    if state.get("thread_id") is None and done.request_hash != request_hash(state["request"]):
        raise Conflict(
            "this Idempotency-Key was used for another request",
            code="IDEMPOTENCY_MISMATCH",
            status=422,
        )
    return done.result
