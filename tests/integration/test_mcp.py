"""The tools over MCP: the rules of the API, and nothing written that was not allowed."""

import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from api.auth import make_token
from tests.service import JWT, Learner, Service
from tests.talkers import listening

TOOLS: Final = {
    "search",
    "list_goals_and_tasks",
    "next_task",
    "suggest_goals",
    "break_down_goal",
    "validate_code",
    "record_progress",
}
MAX_TOOLS_CHARACTERS: Final = 6_200
"""2,000 tokens: JSON like this has 3.6 characters a token (Qwen 2.5's tokenizer) or more."""


@contextlib.asynccontextmanager
async def connected(service: Service, token: str) -> AsyncIterator[Client]:
    """Yield MCP's own client, signed in by `token`, over a real socket."""
    async with listening(service.app) as url:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=30) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
        ):
            yield client
        await service.app.state.mcp.aclose()


def writer(learner: Learner) -> str:
    """Return a token of the learner that lets an agent write."""
    return make_token(
        JWT, user_id=learner.id, hours=1, now=datetime.now(UTC), scope="openid goals:write"
    )


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """Return a tool's structured result, which its text repeats."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    assert answer.structured_content is not None
    return answer.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """Return the words with which a tool refuses."""
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    return str(answer.content[0].text)  # type: ignore[union-attr]  # a refusal is text


async def test_the_list_of_tools_is_short(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")

    async with connected(scripted, ana.token) as client:
        tools = (await client.list_tools()).tools

    sent = [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools]
    assert {tool.name for tool in tools} == TOOLS
    assert all(tool.output_schema and tool.description for tool in tools)
    assert len(json.dumps(sent, separators=(",", ":"))) <= MAX_TOOLS_CHARACTERS


async def test_without_the_scope_goals_are_proposed_and_not_written(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")

    async with connected(scripted, ana.token) as client:
        proposed = await call(client, "suggest_goals", wish="Quiero probar mi API", count=2)
        before = (await ana.read("/v1/goals"))["items"]
        decided = await ana.client.post(
            f"/v1/interrupts/{proposed['interrupt_id']}",
            json={
                "decisions": {proposed["items"][0]["key"]: {"action": "accept"}},
                "rest": "reject",
            },
        )
        listed = await call(client, "list_goals_and_tasks")

    assert (proposed["written"], len(proposed["items"]), before) == (False, 2, [])
    assert proposed["interrupt_id"] in proposed["decide"]
    assert decided.status_code == 200
    assert [goal["title"] for goal in listed["goals"]] == [proposed["items"][0]["title"]]


async def test_with_the_scope_goals_and_tasks_are_written(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")

    async with connected(scripted, writer(ana)) as client:
        suggested = await call(client, "suggest_goals", wish="I want to test my API", count=1)
        goal_id = suggested["items"][0]["key"]
        planned = await call(client, "break_down_goal", goal_id=goal_id)
        following = await call(client, "next_task", goal_id=goal_id)
        begun = await call(
            client, "record_progress", id=following["task"]["id"], status="in_progress"
        )
        listed = await call(client, "list_goals_and_tasks", goal_id=goal_id)

    assert suggested["written"]
    assert planned["written"]
    assert {task["id"] for task in listed["tasks"]} == {item["key"] for item in planned["items"]}
    assert begun["items"][0]["detail"] == "in_progress"
    stored = await ana.read(f"/v1/tasks/{following['task']['id']}")
    assert stored["status"] == "in_progress"


async def test_without_the_scope_a_status_is_proposed(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", title="Leer sobre pytest")

    async with connected(scripted, ana.token) as client:
        proposed = await call(client, "record_progress", id=task["id"], status="in_progress")
        hours = await refusal(
            client, "record_progress", id=task["id"], status="completed", actual_hours=2
        )
    unchanged = await ana.read(f"/v1/tasks/{task['id']}")
    await ana.client.post(f"/v1/interrupts/{proposed['interrupt_id']}", json={"rest": "accept"})

    assert not proposed["written"]
    assert unchanged["status"] == "todo"
    assert (await ana.read(f"/v1/tasks/{task['id']}"))["status"] == "in_progress"
    assert "AUTH_SCOPE" in hours


@pytest.mark.parametrize("writes", [True, False])
async def test_code_is_stored_only_with_the_scope(scripted: Service, *, writes: bool) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", title="Suma", description="Examples: add(1, 2) == 3")

    async with connected(scripted, writer(ana) if writes else ana.token) as client:
        judged = await call(
            client,
            "validate_code",
            task_id=task["id"],
            code="def add(a, b):\n    return a - b\n",
            file_path="add.py",
            programming_language="python",
        )

    assert judged["passed"] is False
    assert judged["stored"] is writes
    assert len((await ana.read("/v1/snapshots"))["items"]) == writes


async def test_search_finds_only_ones_own(scripted: Service) -> None:
    ana, bruno = await scripted.sign_in("ana"), await scripted.sign_in("bruno")
    own = await ana.make("goals", title="Probar mi API con pytest")
    await bruno.make("goals", title="Probar mi API con pytest, de Bruno")

    async with connected(scripted, ana.token) as client:
        found = await call(client, "search", query="pytest API", types=["goal"])

    assert [hit["id"] for hit in found["hits"]] == [own["id"]]


async def test_somebody_elses_goal_is_not_found(scripted: Service) -> None:
    ana, bruno = await scripted.sign_in("ana"), await scripted.sign_in("bruno")
    goal = await bruno.make("goals", title="Probar mi API")

    async with connected(scripted, writer(ana)) as client:
        told = [
            await refusal(client, "next_task", goal_id=goal["id"]),
            await refusal(client, "break_down_goal", goal_id=goal["id"]),
            await refusal(client, "record_progress", id=goal["id"], status="completed"),
        ]

    assert all("NOT_FOUND" in one for one in told)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "AUTH_MISSING"),
        ({"Authorization": "Bearer not.a.token"}, "AUTH_INVALID"),
    ],
)
async def test_nobody_is_served_without_a_token(
    scripted: Service, headers: dict[str, str], code: str
) -> None:
    async with scripted.client() as client:
        answer = await client.post("/mcp", json={"jsonrpc": "2.0", "id": 1}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, code)


async def test_a_forged_scope_is_a_forged_token(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    head, _, sign = ana.token.split(".")
    claims = writer(ana).split(".")[1]

    async with scripted.client(f"{head}.{claims}.{sign}") as client:
        answer = await client.post("/mcp", json={"jsonrpc": "2.0", "id": 1})

    assert answer.status_code == 401


async def test_the_command_serves_the_same_tools_over_standard_input(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    await ana.make("goals", title="Probar mi API con pytest")

    async with listening(scripted.app) as url:
        program = StdioServerParameters(
            command=sys.executable,
            args=["-m", "api", "mcp", "--url", url],
            env={**os.environ, "GOALS_TOKEN": ana.token},
        )
        async with Client(stdio_client(program)) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            listed = await call(client, "list_goals_and_tasks")

    assert names == TOOLS
    assert [goal["title"] for goal in listed["goals"]] == ["Probar mi API con pytest"]
