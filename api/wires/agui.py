"""AG-UI 1.0 over a run's events; the models are those of the `ag-ui-protocol` package."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from ag_ui.core import (
    BaseEvent,
    CustomEvent,
    Interrupt,
    RunErrorEvent,
    RunFinishedCancelledOutcome,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    StateDeltaEvent,
    StateSnapshotEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from fastapi.sse import format_sse_event
from pydantic import TypeAdapter

from agent import stream

PROTOCOL: Final = "1.0"
RESPONSE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "decisions": {
            "type": "object",
            "description": "By the item's key",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "action": {"enum": ["accept", "edit", "reject"]},
                    "fields": {"type": "object"},
                },
                "required": ["action"],
            },
        },
        "rest": {"enum": ["accept", "reject"], "description": "For items that are not named"},
    },
    "required": ["decisions"],
}


class AguiEncoder:
    """Encodes one run for one client, which knows thread and run by the ids that it chose."""

    def __init__(self, *, thread_id: str, run_id: str) -> None:
        self._thread_id = thread_id
        self._run_id = run_id
        self._steps: list[str] = []

    def __call__(self, event: stream.RunEvent, seq: int) -> Iterable[bytes]:
        """Return the frames for an event; the last of them has the event's number as its id."""
        frames = [encoded.model_dump_json(by_alias=True) for encoded in self.encode(event)]
        for at, frame in enumerate(frames, start=1):
            yield format_sse_event(data_str=frame, id=str(seq) if at == len(frames) else None)

    def encode(self, event: stream.RunEvent) -> Iterator[BaseEvent]:  # noqa: PLR0912 - one arm for each event
        """Yield the AG-UI events that an event of ours is."""
        match event:
            case stream.RunStarted():
                yield self._started(event)
            case stream.StepStarted():
                self._steps.append(event.step)
                yield StepStartedEvent(step_name=event.step)
            case stream.StepFinished():
                if event.step in self._steps:
                    self._steps.remove(event.step)
                    yield StepFinishedEvent(step_name=event.step)
            case stream.TextStarted():
                yield TextMessageStartEvent(message_id=event.message_id, role="assistant")
            case stream.TextDelta():
                yield TextMessageContentEvent(message_id=event.message_id, delta=event.text)
            case stream.TextEnded():
                yield TextMessageEndEvent(message_id=event.message_id)
            case stream.ToolCalled():
                yield ToolCallStartEvent(tool_call_id=event.call_id, tool_call_name=event.name)
                yield ToolCallArgsEvent(
                    tool_call_id=event.call_id,
                    delta=json.dumps(event.arguments, ensure_ascii=False),
                )
                yield ToolCallEndEvent(tool_call_id=event.call_id)
            case stream.ToolAnswered():
                yield ToolCallResultEvent(
                    message_id=f"{event.call_id}_result",
                    tool_call_id=event.call_id,
                    content=event.content,
                    role="tool",
                )
            case stream.PlanChanged():
                yield StateSnapshotEvent(snapshot={"plan": event.plan})
            case stream.PlanPatched():
                patch = [{**one, "path": f"/plan{one['path']}"} for one in event.patch]
                yield _DELTA.validate_python({"delta": patch})
            case stream.RunFinished():
                yield from self._left_steps()
                yield self._finished(event)
            case stream.RunFailed():
                yield from self._left_steps()
                yield RunErrorEvent(
                    message=event.detail, code=event.code, usage=_usage(event.usage)
                )
            case stream.Gap():
                yield CustomEvent(name="gap", value={"first": event.first, "last": event.last})

    def _started(self, event: stream.RunStarted) -> BaseEvent:
        if event.attempt > 1:
            self._steps.clear()
            return CustomEvent(name="run_begun_again", value={"attempt": event.attempt})
        return RunStartedEvent(
            thread_id=self._thread_id,
            run_id=self._run_id,
            protocol_version=PROTOCOL,
            metadata={"run_id": event.run_id, "thread_id": event.thread_id},
        )

    def _left_steps(self) -> Iterator[BaseEvent]:
        """Yield the ends of the steps in which the run broke off, or waits."""
        while self._steps:
            yield StepFinishedEvent(step_name=self._steps.pop())

    def _finished(self, event: stream.RunFinished) -> BaseEvent:
        outcome: Any = RunFinishedSuccessOutcome()
        if event.outcome == "cancelled":
            outcome = RunFinishedCancelledOutcome()
        if event.question is not None:
            outcome = RunFinishedInterruptOutcome(interrupts=[_interrupt(event.question)])
        return RunFinishedEvent(
            thread_id=self._thread_id,
            run_id=self._run_id,
            outcome=outcome,
            result={
                "message": None if event.message is None else event.message.model_dump(),
                "written": event.result,
            },
            usage=_usage(event.usage),
        )


_DELTA: Final[TypeAdapter[StateDeltaEvent]] = TypeAdapter(StateDeltaEvent)
_REASON: Final[Literal["plan_review"]] = "plan_review"


def _interrupt(question: stream.Question) -> Interrupt:
    return Interrupt(
        id=question.id,
        reason=_REASON,
        response_schema=RESPONSE_SCHEMA,
        expires_at=question.expires_at,
        metadata={"kind": question.kind, "items": question.items},
    )


def _usage(used: stream.Used) -> list[TokenUsage]:
    return [
        TokenUsage(
            input_tokens=used.input,
            output_tokens=used.output,
            total_tokens=used.input + used.output,
        )
    ]
