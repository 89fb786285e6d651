"""The state machine: retrieve → the job's node ⟲ → (review) → persist.

The job's node asks the model and judges its words by code; where they are of no use it is next
once more. A conversation goes converse ⇄ call_tools, and from there, where the model proposes
something, to retrieve with that job, which then is always reviewed.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agent.context import AgentContext
from agent.nodes import converse, steps
from agent.state import AgentState
from agent.stream import StepFinished, StepStarted
from db.failpoints import hit_if_named

Node = Callable[[AgentState, Runtime[AgentContext]], Awaitable[AgentState]]

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

    AgentGraph = CompiledStateGraph[AgentState, AgentContext, AgentState, AgentState]


class Way(Runnable[AgentState, str]):
    """Says which node is next: called as it is, where LangGraph would take a thread and a trace."""

    def __init__(self, choose: Callable[[AgentState], str]) -> None:
        """Go where `choose` says."""
        self.name = choose.__name__
        self._choose = choose

    def invoke(
        self,
        input: AgentState,  # noqa: A002 - Runnable's own name
        config: RunnableConfig | None = None,
        **_given: Any,
    ) -> str:
        """Return the name of the next node."""
        return self._choose(input)

    async def ainvoke(
        self,
        input: AgentState,  # noqa: A002 - Runnable's own name
        config: RunnableConfig | None = None,
        **_given: Any,
    ) -> str:
        """Return the name of the next node, at once."""
        return self._choose(input)


def build_graph(checkpointer: "BaseCheckpointSaver[Any] | None") -> "AgentGraph":
    """Return the compiled graph; `None` keeps no checkpoints.

    The chat model and the tools come with each run's `AgentContext`: the graph knows no user.
    """
    graph = StateGraph(AgentState, context_schema=AgentContext)
    for name, node in _NODES.items():
        graph.add_node(name, _announced(name, node))

    graph.add_conditional_edges(START, Way(steps.after_start), ["converse", "retrieve"])
    graph.add_conditional_edges("converse", Way(converse.after_converse), ["call_tools", END])
    graph.add_conditional_edges("call_tools", Way(converse.after_tools), ["converse", "retrieve"])
    graph.add_conditional_edges("retrieve", Way(steps.after_retrieve), [*steps.JOBS, END])
    for job in steps.JOBS.values():
        graph.add_node(job.name, _announced(job.name, steps.answer_and_check(job)))
        after_job = [job.name, "propose", "persist"]
        graph.add_conditional_edges(job.name, Way(steps.after_job), after_job)
    graph.add_edge("propose", "review")
    graph.add_edge("review", "persist")
    graph.add_edge("persist", END)
    return graph.compile(checkpointer=checkpointer, name="goals-agent")


_NODES: Final[Mapping[str, Any]] = {
    "converse": converse.converse,
    "call_tools": converse.call_tools,
    "retrieve": steps.retrieve,
    "propose": steps.propose,
    "review": steps.await_review,
    "persist": steps.persist,
}


def _announced(name: str, node: Node) -> Any:
    """Return the node, with its begin and its end told to whoever listens."""

    async def announced(state: AgentState, runtime: Runtime[AgentContext]) -> AgentState:
        runtime.stream_writer(StepStarted(step=name))
        hit_if_named(f"agent.{name}")
        change = await node(state, runtime)
        hit_if_named(f"agent.{name}.done")
        runtime.stream_writer(StepFinished(step=name))
        return change

    return announced
