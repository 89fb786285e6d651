import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from api.live_model import LiveModel, open_live_model
from evals.recordings import Refused
from evals.wire import forward_to
from tools.errors import SetupError

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GOALS_MODEL_SERVER", "GOALS_MODEL_SERVER_KEY")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for key in (*KEYS, "GOALS_CHAT_MODEL", "GOALS_LOCAL_MODEL"):
        monkeypatch.delenv(key, raising=False)


async def test_a_server_at_a_url_never_gets_openais_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "for openai alone")
    monkeypatch.setenv("GOALS_CHAT_MODEL", "m-1")

    async with open_live_model("http://127.0.0.1:9/v1/") as model:
        assert model == LiveModel("m-1", "openai", "http://127.0.0.1:9/v1", None)
    monkeypatch.setenv("GOALS_MODEL_SERVER_KEY", "for the server")
    async with open_live_model("http://127.0.0.1:9/v1") as model:
        assert model.api_key == "for the server"


async def test_openai_is_asked_with_its_key_and_not_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SetupError, match="OPENAI_API_KEY"):
        async with open_live_model("openai"):
            pass
    monkeypatch.setenv("OPENAI_API_KEY", "for openai alone")

    async with open_live_model("openai") as model:
        assert model.base_url == "https://api.openai.com/v1"
        assert model.api_key == "for openai alone"


async def test_the_local_model_is_the_one_that_is_served_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOALS_MODEL_SERVER", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("GOALS_LOCAL_MODEL", "/models/small.gguf")

    async with open_live_model("local") as model:
        assert model == LiveModel("small", "local", "http://127.0.0.1:9/v1", None)


async def test_the_local_model_that_is_missing_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOALS_LOCAL_MODEL", str(tmp_path / "none.gguf"))

    with pytest.raises(SetupError, match="goals models pull"):
        async with open_live_model("local"):
            pass


@asynccontextmanager
async def server(
    status: int, body: object, seen: list[httpx2.Request]
) -> AsyncIterator[httpx2.AsyncClient]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(status, json=body)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        yield client


async def test_a_live_answer_is_read_with_its_calls_and_tokens() -> None:
    seen: list[httpx2.Request] = []
    call = {"id": "x", "type": "function", "function": {"name": "search", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = {
        "choices": [{"message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3},
    }

    async with server(200, body, seen) as client:
        answer = await forward_to(client, "http://m/v1", api_key="k")(QUESTION)

    assert answer == {
        "text": "",
        "tool_calls": [{"name": "search", "arguments": "{}"}],
        "finish_reason": "tool_calls",
        "input_tokens": 5,
        "output_tokens": 3,
    }
    assert str(seen[0].url) == "http://m/v1/chat/completions"
    assert seen[0].headers["authorization"] == "Bearer k"
    assert json.loads(seen[0].content) == QUESTION


async def test_what_a_live_server_refuses_keeps_its_status() -> None:
    async with server(429, {"error": {}}, []) as client:
        with pytest.raises(Refused) as refused:
            await forward_to(client, "http://m/v1", api_key=None)(QUESTION)

    assert refused.value.status == 429
