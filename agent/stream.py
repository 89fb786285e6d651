"""What happens in a run, as one union of typed events; every wire encodes these and no others.

An event's place in its run (`seq`, from 1) is not part of it: whoever stores events numbers them.
The last event of a run is `run_finished` or `run_failed`, and says all that there is to know.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.state import Json

Outcome = Literal["success", "interrupt", "cancelled"]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RunStarted(_Event):
    """A run began; `attempt` counts from 1, and grows where a stopped server's run is begun again.

    What was said in an attempt before is void: `run_finished` has the words that count.
    """

    type: Literal["run_started"] = "run_started"
    run_id: str
    thread_id: str | None
    kind: str
    attempt: int = 1


class StepStarted(_Event):
    """A node of the graph began."""

    type: Literal["step_started"] = "step_started"
    step: str


class StepFinished(_Event):
    """A node of the graph ended."""

    type: Literal["step_finished"] = "step_finished"
    step: str


class TextStarted(_Event):
    """The assistant begins a message."""

    type: Literal["text_started"] = "text_started"
    message_id: str


class TextDelta(_Event):
    """More of the message; `text` is never empty."""

    type: Literal["text_delta"] = "text_delta"
    message_id: str
    text: str


class TextEnded(_Event):
    """The message is whole."""

    type: Literal["text_ended"] = "text_ended"
    message_id: str


class ToolCalled(_Event):
    """The model called one of our tools."""

    type: Literal["tool_called"] = "tool_called"
    call_id: str
    name: str
    arguments: Json


class ToolAnswered(_Event):
    """What the model was told; `content` is JSON text."""

    type: Literal["tool_answered"] = "tool_answered"
    call_id: str
    content: str
    failed: bool


class PlanChanged(_Event):
    """The whole draft that waits for the user, as it is now."""

    type: Literal["plan_changed"] = "plan_changed"
    plan: Json


class PlanPatched(_Event):
    """A change of that draft as JSON Patch (RFC 6902)."""

    type: Literal["plan_patched"] = "plan_patched"
    patch: list[Json]


class Used(BaseModel):
    """What the model calls of a run cost, in tokens."""

    input: int
    output: int
    calls: int


class Said(BaseModel):
    """A whole message of the assistant."""

    id: str
    text: str


class Question(BaseModel):
    """What waits for the user's decision: one for each item, by its key."""

    id: str
    kind: str
    items: list[Json]
    expires_at: str


class RunFinished(_Event):
    """A run ended as it should: with an answer, with a question to the user, or cancelled."""

    type: Literal["run_finished"] = "run_finished"
    outcome: Outcome
    message: Said | None
    result: Json | None = None
    question: Question | None = None
    usage: Used


class RunFailed(_Event):
    """A run ended with an error; the codes are those of the problems that the API answers with."""

    type: Literal["run_failed"] = "run_failed"
    code: str
    detail: str
    status: int
    retry_after: int | None = None
    usage: Used


class Gap(_Event):
    """Events from `first` to `last` are not stored any more, or never were."""

    type: Literal["gap"] = "gap"
    first: int
    last: int


RunEvent = Annotated[
    RunStarted
    | StepStarted
    | StepFinished
    | TextStarted
    | TextDelta
    | TextEnded
    | ToolCalled
    | ToolAnswered
    | PlanChanged
    | PlanPatched
    | RunFinished
    | RunFailed
    | Gap,
    Field(discriminator="type"),
]
ENDS: Final = frozenset({"run_finished", "run_failed"})
_ADAPTER: Final[TypeAdapter[Any]] = TypeAdapter(RunEvent)


def read_event(text: str) -> RunEvent:
    """Return the event of a stored JSON text."""
    event: RunEvent = _ADAPTER.validate_json(text)
    return event
