"""Run one job through the graph, bounded, and return its answer."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.context import AgentContext
from agent.state import AgentState, JobName, Json
from db.base import new_id
from db.operations import make_operation_id
from tools.errors import SetupError, StepLimit

if TYPE_CHECKING:
    from agent.graph import AgentGraph


@dataclass(frozen=True)
class StepDone:
    """A node that has just finished, and what it changed in the state."""

    node: str
    change: Json


async def run_job(
    graph: "AgentGraph", context: AgentContext, *, job: JobName, request: Json, key: str | None
) -> Json:
    """Return the answer of `job`.

    `key` is the caller's idempotency key: the same key and request give the first run's answer.
    Raises the errors of `tools.errors`; then nothing was written.
    """
    result: Json = {}
    async for step in stream_job(graph, context, job=job, request=request, key=key):
        result = step.change.get("result") or result
    return result


async def stream_job(
    graph: "AgentGraph", context: AgentContext, *, job: JobName, request: Json, key: str | None
) -> AsyncIterator[StepDone]:
    """Yield each node of the run as it finishes; the last change holds the `result`."""
    from langgraph.errors import GraphRecursionError

    _require_strict_checkpoints()
    run = new_id("run")
    state = AgentState(
        job=job,
        request=request,
        operation_id=make_operation_id(context.user_id, job, key or run),
    )
    config: Any = {
        "configurable": {"thread_id": run},
        "recursion_limit": context.limits.steps,
        "metadata": {"user_id": context.user_id},  # by which an erased user's checkpoints are found
    }
    try:
        async for part in graph.astream(
            state,
            config,
            context=context,
            stream_mode="updates",
            durability="exit",
        ):
            for node, change in part.items():
                yield StepDone(node, change or {})
    except GraphRecursionError as error:
        raise StepLimit(f"the agent did not finish in {context.limits.steps} steps") from error


def _require_strict_checkpoints() -> None:
    """Refuse to run where loading a checkpoint could run code."""
    if os.environ.get("LANGGRAPH_STRICT_MSGPACK", "").lower() not in {"true", "1"}:
        raise SetupError("LANGGRAPH_STRICT_MSGPACK is not true: checkpoints could run code")
