"""Ask a chat model for JSON of a given shape, and map every way it can fail to one of our errors.

Success needs a `finish_reason` of `stop`: langchain-openai reports a stream that was cut, a refusal
and a content filter as success with little or no content.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from agent.models import ChatModel, response_format, without_titles
from agent.watch import watch_calls
from tools.errors import (
    GoalsError,
    ModelBadOutput,
    ModelRefused,
    ModelTimeout,
    ModelTruncated,
    ModelUnavailable,
)

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

T = TypeVar("T", bound=BaseModel)
_ROLES: Final = {"system": "system", "human": "user", "ai": "assistant"}


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, as the model server counted them."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What the model said, parsed, and what it cost."""

    value: T
    usage: Usage


@dataclass(frozen=True)
class _Said:
    """An answer as it came, whoever brought it; `reason` is why it ended."""

    text: str
    reason: str | None
    refused: bool
    usage: Usage


class UnusableAnswer(ModelBadOutput):
    """The model finished, but its text does not fit; `text` and `usage` serve a repair turn."""

    def __init__(self, detail: str, *, text: str, usage: Usage) -> None:
        super().__init__(detail)
        self.text = text
        self.usage = usage


@watch_calls("json")
async def ask(
    chat: ChatModel,
    messages: "Sequence[BaseMessage]",
    *,
    shape: type[T],
    max_tokens: int,
    deadline: float,
    temperature: float,
    sample: int | None = None,
) -> Answer[T]:
    """Return the model's answer as a `shape`, within `max_tokens` tokens and `deadline` seconds.

    `temperature` counts for the models that take one. `sample` is the number of one of several
    answers to the same messages that are to be independent.

    Raises ModelTimeout, ModelUnavailable, ModelTruncated, ModelRefused or UnusableAnswer.
    """
    schema = schema_of(shape)
    body = chat.body if sample is None else chat.body_of_sample(sample)
    body = {**body, **response_format(shape.__name__, schema)}
    sampling = {"temperature": temperature} if chat.takes_temperature else {}
    try:
        async with asyncio.timeout(deadline):
            if chat.wire is None:
                bound = chat.model.bind(max_tokens=max_tokens, **sampling, extra_body=body)
                said = _read_message(await bound.ainvoke(list(messages)))
            else:
                body |= {"max_completion_tokens": max_tokens, **sampling}
                body["messages"] = [_as_sent(message) for message in messages]
                said = _read_completion(await chat.wire.complete(body))
    except TimeoutError as error:
        raise ModelTimeout(f"the model {chat.name} did not finish in {deadline:.0f} s") from error
    except GoalsError:
        raise
    except Exception as error:
        raise_as_ours(error, chat.name)
    return _parsed(said, chat.name, shape)


@cache
def schema_of(shape: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema that is sent for `shape`; making it takes longer than a query."""
    return without_titles(shape.model_json_schema())


def _as_sent(message: "BaseMessage") -> dict[str, str]:
    return {"role": _ROLES[message.type], "content": message.text}


def _read_completion(answer: Any) -> _Said:
    """Return what a chat completion says. Raises TypeError, KeyError… where it is none."""
    choice, counted = answer["choices"][0], answer.get("usage") or {}
    message = choice["message"]
    return _Said(
        text=message.get("content") or "",
        reason=choice["finish_reason"],
        refused=bool(message.get("refusal")),
        usage=Usage(
            input_tokens=int(counted.get("prompt_tokens") or 0),
            output_tokens=int(counted.get("completion_tokens") or 0),
        ),
    )


def _read_message(message: "AIMessage") -> _Said:
    counted = message.usage_metadata
    return _Said(
        text=message.text,
        reason=message.response_metadata.get("finish_reason"),
        refused=bool(message.additional_kwargs.get("refusal")),
        usage=Usage(
            input_tokens=counted["input_tokens"] if counted else 0,
            output_tokens=counted["output_tokens"] if counted else 0,
        ),
    )


def _parsed(said: _Said, name: str, shape: type[T]) -> Answer[T]:
    if said.refused or said.reason == "content_filter":
        raise ModelRefused(f"the model {name} declined to answer")
    if said.reason != "stop":
        raise ModelTruncated(
            f"the answer of {name} was cut before its end (finish_reason: {said.reason})"
        )
    try:
        value = shape.model_validate_json(said.text)
    except ValidationError as error:
        raise UnusableAnswer(
            f"the answer of {name} does not fit {shape.__name__}: {_complaint(error)}",
            text=said.text,
            usage=said.usage,
        ) from error
    return Answer(value, said.usage)


def _complaint(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'answer'}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)[:5]
    )


def raise_as_ours(error: Exception, name: str) -> NoReturn:
    """Raise the error of ours that an error of the model's client means."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        raise ModelTimeout(f"the model {name} did not answer in time") from error
    if isinstance(error, openai.APIConnectionError):
        raise ModelUnavailable(f"the server of the model {name} cannot be reached") from error
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        raise ModelUnavailable(
            f"the server of the model {name} refuses the key; check OPENAI_API_KEY"
        ) from error
    if isinstance(error, openai.NotFoundError):
        raise ModelUnavailable(
            f"the server does not know the model {name}; check GOALS_CHAT_MODEL"
        ) from error
    if isinstance(error, openai.RateLimitError):
        raise ModelUnavailable(f"the server of the model {name} limits the rate") from error
    if isinstance(error, openai.APIStatusError):
        raise ModelUnavailable(
            f"the server of the model {name} answered with status {error.status_code}"
        ) from error
    raise ModelBadOutput(
        f"the server of the model {name} answered what is no chat completion"
    ) from error
