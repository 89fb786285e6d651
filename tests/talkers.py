"""A chat model whose turns a test writes, and the API listening on a real port."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import AIMessageChunk, BaseMessage, ToolCallChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ConfigDict

from agent.models import ChatModel
from agent.scripted import ScriptedTutor


@dataclass(frozen=True)
class Turn:
    """What the model says once: pieces of text, then calls as (name, arguments).

    `wait` holds it before its last piece, until the test sets it.
    """

    text: Sequence[str] = ()
    calls: Sequence[tuple[str, Any]] = ()
    finish: str | None = None
    wait: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)


class PlayedModel(ScriptedTutor):
    """Says the turns in their order, the last one for ever; `heard` has what it was asked.

    Jobs get the scripted tutor's answers.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    turns: list[Turn]
    heard: list[list[BaseMessage]] = []  # noqa: RUF012 - pydantic copies it

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        turn = self.turns[min(len(self.heard), len(self.turns) - 1)]
        self.heard.append(messages)
        turn.begun.set()
        for number, piece in enumerate(turn.text, start=1):
            if turn.wait is not None and number == len(turn.text):
                await turn.wait.wait()
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        if turn.wait is not None:
            await turn.wait.wait()
        for index, (name, arguments) in enumerate(turn.calls):
            args = arguments if isinstance(arguments, str) else json.dumps(arguments)
            call = ToolCallChunk(
                name=name,
                args=args,
                id=f"call_{len(self.heard)}_{index}",
                index=index,
                type="tool_call_chunk",
            )
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                response_metadata={"finish_reason": turn.finish or _reason(turn)},
                usage_metadata={"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
            )
        )


def _reason(turn: Turn) -> str:
    return "tool_calls" if turn.calls else "stop"


def played(*turns: Turn) -> ChatModel:
    """Return the chat model that says these turns."""
    return ChatModel("played", PlayedModel(turns=list(turns)))


@contextlib.asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """Yield the address at which `app` listens, in this process, until the block ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[taken]))
        try:
            yield f"http://127.0.0.1:{taken.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@dataclass(frozen=True)
class Frame:
    """One server-sent event."""

    id: str | None
    event: str | None
    data: str

    @property
    def json(self) -> Any:
        """Return the data as JSON."""
        return json.loads(self.data)


async def frames(response: httpx2.Response) -> AsyncIterator[Frame]:
    """Yield the events of a stream as they come; comments are left out."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line:
            if "data" in fields:
                yield Frame(fields.get("id"), fields.get("event"), fields["data"])
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
