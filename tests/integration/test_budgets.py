"""What models may take: refused before a model is asked, counted whatever becomes of the run."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from agent.models import ChatModel
from agent.scripted import ScriptedTutor
from tests.agents import opened
from tests.service import Service
from tests.talkers import Turn, frames, played

CODE = {"file_path": "a.py", "programming_language": "python", "code": "x = 1\n"}
WISH = {"wish": "Quiero probar mi API", "count": 2}


@contextlib.asynccontextmanager
async def limited(
    service: Service, chat: ChatModel | None = None, **settings: Any
) -> AsyncIterator[Service]:
    """Yield the application with other limits."""
    services = replace(
        service.services, settings=service.services.settings.model_copy(update=settings)
    )
    async with opened(services, chat or ChatModel("scripted", ScriptedTutor())) as complete:
        yield complete


class Broken(ScriptedTutor):
    """A model that breaks on every call."""

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no answer")


async def test_a_request_beyond_the_day_is_refused_and_writes_nothing(service: Service) -> None:
    async with limited(service, day_calls=2, run_calls=2) as complete:
        ana = await complete.sign_in("ana")

        first = await ana.client.post("/v1/goals/suggest", json=WISH)
        second = await ana.client.post("/v1/goals/suggest", json=WISH)

        assert first.status_code == 201
        assert (second.status_code, second.json()["code"]) == (429, "BUDGET_EXCEEDED")
        assert int(second.headers["Retry-After"]) > 0
        assert await complete.count("select count(*) from goals") == 2
        calls = (await ana.read("/v1/usage"))["calls"]
        assert calls == {"used": 1, "reserved": 0, "limit": 2, "remaining": 1}


async def test_evidence_for_a_request_beyond_the_day_is_given_up(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = asyncio.Event()

    async def collect_for_ever(*_arguments: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    async with limited(service, day_calls=0) as complete:
        ana = await complete.sign_in("ana")
        monkeypatch.setattr("agent.nodes.validate.with_evidence", collect_for_ever)

        answer = await ana.client.post("/v1/feedback", json=CODE)

        assert (answer.status_code, answer.json()["code"]) == (429, "BUDGET_EXCEEDED")
        await asyncio.wait_for(given_up.wait(), 60)


async def test_the_budget_of_one_is_not_that_of_another(service: Service) -> None:
    async with limited(service, day_calls=1, run_calls=1) as complete:
        ana, bruno = await complete.sign_in("ana"), await complete.sign_in("bruno")

        answers = [
            await learner.client.post("/v1/goals/suggest", json=WISH) for learner in (ana, bruno)
        ]

        assert [answer.status_code for answer in answers] == [201, 201]


async def test_a_run_that_failed_gives_back_what_it_did_not_use(service: Service) -> None:
    async with limited(service, ChatModel("broken", Broken())) as complete:
        ana = await complete.sign_in("ana")

        answer = await ana.client.post("/v1/goals/suggest", json=WISH)

        assert answer.status_code == 502
        tokens = (await ana.read("/v1/usage"))["tokens"]
        assert (tokens["used"], tokens["reserved"]) == (0, 0)


async def test_a_run_that_calls_too_often_is_stopped_by_its_own_budget(service: Service) -> None:
    again = played(Turn(calls=[("search_goals", {"query": "x"})]))
    async with limited(service, again, run_calls=2) as complete:
        ana = await complete.sign_in("ana")
        begun = (await ana.client.post("/v1/runs", json={"message": "busca"})).json()

        async with ana.client.stream("GET", f"/v1/runs/{begun['id']}/events") as answer:
            [*_, last] = [frame.json async for frame in frames(answer)]

        assert (last["type"], last["code"]) == ("run_failed", "BUDGET_EXCEEDED")
        assert last["usage"]["calls"] == 2
        assert (await ana.read("/v1/usage"))["calls"]["used"] == 2


async def test_costs_are_known_where_prices_are(service: Service) -> None:
    async with limited(service, input_price=1, output_price=2) as complete:
        ana = await complete.sign_in("ana")
        answer = (await ana.client.post("/v1/goals/suggest", json=WISH)).json()

        total = (await ana.read("/v1/usage"))["total"]

        tokens = answer["tokens"]
        assert float(total["cost"]) == (tokens["input"] + 2 * tokens["output"]) / 1e6
