"""The user's review of a draft: it is kept and shown, then the run waits for a decision."""

from datetime import datetime
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agent.context import AgentContext
from agent.job import Job
from agent.nodes.converse import service_message
from agent.review import QUESTION_LIVES, from_json
from agent.sources import shown
from agent.state import AgentState, Json
from agent.stream import PlanChanged
from agent.told import tell_proposal
from db.base import as_text, utc_now
from db.interrupts import Interrupts

Context = Runtime[AgentContext]


async def propose(job: Job, state: AgentState, runtime: Context) -> AgentState:
    """Keep the draft and the question about it, and record what was proposed: once.

    A run that was begun again finds the draft that the user has seen, and goes on with that.
    """
    context = runtime.context
    assert job.items is not None, f"{job.name} cannot be reviewed"
    question = question_id(state["operation_id"])
    proposal, draft = _proposal(job, state, context), state["draft"]
    async with context.open_tools() as tools:
        interrupts = Interrupts(tools.session, tools.user_id)
        is_new = await interrupts.open(
            interrupt_id=question,
            kind=job.name,
            checkpoint_id=state["saved_as"],
            operation_id=state["operation_id"],
            items=proposal["items"],
            at=tools.now,
            expires_at=datetime.fromisoformat(proposal["expires_at"]),
            run_id=state["run_id"],
            thread_id=state["thread_id"],
            proposal=proposal,
            draft=draft,
        )
        kept = None if is_new else await interrupts.get(question)
        if kept is not None and kept.proposal is not None and kept.draft is not None:
            proposal, draft = kept.proposal, kept.draft
            await interrupts.follow(question, checkpoint_id=state["saved_as"])
        elif job.record_proposed is not None:
            await job.record_proposed(tools, state, context)
        await context.settle(tools, state["operation_id"])
    runtime.stream_writer(PlanChanged(plan=as_plan(proposal)))
    change = AgentState(draft=draft, proposal=proposal)
    if state["thread_id"] is not None:
        text = tell_proposal(state["language"], job.name, proposal)
        message, events = service_message(text)
        for event in events:
            runtime.stream_writer(event)
        change["messages"] = [*state.get("messages", []), message]
    return change


def _proposal(job: Job, state: AgentState, context: AgentContext) -> Json:
    assert job.items is not None, f"{job.name} cannot be reviewed"
    expires_at = utc_now() + QUESTION_LIVES
    return {
        "interrupt_id": question_id(state["operation_id"]),
        "kind": job.name,
        "items": job.items(state["draft"]),
        "expires_at": as_text(expires_at),
        "dropped": state["draft"].get("dropped", []),
        "repairs": state["draft"].get("repairs", []),
        "calibration": state["draft"].get("calibration"),
        **told_with_result(state, context),
    }


def review(job: Job, state: AgentState) -> AgentState:
    """Wait for the user's decisions, then make the draft that they want."""
    proposal = state["proposal"]
    assert proposal is not None, "review comes after propose"
    assert job.decide is not None, f"{job.name} cannot be reviewed"
    decided: Any = interrupt({"interrupt_id": proposal["interrupt_id"]})
    return AgentState(draft=job.decide(state["draft"], from_json(decided)))


def question_id(operation_id: str) -> str:
    """Return the id of the one question that an operation asks."""
    return f"int_{operation_id.removeprefix('opr_')}"


def as_plan(proposal: Json) -> Json:
    """Return the plan as the chat wires show it: the items, none of them decided."""
    return {
        "interrupt_id": proposal["interrupt_id"],
        "kind": proposal["kind"],
        "items": [{**item, "decision": None} for item in proposal["items"]],
        "written": None,
    }


def told_with_result(state: AgentState, context: AgentContext) -> Json:
    """Return what every answer of a job says of how it was made."""
    return {
        "language": state["language"],
        "tokens": state["tokens"],
        "model": context.chat.name,
        "sources": shown(state["sources"]),
    }
