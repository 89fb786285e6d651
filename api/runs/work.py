"""The work on one run: through the graph, every event told, and an end that is whole.

The last event, the assistant's message, the run's state and what it cost are one transaction.
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from agent.context import AgentContext
from agent.metrics import count_run
from agent.review import from_json
from agent.run import StepDone, begin, stream_steps
from agent.state import AgentState, Json
from agent.stream import (
    PlanChanged,
    PlanPatched,
    Question,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStarted,
    Said,
    TextDelta,
    TextEnded,
    TextStarted,
    Used,
)
from agent.tracing import invoke_agent
from api.runs.log import EventLog, Live, LogFailed, Stored, as_row
from db.base import utc_now
from db.checkpoints import forget_checkpoints
from db.conversation_models import Interrupt, Run
from db.engine import UNAVAILABLE
from db.failpoints import hit
from db.interrupts import Interrupts
from db.operations import Operations
from db.run_events import append_events
from db.runs import EndState
from tools import runs
from tools.errors import DatabaseUnavailable, GoalsError
from tools.logs import LazyLogger

if TYPE_CHECKING:
    from api.bootstrap import Services

log = LazyLogger(__name__)
MAX_ATTEMPTS: Final = 3
END_ATTEMPTS: Final = 60
END_PAUSE_SECONDS: Final = 0.25


RUN_STARTED: Final = "run_started"


def first_event(run_id: str, thread_id: str) -> str:
    """Return the first event of a talk, as it is stored with what begins it."""
    return RunStarted(run_id=run_id, thread_id=thread_id, kind=runs.TALK).model_dump_json()


@dataclass
class Work:
    """One run under way in this process, and what has come of it so far."""

    run: Run
    user_id: str
    live: Live
    worker: str
    question: Interrupt | None = None
    start: asyncio.Future[runs.Start] | None = None
    """Where the run is begun while its row is stored: what it begins with, once it is."""
    attempt: int = 1
    cancelled: bool = False
    ending: bool = False
    said: dict[str, str] = field(default_factory=dict)
    result: Json | None = None
    proposal: Json | None = None
    open_text: str | None = None
    state: EndState | None = None
    """How it ended, once that is stored."""

    async def stored(self) -> None:
        """Return once the run is stored: nothing is told of it before."""
        if self.start is not None:
            await self.start

    @property
    def text(self) -> str:
        """Return all that the assistant has said."""
        return "\n\n".join(text for text in self.said.values() if text)


class _Teller:
    def __init__(self, work: Work, events: EventLog) -> None:
        self._work = work
        self._events = events
        self.seq = work.live.first_seq - 1 + len(work.live.events)

    async def tell(self, event: RunEvent) -> None:
        """Have an event stored and shown, and keep what it says."""
        work = self._work
        if isinstance(event, TextStarted):
            work.said[event.message_id] = ""
            work.open_text = event.message_id
        elif isinstance(event, TextDelta):
            work.said[event.message_id] += event.text
        elif isinstance(event, TextEnded):
            work.open_text = None
        self.seq += 1
        await self._events.write(work.live, self.seq, event)


async def work_on(work: Work, *, services: "Services", log: EventLog) -> None:
    """Bring a run to its end, or leave it to others where this process is stopped."""
    context = replace(services.agent_context(work.user_id), start=work.start)
    teller = _Teller(work, log)
    error: GoalsError | None = None
    try:
        _require_hope(work)
        with invoke_agent(work.run.kind, run_id=work.run.id, thread_id=work.run.thread_id):
            await _go(work, teller, context, services)
    except asyncio.CancelledError:
        if not work.cancelled:
            raise
        _forget_cancellation()
    except GoalsError as raised:
        error = raised
    except LogFailed:
        return
    except UNAVAILABLE:
        error = DatabaseUnavailable("the database did not answer")
    except Exception:
        _log_unexpected(work)
        error = GoalsError("the run failed; the service's log says why")
    await work.stored()
    work.ending = True
    await _end(work, teller, context, services, log, error)


def _require_hope(work: Work) -> None:
    """Raise where the run was cancelled while nobody had it, or has ended its process before."""
    if work.cancelled:
        raise asyncio.CancelledError
    if work.attempt > MAX_ATTEMPTS:
        raise GoalsError(
            f"the run was begun {MAX_ATTEMPTS} times and its process stopped each time",
            code="RUN_LOST",
            status=500,
        )


async def _go(work: Work, teller: _Teller, context: AgentContext, services: "Services") -> None:
    run, question = work.run, work.question
    if work.start is None:
        await teller.tell(
            RunStarted(run_id=run.id, thread_id=run.thread_id, kind=run.kind, attempt=work.attempt)
        )
    if question is None:
        job_request = run.request
        state = begin(
            work.user_id,
            job="converse",
            request=job_request,
            run_id=run.id,
            thread_id=run.thread_id,
        )
        decisions = None
    else:
        state = AgentState(
            operation_id=question.operation_id,
            saved_as=run.checkpoint_id,
            run_id=run.id,
            thread_id=run.thread_id,
        )
        decisions = from_json(run.request["decisions"])
        await teller.tell(PlanChanged(plan=_decided_plan(question, run.request["decisions"])))
    assert services.agent is not None, "runs need the agent"
    steps = stream_steps(
        services.agent.graph,
        context,
        state,
        decisions=decisions,
        listen=True,
        again=work.attempt > 1,
    )
    async for step in steps:
        await work.stored()
        if isinstance(step, StepDone):
            work.result = step.change.get("result") or work.result
            work.proposal = step.change.get("proposal") or work.proposal
        else:
            await teller.tell(step)
    if question is not None and work.result is not None:
        await teller.tell(PlanPatched(patch=_written(work.result)))


async def _end(
    work: Work,
    teller: _Teller,
    context: AgentContext,
    services: "Services",
    events: EventLog,
    error: GoalsError | None,
) -> None:
    """Store the run's end, as often as it takes; what was written outweighs how the run broke."""
    operation_id = _operation_id(work)
    try:
        if work.open_text is not None:
            await teller.tell(TextEnded(message_id=work.open_text))
        await events.flush(work.live)
    except LogFailed:
        return
    hit("run.before_end")
    for _ in range(END_ATTEMPTS):
        try:
            last = await _store_end(work, teller.seq + 1, context, services, operation_id, error)
        except UNAVAILABLE as unavailable:
            log.warning("run.end", run_id=work.run.id, reason=type(unavailable).__name__)
            await asyncio.sleep(END_PAUSE_SECONDS)
            continue
        hit("run.ended")
        if last is not None:
            work.live.end(last)
            count_run(work.run.kind, str(work.state))
        return


