"""Let a chat model talk: its words as they come, and the tools that it calls."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.answers import Usage, raise_as_ours
from agent.heard import CallText, Heard
from agent.links import Unlinker, unlink
from agent.models import ChatModel
from agent.state import Json
from agent.watch import watch_calls
from db.base import new_id
from tools.errors import GoalsError, ModelRefused, ModelTimeout, ModelTruncated

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk

FINISHED: Final = frozenset({"stop", "tool_calls"})
MAX_CALLS: Final = 50
_WRITTEN_CALL: Final = re.compile(
    r"\s*(?:<tools>\s*</tools>\s*)?(?:<tool_call>\s*|```(?:json)?\s*)?\{?(?=\{)"
)
_MAY_BECOME_A_CALL: Final = re.compile(
    r"\s*(?:<[<>/_acelost\s]*)?(?:`{0,3}|```(?:j|js|jso|json)?\s*)\Z"
)
"""Small models repeat the marks of their own template, and double a brace."""


@dataclass(frozen=True)
class Call:
    """A tool that the model wants; `arguments` is None where they are no JSON object."""

    id: str
    name: str
    arguments: Json | None


@dataclass(frozen=True)
class Spoken:
    """What the model said in one turn, whole."""

    text: str
    calls: tuple[Call, ...]
    usage: Usage


@watch_calls("text")
async def talk(
    chat: ChatModel,
    messages: Sequence[Json],
    *,
    tools: Sequence[Json],
    max_tokens: int,
    deadline: float,
    on_text: Callable[[str], None],
) -> Spoken:
    """Return one turn of the model; `on_text` gets each piece of its text at once.

    `messages` are OpenAI's, `tools` its function definitions. A model that writes its call as JSON
    text, as small ones do, has called: such text is kept from `on_text`. No address in its words is
    alive (`agent/links.py`). Raises ModelTimeout, ModelUnavailable, ModelTruncated, ModelRefused or
    ModelBadOutput; what was said until then is void.
    """
    plain = Unlinker(on_text)
    held = _HeldBack(plain.add, names=frozenset(tool["function"]["name"] for tool in tools))
    heard = Heard()
    body = {**chat.body, "tools": list(tools)}
    listen = _listen_to_model if chat.wire is None else _listen_to_wire
    try:
        async with (
            asyncio.timeout(deadline),
            aclosing(listen(chat, messages, body, max_tokens=max_tokens, heard=heard)) as pieces,
        ):
            async for text in pieces:
                held.add(text)
                await asyncio.sleep(0)  # or all that has come is read before any of it is told
    except TimeoutError as error:
        raise ModelTimeout(f"the model {chat.name} did not finish in {deadline:.0f} s") from error
    except GoalsError:
        raise
    except Exception as error:
        raise_as_ours(error, chat.name)
    _require_whole(heard, chat.name)
    written = held.finish()
    plain.finish()
    return Spoken(
        text="" if written else unlink("".join(heard.text)),
        calls=(written,) if written else _calls(heard),
        usage=heard.usage,
    )


async def _listen_to_wire(
    chat: ChatModel, messages: Sequence[Json], body: Json, *, max_tokens: int, heard: Heard
) -> AsyncGenerator[str, None]:
    """Yield the pieces of text that are not empty."""
    assert chat.wire is not None, "this model is asked over its wire"
    asked = {"messages": list(messages), "max_completion_tokens": max_tokens, **body}
    async with aclosing(chat.wire.chunks(asked)) as chunks:
        async for chunk in chunks:
            text = heard.add(chunk)
            if text:
                yield text


async def _listen_to_model(
    chat: ChatModel, messages: Sequence[Json], body: Json, *, max_tokens: int, heard: Heard
) -> AsyncGenerator[str, None]:
    """Yield the pieces of text that are not empty, of a model that only LangChain knows."""
    bound = chat.model.bind(max_tokens=max_tokens, stream_usage=True, extra_body=body)
    whole: AIMessageChunk | None = None
    async for chunk in bound.astream(list(messages)):
        piece: Any = chunk
        whole = piece if whole is None else whole + piece
        if piece.text:
            heard.text.append(piece.text)
            yield piece.text
    if whole is None:
        return
    heard.begun = True
    heard.finish = whole.response_metadata.get("finish_reason")
    heard.refused = bool(whole.additional_kwargs.get("refusal"))
    heard.calls = {
        number: CallText(one["id"] or "", one["name"] or "", one["args"] or "")
        for number, one in enumerate(whole.tool_call_chunks)
    }
    if counted := whole.usage_metadata:
        heard.usage = Usage(counted["input_tokens"], counted["output_tokens"])


def _require_whole(heard: Heard, name: str) -> None:
    if not heard.begun:
        raise ModelTruncated(f"the answer of {name} was cut before it began")
    if heard.refused or heard.finish == "content_filter":
        raise ModelRefused(f"the model {name} declined to answer")
    if heard.finish not in FINISHED:
        raise ModelTruncated(
            f"the answer of {name} was cut before its end (finish_reason: {heard.finish})"
        )


def _calls(heard: Heard) -> tuple[Call, ...]:
    """Return the calls, their arguments read strictly: what was cut is not completed."""
    return tuple(
        Call(one.id or new_id("run"), one.name, _object(one.arguments))
        for _, one in sorted(heard.calls.items())[:MAX_CALLS]
    )


def _object(text: str) -> Json | None:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class _HeldBack:
    """Passes text on, but for what may turn out to be a call of a tool."""

    def __init__(self, pass_on: Callable[[str], None], *, names: frozenset[str]) -> None:
        self._pass_on = pass_on
        self._names = names
        self._kept: str | None = ""

    def add(self, text: str) -> None:
        if self._kept is None:
            self._pass_on(text)
            return
        self._kept += text
        if not (_WRITTEN_CALL.match(self._kept) or _MAY_BECOME_A_CALL.match(self._kept)):
            self._release()

    def finish(self) -> Call | None:
        """Return the call that the text was; else pass on what is left of it."""
        call = read_written_call(self._kept, self._names) if self._kept else None
        if call is None:
            self._release()
        return call

    def _release(self) -> None:
        kept, self._kept = self._kept, None
        if kept:
            self._pass_on(kept)


def read_written_call(text: str, names: frozenset[str]) -> Call | None:
    """Return the call of one of the tools `names` that `text` begins with as JSON, or None."""
    start = _WRITTEN_CALL.match(text)
    if start is None:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start.end())
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("name") not in names:
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    return Call(new_id("run"), value["name"], arguments if isinstance(arguments, dict) else None)
