"""Spans of the agent, named by OpenTelemetry's conventions for generative AI (1.41).

The names are here and nowhere else. Nothing is traced, and nothing of the library is needed, until
`trace_with` is given a tracer. What is said to a model, by it or to a tool is on a span only where
that was asked for.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from agent.models import SCRIPTED_MODEL
from tools.errors import GoalsError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

AGENT_NAME: Final = "goals-planner"
PROVIDERS: Final = {SCRIPTED_MODEL: "scripted"}
OPENAI: Final = "openai"
"""Also what speaks its protocol, as the local model's server does."""

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
AGENT: Final = "gen_ai.agent.name"
CONVERSATION: Final = "gen_ai.conversation.id"
REQUEST_MODEL: Final = "gen_ai.request.model"
MAX_TOKENS: Final = "gen_ai.request.max_tokens"
TEMPERATURE: Final = "gen_ai.request.temperature"
OUTPUT_TYPE: Final = "gen_ai.output.type"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL: Final = "gen_ai.tool.call.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
ERROR_TYPE: Final = "error.type"
RUN: Final = "goals.run.id"
"""Ours: the conventions have no name for it."""
KIND: Final = "goals.run.kind"

ROLES: Final = {"human": "user", "ai": "assistant"}
MAX_CONTENT: Final = 20_000
"""Characters of content that one attribute holds at most."""


@dataclass
class _Tracing:
    tracer: "Tracer | None" = None
    content: bool = False


_tracing: Final = _Tracing()


def trace_with(tracer: "Tracer | None", *, content: bool = False) -> None:
    """Trace with `tracer` from now on, None for nothing; with what is said only for `content`."""
    _tracing.tracer = tracer
    _tracing.content = content


def current_tracer() -> "Tracer | None":
    """Return what spans are begun with, None where nothing is traced."""
    return _tracing.tracer


class Told:
    """A span under way, or none: what is told of one is kept, of the other forgotten."""

    def __init__(self, span: "Span | None" = None) -> None:
        self._span = span

    def tell(self, attributes: "Mapping[str, AttributeValue]") -> None:
        """Keep attributes."""
        if self._span is not None:
            self._span.set_attributes(attributes)

    def fail(self, error: BaseException) -> None:
        """Mark the span as failed: with an error's code or type, never with its words."""
        if self._span is None:
            return
        from opentelemetry.trace import StatusCode

        kind = error.code if isinstance(error, GoalsError) else type(error).__qualname__
        self._span.set_attribute(ERROR_TYPE, kind)
        self._span.set_status(StatusCode.ERROR)

    def tell_usage(self, *, input_tokens: int, output_tokens: int) -> None:
        """Keep what a call cost."""
        self.tell({INPUT_TOKENS: input_tokens, OUTPUT_TOKENS: output_tokens})

    def tell_answer(self, text: str) -> None:
        """Keep what a model said, where that is wanted."""
        if self._span is not None and _tracing.content:
            said = [{"role": "assistant", "parts": [{"type": "text", "content": text}]}]
            self.tell({OUTPUT_MESSAGES: _as_text(said)})

    def tell_result(self, text: str) -> None:
        """Keep what a tool answered, where that is wanted."""
        if self._span is not None and _tracing.content:
            self.tell({TOOL_RESULT: text[:MAX_CONTENT]})


_NOTHING: Final = Told()


@contextmanager
def invoke_agent(
    kind: str, *, run_id: str | None = None, thread_id: str | None = None
) -> Iterator[Told]:
    """Trace a run of the agent, under way in the block."""
    attributes = {OPERATION: "invoke_agent", AGENT: AGENT_NAME, KIND: kind}
    ids = {RUN: run_id, CONVERSATION: thread_id}
    with _span(f"invoke_agent {AGENT_NAME}", {**attributes, **ids}) as told:
        yield told


@contextmanager
def chat(
    model: str,
    messages: "Sequence[BaseMessage | Mapping[str, Any]]",
    *,
    output: Literal["json", "text"],
    max_tokens: int | None = None,
    temperature: float | None = None,
) -> Iterator[Told]:
    """Trace a call of a chat model, under way in the block."""
    if _tracing.tracer is None:
        yield _NOTHING
        return
    attributes: dict[str, Any] = {
        OPERATION: "chat",
        PROVIDER: PROVIDERS.get(model, OPENAI),
        REQUEST_MODEL: model,
        MAX_TOKENS: max_tokens,
        TEMPERATURE: temperature,
        OUTPUT_TYPE: output,
        INPUT_MESSAGES: _as_text([_message(one) for one in messages]) if _tracing.content else None,
    }
    with _span(f"chat {model}", attributes, is_client=True) as told:
        yield told


@contextmanager
def execute_tool(name: str, *, call_id: str, arguments: Any) -> Iterator[Told]:
    """Trace a tool that a model has called, under way in the block."""
    if _tracing.tracer is None:
        yield _NOTHING
        return
    attributes: dict[str, Any] = {
        OPERATION: "execute_tool",
        TOOL_NAME: name,
        TOOL_TYPE: "function",
        TOOL_CALL: call_id,
        TOOL_ARGUMENTS: _as_text(arguments) if _tracing.content else None,
    }
    with _span(f"execute_tool {name}", attributes) as told:
        yield told


@contextmanager
def _span(name: str, attributes: dict[str, Any], *, is_client: bool = False) -> Iterator[Told]:
    if _tracing.tracer is None:
        yield _NOTHING
        return
    from opentelemetry.trace import SpanKind

    with _tracing.tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT if is_client else SpanKind.INTERNAL,
        attributes={key: value for key, value in attributes.items() if value is not None},
        record_exception=False,  # an exception's words may be the learner's
        set_status_on_exception=False,
    ) as span:
        told = Told(span)
        try:
            yield told
        except BaseException as error:
            told.fail(error)
            raise


def _message(message: "BaseMessage | Mapping[str, Any]") -> dict[str, Any]:
    if isinstance(message, Mapping):
        role, content = message["role"], message.get("content")
        return {"role": role, "parts": [{"type": "text", "content": str(content or "")}]}
    role = ROLES.get(message.type, message.type)
    return {"role": role, "parts": [{"type": "text", "content": str(message.content)}]}


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:MAX_CONTENT]
