"""OpenAI's chat completions over a run's events; the models are those of the `openai` package."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi.sse import format_sse_event
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from agent import stream
from agent.state import Json
from tools.errors import InputError
from tools.runs import Said
from tools.texts import Text

MODEL: Final = "goals-planner"
REVIEW_TOOL: Final = "review_plan"
DONE: Final = format_sse_event(data_str="[DONE]")
MAX_MESSAGE: Final = 20_000


class ContentPart(BaseModel):
    """A part of a message; only text is read."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: Text | None = None


class MessageIn(BaseModel):
    """A message as clients send it; what is not known here is accepted and left alone."""

    model_config = ConfigDict(extra="allow")

    role: Annotated[Text, Field(max_length=20)]
    content: Text | list[ContentPart] | None = None
    tool_call_id: Annotated[Text, Field(max_length=200)] | None = None

    @property
    def text(self) -> str:
        """Return the text of the message, its parts joined."""
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content if part.type == "text")
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream says besides."""

    model_config = ConfigDict(extra="allow")

    include_usage: StrictBool | None = False


class CompletionIn(BaseModel):
    """A chat completion as OpenAI's clients ask for it; unknown fields are accepted.

    `metadata.thread_id` names the thread: of ours (`thr_…`), or by a name of the client's own.
    Without it the thread is known by what was said before. The server owns the history: of
    `messages` only the last one is new.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "model": MODEL,
                    "stream": True,
                    "messages": [{"role": "user", "content": "Quiero aprender async en Python"}],
                }
            ]
        },
    )

    model: Annotated[Text, Field(max_length=200)] = MODEL
    messages: Annotated[list[MessageIn], Field(min_length=1, max_length=2_000)]
    stream: StrictBool | None = False
    stream_options: StreamOptions | None = None
    metadata: Json | None = None
    tools: list[Json] | None = None

    @property
    def wants_usage(self) -> bool:
        """Tell whether the stream shall end with a count of tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def can_review(self) -> bool:
        """Tell whether the client has a tool for reviews: then a question comes as its call."""
        functions = [tool.get("function") for tool in self.tools or ()]
        return any(isinstance(one, dict) and one.get("name") == REVIEW_TOOL for one in functions)


@dataclass(frozen=True)
class Turn:
    """What is new in a request, and what was said before it."""

    message: str
    history: tuple[Said, ...]
    answers: str | None
    """The id of the question that a tool message answers; `message` then has the decisions."""


def read_turn(asked: CompletionIn) -> Turn:
    """Return the turn that a request is. Raises InputError where its last message says nothing."""
    *before, last = asked.messages
    if last.role not in {"user", "tool"}:
        raise InputError("the last message must be the user's, or a tool's answer")
    if not last.text.strip():
        raise InputError("the last message has no text")
    if len(last.text) > MAX_MESSAGE:
        raise InputError(f"a message has at most {MAX_MESSAGE:,} characters", code="TOO_LARGE")
    history = tuple(
        Said(message.role, message.text)
        for message in before
        if message.role in {"user", "assistant"} and message.text.strip()
    )
    answers = None
    if last.role == "tool":
        answers = last.tool_call_id or ""
        if re.fullmatch(r"int_[0-9a-f]{1,32}", answers) is None:
            raise InputError("tool_call_id names no question of ours")
    return Turn(last.text, history, answers)


class ChunkEncoder:
    """Encodes one run as chunks of a streamed completion."""

    def __init__(self, asked: CompletionIn, *, run_id: str, created: int) -> None:
        self._asked = asked
        self._head: Json = {
            "id": completion_id(run_id),
            "object": "chat.completion.chunk",
            "created": created,
            "model": asked.model,
        }
        self._said = 0
        self._open = False

    def __call__(self, event: stream.RunEvent, _seq: int) -> Iterable[bytes]:
        """Return the frames for an event."""
        for value in self.encode(event):
            yield format_sse_event(data_str=_compact(value))
        if event.type in stream.ENDS:
            yield DONE

    def encode(self, event: stream.RunEvent) -> Iterator[Json]:
        """Yield the JSON objects that an event of ours is."""
        match event:
            case stream.RunStarted():
                yield self._chunk({"role": "assistant", "content": ""})
            case stream.TextStarted() if self._said:
                yield self._chunk({"content": "\n\n"})
            case stream.TextDelta():
                self._said += 1
                yield self._chunk({"content": event.text})
            case stream.RunFinished():
                yield from self._finished(event)
            case stream.RunFailed():
                yield {"error": as_error(event.code, event.detail, event.status)}

    def _finished(self, event: stream.RunFinished) -> Iterator[Json]:
        reason = "stop"
        if event.question is not None and self._asked.can_review:
            reason = "tool_calls"
            call = {"index": 0, **review_call(event.question)}
            yield self._chunk({"tool_calls": [call]})
        yield self._chunk({}, finish_reason=reason)
        if self._asked.wants_usage:
            yield {**self._head, "choices": [], "usage": as_usage(event.usage)}

    def _chunk(self, delta: Json, *, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**self._head, "choices": [choice]}


def as_completion(
    asked: CompletionIn, event: stream.RunFinished, *, run_id: str, created: int
) -> Json:
    """Return the whole completion that a finished run is."""
    message: Json = {
        "role": "assistant",
        "content": event.message.text if event.message else "",
        "refusal": None,
    }
    reason = "stop"
    if event.question is not None and asked.can_review:
        reason = "tool_calls"
        message["tool_calls"] = [review_call(event.question)]
    return {
        "id": completion_id(run_id),
        "object": "chat.completion",
        "created": created,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": as_usage(event.usage),
    }


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def completion_id(run_id: str) -> str:
    """Return the id under which OpenAI's clients know a run."""
    return f"chatcmpl-{run_id}"


def review_call(question: stream.Question) -> Json:
    """Return a question as the call of the client's own review tool."""
    arguments = {"interrupt_id": question.id, "kind": question.kind, "items": question.items}
    return {
        "id": question.id,
        "type": "function",
        "function": {
            "name": REVIEW_TOOL,
            "arguments": _compact(arguments),
        },
    }


def as_usage(used: stream.Used) -> Json:
    """Return the tokens by OpenAI's names."""
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
    }


def as_error(code: str, detail: str, status: int) -> Json:
    """Return an error as OpenAI's clients read it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"message": detail, "type": kind, "param": None, "code": code}


def models_list(created: int) -> Json:
    """Return the list of models: ours plans, whichever model it asks itself."""
    model: dict[str, Any] = {
        "id": MODEL,
        "object": "model",
        "created": created,
        "owned_by": "ai-goals-tracker",
    }
    return {"object": "list", "data": [model]}
