"""A talk over the wire: what a model server's stream can bring, and the error that it becomes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import httpx2
import pytest
import pytest_asyncio
import respx

from agent import model_wire
from agent.answers import Usage
from agent.models import ChatModel, make_chat_model
from agent.talk import Spoken, talk
from tests.agents import COMPLETIONS, MODEL_URL
from tools.errors import (
    GoalsError,
    ModelBadOutput,
    ModelRefused,
    ModelTimeout,
    ModelTruncated,
    ModelUnavailable,
)
from tools.http import make_http_clients

TOOLS = [{"type": "function", "function": {"name": "search_goals", "parameters": {}}}]
SSE = {"content-type": "text/event-stream"}
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
DONE = "data: [DONE]\n\n"


def event(value: Any) -> str:
    return f"data: {json.dumps(value)}\n\n"


def chunk(delta: dict[str, Any] | None, finish: str | None = None) -> str:
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


WHOLE = (
    chunk({"role": "assistant", "content": ""})
    + chunk({"content": "Hola, "})
    + chunk({"content": "Ana"})
    + chunk({}, "stop")
    + event({"choices": [], "usage": USAGE})
    + DONE
)


@pytest_asyncio.fixture
async def chat(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChatModel]:
    monkeypatch.setattr(model_wire, "RETRY_SECONDS", 0.0)
    clients = make_http_clients(timeout=5)
    yield make_chat_model("openai", model="m", api_key="k", base_url=MODEL_URL, clients=clients)
    await clients.aclose()


async def said(chat: ChatModel, *, deadline: float = 20.0) -> tuple[Spoken, list[str]]:
    pieces: list[str] = []
    spoken = await talk(
        chat,
        [{"role": "user", "content": "hola"}],
        tools=TOOLS,
        max_tokens=100,
        deadline=deadline,
        on_text=pieces.append,
    )
    return spoken, pieces


async def test_a_stream_is_said_piece_by_piece_and_counted(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    route = httpx2_mock.post(COMPLETIONS).respond(content=WHOLE, headers=SSE)

    spoken, pieces = await said(chat)

    assert pieces == ["Hola, ", "Ana"]
    assert spoken == Spoken("Hola, Ana", (), Usage(11, 7))
    request = route.calls.last.request
    assert json.loads(request.content) == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "hola"}],
        "max_completion_tokens": 100,
        "tools": TOOLS,
    }
    assert request.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_a_stream_may_be_cut_into_packets_anywhere(
    chat: ChatModel, httpx2_mock: respx.Router, size: int, end: str
) -> None:
    content = (": hello\n\n" + WHOLE).replace("\n", end).encode()

    async def packets() -> AsyncIterator[bytes]:
        for at in range(0, len(content), size):
            yield content[at : at + size]

    httpx2_mock.post(COMPLETIONS).mock(
        return_value=httpx.Response(200, headers=SSE, stream=_Packets(packets()))
    )

    spoken, _ = await said(chat)

    assert spoken.text == "Hola, Ana"


async def test_calls_are_put_together_from_their_pieces(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    pieces: list[dict[str, Any]] = [
        {"index": 0, "id": "c1", "function": {"name": "search_goals", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"query": '}},
        {"index": 1, "id": "c2", "function": {"name": "search_goals", "arguments": '{"query": '}},
        {"index": 0, "function": {"arguments": '"x"}'}},
    ]
    content = "".join(chunk({"tool_calls": [piece]}) for piece in pieces)
    httpx2_mock.post(COMPLETIONS).respond(
        content=content + chunk({}, "tool_calls") + DONE, headers=SSE
    )

    spoken, _ = await said(chat)

    assert [(call.id, call.name, call.arguments) for call in spoken.calls] == [
        ("c1", "search_goals", {"query": "x"}),
        ("c2", "search_goals", None),
    ]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", ModelTruncated),
        (DONE, ModelTruncated),
        (chunk({"content": "A medi"}), ModelTruncated),
        (chunk({"content": "A medi"}) + DONE, ModelTruncated),
        (chunk({"content": "A medi"}, "length") + DONE, ModelTruncated),
        (chunk({"content": ""}, "content_filter") + DONE, ModelRefused),
        (chunk({"refusal": "no"}) + chunk({}, "stop") + DONE, ModelRefused),
        (chunk({"content": "A"}) + event({"error": {"message": "boom"}}), ModelBadOutput),
        (chunk({"content": "A"}) + "data: {oh\n\n", ModelBadOutput),
        (event([1]), ModelBadOutput),
        (event({"object": "x"}), ModelBadOutput),
        (event({"choices": [{"delta": {"tool_calls": [3]}}]}), ModelBadOutput),
    ],
)
async def test_a_stream_that_cannot_be_used_has_its_own_error(
    chat: ChatModel, httpx2_mock: respx.Router, content: str, error: type[GoalsError]
) -> None:
    httpx2_mock.post(COMPLETIONS).respond(content=content, headers=SSE)

    with pytest.raises(error):
        await said(chat)


async def test_a_page_in_place_of_a_stream_is_no_answer(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    httpx2_mock.post(COMPLETIONS).respond(html="<html>sign in</html>")

    with pytest.raises(ModelBadOutput):
        await said(chat)


@pytest.mark.parametrize(
    ("status", "sent"), [(400, 1), (401, 1), (403, 1), (404, 1), (429, 3), (500, 3), (503, 3)]
)
async def test_a_status_is_an_error_after_as_many_requests_as_it_is_worth(
    chat: ChatModel, httpx2_mock: respx.Router, status: int, sent: int
) -> None:
    route = httpx2_mock.post(COMPLETIONS).respond(status_code=status, json={"error": {}})

    with pytest.raises(ModelUnavailable):
        await said(chat)

    assert sent == route.call_count


async def test_a_server_that_is_back_in_time_is_asked_again(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    httpx2_mock.post(COMPLETIONS).mock(
        side_effect=[
            httpx2.ConnectError("no"),
            httpx.Response(503, headers={"retry-after": "0.01"}),
            httpx.Response(200, headers=SSE, content=WHOLE),
        ]
    )

    spoken, _ = await said(chat)

    assert spoken.text == "Hola, Ana"


@pytest.mark.parametrize(
    ("failure", "error"),
    [(httpx2.ConnectError("no"), ModelUnavailable), (httpx2.ReadTimeout("late"), ModelTimeout)],
)
async def test_a_server_that_does_not_answer_has_its_own_error(
    chat: ChatModel, httpx2_mock: respx.Router, failure: Exception, error: type[GoalsError]
) -> None:
    httpx2_mock.post(COMPLETIONS).mock(side_effect=failure)

    with pytest.raises(error):
        await said(chat)


async def test_a_connection_that_breaks_in_the_stream_is_not_asked_again(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    async def packets() -> AsyncIterator[bytes]:
        yield chunk({"content": "A medi"}).encode()
        raise httpx2.RemoteProtocolError("gone")

    route = httpx2_mock.post(COMPLETIONS).mock(
        return_value=httpx.Response(200, headers=SSE, stream=_Packets(packets()))
    )

    with pytest.raises(ModelUnavailable):
        await said(chat)

    assert route.call_count == 1


async def test_a_stream_that_drips_ends_at_the_deadline_and_is_closed(
    chat: ChatModel, httpx2_mock: respx.Router
) -> None:
    stream = _Packets(_dripping())
    httpx2_mock.post(COMPLETIONS).mock(return_value=httpx.Response(200, headers=SSE, stream=stream))

    with pytest.raises(ModelTimeout):
        await said(chat, deadline=0.05)

    assert stream.closed


async def _dripping() -> AsyncIterator[bytes]:
    yield chunk({"content": "A medi"}).encode()
    await asyncio.Event().wait()


class _Packets(httpx.AsyncByteStream):
    """A body that comes in the packets of an iterator."""

    def __init__(self, packets: AsyncIterator[bytes]) -> None:
        self._packets = packets
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._packets

    async def aclose(self) -> None:
        self.closed = True
