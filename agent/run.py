"""Run the graph, bounded: one job to its answer, or a run's events as they happen.

One checkpoint is written when the graph ends or waits (`durability="exit"`). A run that was killed
begins again, which is safe: nothing is written but under its operation's id, and what the user was
shown is kept with the question (`agent/nodes/review.py`).
"""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.context import AgentContext
from agent.review import Decisions, as_json
from agent.state import AgentState, JobName, Json
from agent.stream import RunEvent
from agent.watch import watch_job
from db.base import new_id
from db.engine import UNAVAILABLE
from db.operations import make_operation_id
from tools.errors import SetupError, StepLimit
from tools.logs import LazyLogger

if TYPE_CHECKING:
    from agent.graph import AgentGraph

log = LazyLogger(__name__)


NEW_RUN: Final = "__new_run"
"""Set in the configuration of a run of which there can be no checkpoint yet; never stored."""
ONE_SHOT: Final = "__one_shot"
"""Set where nobody will go on from the run's checkpoint: it is kept to be looked at, and the answer
does not wait for it. The run's share of a budget tells until when it may be kept. Never stored."""
LAST_WRITE: Final = "__last_write"
"""Set where the run's checkpoint is the last that is written of it and may be gone on from: then
it is to be on the disk when the caller hears of it. Elsewhere nobody needs it, or the run's end
is committed after it. Never stored."""
BEGINS: Final = "__begins"
"""The statement that begins the run, where it is under way while the graph begins: a run that has
not begun keeps no checkpoint. Never stored."""


@dataclass(frozen=True)
class StepDone:
    """A node that has just finished, and what it changed in the state."""

    node: str
    change: AgentState


def begin(
    user_id: str,
    *,
    job: JobName,
    request: Json,
    key: str | None = None,
    run_id: str | None = None,
    thread_id: str | None = None,
) -> AgentState:
    """Return the state with which a run begins.

    `key` is the caller's idempotency key; a detached run's is its own id, `run_id`.
    """
    saved_as = run_id or new_id("run")
    state = AgentState(
        job=job,
        request=request,
        operation_id=make_operation_id(user_id, job, key or saved_as),
        saved_as=saved_as,
        run_id=run_id,
        thread_id=thread_id,
        subject={},
    )
    if job == "converse":  # over what a run that is begun again has left in its checkpoint
        state["messages"], state["rounds"] = [], 0
    return state


@dataclass(frozen=True)
class Answer:
    """What a job came to; `is_repeated` where an earlier run with the same key did it."""

    result: Json
    is_repeated: bool


async def run_job(
    graph: "AgentGraph", context: AgentContext, *, job: JobName, request: Json, key: str | None
) -> Json:
    """Return the result of `answer_job`."""
    return (await answer_job(graph, context, job=job, request=request, key=key)).result


@watch_job
async def answer_job(
    graph: "AgentGraph", context: AgentContext, *, job: JobName, request: Json, key: str | None
) -> Answer:
    """Return the answer of `job`; where a review is asked for, the proposal.

    `key` is the caller's idempotency key: the same key and request give the first run's answer.
    Raises the errors of `tools.errors`; then nothing was written.
    """
    result: Json = {}
    is_repeated = False
    state = begin(context.user_id, job=job, request=request, key=key)
    try:
        async for done in stream_steps(graph, context, state):
            if isinstance(done, StepDone):
                result = done.change.get("result") or done.change.get("proposal") or result
                is_repeated = is_repeated or (done.node == "retrieve" and bool(result))
    except Exception:
        await _count_failed(context, state["operation_id"])
        raise
    return Answer(result, is_repeated)


async def _count_failed(context: AgentContext, operation_id: str) -> None:
    """Count what a run that wrote nothing has cost; where that fails too, it counts as stale."""
    if context.budget is None:
        return
    try:
        async with context.open_tools() as tools:
            await context.settle(tools, operation_id)
    except UNAVAILABLE as error:
        log.warning("usage.not_counted", reason=type(error).__name__)


async def stream_steps(
    graph: "AgentGraph",
    context: AgentContext,
    state: AgentState,
    *,
    decisions: Decisions | None = None,
    listen: bool = False,
    again: bool = False,
) -> AsyncIterator[RunEvent | StepDone]:
    """Yield each node of the run as it finishes and, to those who `listen`, what it tells.

    With `decisions` the run goes on from the question at which it waits; one that is begun `again`
    may have left a checkpoint.
    """
    from langgraph.errors import GraphRecursionError
    from langgraph.types import Command

    _require_strict_checkpoints()
    steps = context.limits.talk_steps if state.get("thread_id") else context.limits.steps
    new = decisions is None and not again
    is_detached = state.get("run_id") is not None
    last = not is_detached and bool(state.get("request", {}).get("review"))
    one_shot = new and not last and not is_detached and context.budget is not None
    config: Any = {
        "configurable": {
            "thread_id": state["saved_as"],
            NEW_RUN: new,
            LAST_WRITE: last,
            ONE_SHOT: one_shot,
            BEGINS: context.start,
        },
        "recursion_limit": steps,
        "metadata": {"user_id": context.user_id},  # by which an erased user's checkpoints are found
    }
    given: Any = state if decisions is None else Command(resume=as_json(decisions))
    try:
        parts: Any = graph.astream(
            given,
            config,
            context=context,
            stream_mode=["custom", "updates"] if listen else ["updates"],
            durability="exit",
        )
        async for mode, part in parts:
            if mode == "custom":
                yield part
                continue
            for node, change in part.items():
                if node != "__interrupt__":
                    yield StepDone(node, change or AgentState())
    except GraphRecursionError as error:
        raise StepLimit(f"the agent did not finish in {steps} steps") from error


def require_possible(job: str, draft: Json, decisions: Decisions) -> None:
    """Raise InputError where the draft cannot be changed as decided, before anything is done."""
    from agent.nodes.steps import JOBS

    decide = next(one.decide for one in JOBS.values() if one.name == job)
    assert decide is not None, f"{job} cannot be reviewed"
    decide(draft, decisions)


def _require_strict_checkpoints() -> None:
    """Refuse to run where loading a checkpoint could run code."""
    if os.environ.get("LANGGRAPH_STRICT_MSGPACK", "").lower() not in {"true", "1"}:
        raise SetupError("LANGGRAPH_STRICT_MSGPACK is not true: checkpoints could run code")
