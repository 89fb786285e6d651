"""The state machine: load → route → retrieve → the job's node → check → persist."""

from typing import TYPE_CHECKING, Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agent.context import AgentContext
from agent.nodes import steps
from agent.state import AgentState

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

    AgentGraph = CompiledStateGraph[AgentState, AgentContext, AgentState, AgentState]


def build_graph(checkpointer: "BaseCheckpointSaver[Any] | None") -> "AgentGraph":
    """Return the compiled graph; `None` keeps no checkpoints.

    The chat model and the tools come with each run's `AgentContext`: the graph knows no user.
    """
    graph = StateGraph(AgentState, context_schema=AgentContext)
    graph.add_node("load", steps.load)
    graph.add_node("route", steps.route)
    graph.add_node("retrieve", steps.retrieve)
    graph.add_node("check", steps.check)
    graph.add_node("persist", steps.persist)

    graph.add_edge(START, "load")
    graph.add_conditional_edges("load", steps.after_load, ["route", END])
    graph.add_edge("route", "retrieve")
    graph.add_conditional_edges("retrieve", steps.to_job, list(steps.JOBS))
    for job in steps.JOBS.values():
        graph.add_node(job.name, _answer_node(job.answer))
        graph.add_conditional_edges(job.name, steps.after_answer, [job.name, "check"])
    graph.add_conditional_edges("check", steps.after_check, [*steps.JOBS, "persist"])
    graph.add_edge("persist", END)
    return graph.compile(checkpointer=checkpointer, name="goals-agent")


def _answer_node(answer: Any) -> Any:
    async def node(state: AgentState, runtime: Runtime[AgentContext]) -> AgentState:
        result: AgentState = await answer(state, runtime.context)
        return result

    return node
