"""Real clients, unchanged, against a real port; `make test-clients` installs them."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.agents import opened
from tests.service import Learner, Service
from tests.talkers import Turn, listening, played

FOLDER: Final = Path(__file__).parent
SECONDS: Final = 60
PROPOSE: Final = Turn(calls=[("propose_goals", {"wish": "probar mi API", "count": 2})])


class Clients:
    """A service that proposes goals, and the programs that talk with it."""

    def __init__(self, service: Service, learner: Learner, url: str) -> None:
        self.service = service
        self.learner = learner
        self._url = url

    async def run(self, program: str) -> Any:
        """Run one of the programs and return the JSON that it prints."""
        token = self.learner.client.headers["Authorization"].removeprefix("Bearer ")
        process = await asyncio.create_subprocess_exec(
            "node",
            str(FOLDER / program),
            self._url,
            token,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return json.loads(out)


@pytest_asyncio.fixture
async def clients(service: Service) -> AsyncIterator[Clients]:
    """Yield the programs and a service for them; skip where they are not installed."""
    if shutil.which("node") is None or not (FOLDER / "node_modules").exists():
        pytest.skip("node, or what `make test-clients` installs for it, is not there")
    chat = played(PROPOSE)
    async with opened(service.services, chat) as complete, listening(complete.app) as url:
        learner = await complete.sign_in("ana")
        async with learner.client:
            yield Clients(complete, learner, url)


async def test_ag_uis_client_plans_and_decides(clients: Clients) -> None:
    found = await clients.run("agui.mjs")

    assert found["first"][0] == "RUN_STARTED"
    assert found["first"][-1] == "RUN_FINISHED"
    assert "STATE_SNAPSHOT" in found["first"]
    assert "TOOL_CALL_RESULT" in found["first"]
    assert "STATE_DELTA" in found["second"]
    [goal] = (await clients.learner.read("/v1/goals"))["items"]
    assert found["state"]["plan"]["written"] == [goal["id"]]
    assert goal["title"] in found["messages"][-1]["content"]


async def test_openais_javascript_client_plans_and_decides(clients: Clients) -> None:
    found = await clients.run("chat.mjs")

    assert found["model"] == "goals-planner"
    assert found["usage"]["total_tokens"] > 0
    goals = (await clients.learner.read("/v1/goals"))["items"]
    assert len(goals) == 2
    assert all(goal["title"] in found["answer"] for goal in goals)
    assert (found["refused"]["status"], found["refused"]["code"]) == (409, "INTERRUPT_STALE")
    assert "answered already" in found["refused"]["message"]


async def test_mcps_javascript_client_calls_the_tools(clients: Clients) -> None:
    await clients.learner.make("goals", title="Probar mi API")

    found = await clients.run("mcp.mjs")

    assert len(found["tools"]) == 7
    assert found["goals"] == ["Probar mi API"]
    assert found["missing"]["isError"]
    assert "NOT_FOUND" in found["missing"]["text"]
