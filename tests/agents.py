"""The API with the agent, for tests: scripted, or an OpenAI-compatible server that respx plays."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final

import httpx
import pytest_asyncio

from agent.graph import build_graph
from agent.models import ChatModel, make_chat_model
from api.app import create_app
from api.bootstrap import Agent, Services
from api.checkpoints import open_checkpoints
from api.runs.hub import open_hub
from tests.service import Service
from tools.http import make_http_clients

MODEL_URL: Final = "https://models.test/v1"
COMPLETIONS: Final = f"{MODEL_URL}/chat/completions"


def with_agent(services: Services, *, chat: ChatModel, checkpointer: Any) -> Service:
    """Return the application over `services` with an agent that asks `chat`."""
    agent = Agent(graph=build_graph(checkpointer), chat=chat)
    complete = replace(services, agent=agent)
    return Service(create_app(complete), complete)


@contextlib.asynccontextmanager
async def opened(services: Services, chat: ChatModel) -> AsyncIterator[Service]:
    """Yield the application with an agent that asks `chat`, its runs at work."""
    async with open_checkpoints(services.app_url) as checkpointer:
        whole = with_agent(services, chat=chat, checkpointer=checkpointer).services
        async with open_hub(whole) as hub:
            complete = replace(whole, hub=hub)
            yield Service(create_app(complete), complete)


@pytest_asyncio.fixture
async def scripted(service: Service) -> AsyncIterator[Service]:
    """Yield the application with the scripted tutor."""
    clients = make_http_clients(timeout=5)
    chat = make_chat_model("scripted", model="", api_key=None, base_url=None, clients=clients)
    async with opened(service.services, chat) as complete:
        yield complete
    await clients.aclose()


@pytest_asyncio.fixture
async def remote(service: Service) -> AsyncIterator[Service]:
    """Yield the application with a model server at MODEL_URL, which the test plays by respx."""
    clients = make_http_clients(timeout=5)
    chat = make_chat_model("openai", model="m", api_key="k", base_url=MODEL_URL, clients=clients)
    async with opened(service.services, chat) as complete:
        yield complete
    await clients.aclose()


def completion(value: Any, *, finish: str | None = "stop", refusal: str | None = None) -> Any:
    """Return the body of a chat completion whose text is `value`, as JSON unless it is a string."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }


def said(value: Any) -> httpx.Response:
    """Return the response of a model server that says `value`."""
    return httpx.Response(200, json=completion(value))


def answering(**by_shape: Any) -> Callable[[httpx.Request], httpx.Response]:
    """Return a model server that says `by_shape` what it is asked for (Review, SecondLook, …)."""

    def answer(request: httpx.Request) -> httpx.Response:
        return said(by_shape[shape_of(request)])

    return answer


def shape_of(request: httpx.Request) -> str:
    """Return the name of the shape that a request asks for."""
    name: str = json.loads(request.content)["response_format"]["json_schema"]["name"]
    return name


def suggested(*titles: str) -> dict[str, Any]:
    """Return what a model says when it suggests goals of these titles."""
    return {
        "goals": [
            {
                "title": title,
                "description": f"Sobre {title}",
                "why": "Es el paso siguiente",
                "priority": "high",
                "criteria": [f"Se ve que {title}", "Otra persona lo repite"],
                "based_on": ["S1"],
            }
            for title in titles
        ]
    }