async def _store_end(
    work: Work,
    seq: int,
    context: AgentContext,
    services: "Services",
    operation_id: str,
    error: GoalsError | None,
) -> Stored | None:
    run, usage = work.run, Used(**context.meter.as_tokens())
    async with services.open_tools(work.user_id) as tools:
        result = work.result
        if error is not None or work.cancelled:
            done = await Operations(tools.session, work.user_id).find(operation_id)
            result = done.result if done is not None else None
        last_id = next(reversed(work.said), None)
        message = Said(id=last_id, text=work.text) if last_id is not None and work.text else None
        event: RunEvent
        state: EndState
        if error is not None and result is None:
            state = "failed"
            event = RunFailed(
                code=error.code,
                detail=error.detail,
                status=error.status,
                retry_after=error.retry_after,
                usage=usage,
            )
        elif work.cancelled and result is None:
            state = "cancelled"
            event = RunFinished(outcome="cancelled", message=message, usage=usage)
        elif work.proposal is not None and result is None:
            state = "waiting"
            event = RunFinished(
                outcome="interrupt",
                message=message,
                question=_question(work.proposal),
                usage=usage,
            )
        else:
            state = "finished"
            event = RunFinished(outcome="success", message=message, result=result, usage=usage)
        failed = isinstance(event, RunFailed)
        mine = await runs.end_run(
            tools,
            run,
            worker=work.worker,
            state=state,
            said=None if message is None or failed else runs.Said("assistant", message.text),
            message_id=None if message is None or failed else message.id,
            result=result,
            error=event.model_dump(include={"code", "detail", "status"}) if failed else None,
        )
        if not mine:
            return None
        await context.settle(tools, operation_id)
        if state == "failed" and work.question is not None:
            await Interrupts(tools.session, work.user_id).reopen(work.question.id)
        elif state != "waiting":
            await forget_checkpoints(tools.session, [run.checkpoint_id])
        row = as_row(run.id, seq, event, at=utc_now())
        await append_events(tools.session, [row])
    work.state = state
    return Stored(seq, event.type, str(row[3]))


def _operation_id(work: Work) -> str:
    if work.question is not None:
        return work.question.operation_id
    return begin(work.user_id, job="converse", request={}, run_id=work.run.id)["operation_id"]


def _question(proposal: Json) -> Question:
    return Question(
        id=proposal["interrupt_id"],
        kind=proposal["kind"],
        items=proposal["items"],
        expires_at=proposal["expires_at"],
    )


def _decided_plan(question: Interrupt, decisions: Json) -> Json:
    return {
        "interrupt_id": None,
        "kind": question.kind,
        "items": [{**item, "decision": decisions.get(item["key"])} for item in question.items],
        "written": None,
    }


def _written(result: Json) -> list[Json]:
    """Return the change of the plan that says what was written, by the rows' ids."""
    ids = [one["goal"]["id"] for one in result.get("suggestions", ())]
    ids += [one["id"] for one in result.get("tasks", ())]
    ids += [result["entity_id"]] if "entity_id" in result else []
    return [{"op": "replace", "path": "/written", "value": ids}]


def _forget_cancellation() -> None:
    """Go on in a task that was cancelled: what comes now is the run's end."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _log_unexpected(work: Work) -> None:
    log.exception("run.failed", run_id=work.run.id)
