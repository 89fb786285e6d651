"""Model calls that hang hold nothing: neither a connection, nor whoever asks for something else."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx2
import pytest
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import ConfigDict

from agent.models import ChatModel
from agent.scripted import ScriptedTutor
from agent.scripted_talk import talk_by_rule
from db.engine import make_engine, make_sessions
from tests.agents import opened
from tests.ownership import key_of
from tests.service import Learner, Service

CALLS: Final = 64
POOL: Final = 5
AT_ONCE: Final = 3
"""Requests that begin at the same time, and others that go on: fewer than the pool has."""
PATIENCE: Final = 30
CODE: Final = {"file_path": "a.rb", "programming_language": "ruby", "code": "puts 1\n"}
NEEDED: Final = {"breakdown": "goals", "validate": "tasks"}
"""What must be there before the request."""
KINDS: Final = ("suggest", "breakdown", "validate", "agui", "completion", "streamed")


@dataclass
class Gate:
    """Holds every call until it is opened, and tells how many it holds."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    held: int = 0

    async def hold(self) -> None:
        """Wait until the gate is open."""
        async with self.arrived:
            self.held += 1
            self.arrived.notify_all()
        await self.opened.wait()

    async def holds(self, calls: int) -> None:
        """Wait until so many calls are held."""
        async with asyncio.timeout(PATIENCE), self.arrived:
            await self.arrived.wait_for(lambda: self.held >= calls)


class HeldTutor(ScriptedTutor):
    """The scripted tutor, who says nothing before the gate is open."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    gate: Gate

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await self.gate.hold()
        return self._generate(messages, stop, None, **kwargs)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        await self.gate.hold()
        for chunk in talk_by_rule(messages):
            yield chunk


@dataclass(frozen=True)
class Hung:
    """A service over a small pool whose model says nothing before the gate is open."""

    service: Service
    pool: Any
    gate: Gate


@contextlib.asynccontextmanager
async def hanging(service: Service) -> AsyncIterator[Hung]:
    """Yield the service with its small pool."""
    engine = make_engine(service.services.app_url, pool_size=POOL, pool_timeout=PATIENCE)
    gate = Gate()
    try:
        services = replace(service.services, sessions=make_sessions(engine))
        async with opened(services, ChatModel("held", HeldTutor(gate=gate))) as complete:
            try:
                yield Hung(complete, engine.pool, gate)
            finally:
                gate.opened.set()
    finally:
        await engine.dispose()


async def ask(learner: Learner, kind: str, made: str | None) -> httpx2.Response:
    """Send a request of this kind, for which a model is asked, about what was made for it."""
    said = {"role": "user", "content": "Quiero aprender async en Python"}
    agui: dict[str, Any] = {"state": {}, "tools": [], "context": [], "forwardedProps": {}}
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "suggest": ("goals/suggest", {"wish": "probar mi API"}),
        "breakdown": (f"goals/{made}/breakdown", {}),
        "validate": (f"tasks/{made}/validate", CODE),
        "agui": (
            "agui",
            {"threadId": "t", "runId": "r", "messages": [{"id": "m", **said}], **agui},
        ),
        "completion": ("chat/completions", {"messages": [said]}),
        "streamed": ("chat/completions", {"messages": [said], "stream": True}),
    }
    path, body = asked[kind]
    return await learner.client.post(f"/v1/{path}", json=body, headers=key_of(f"{kind}-1"))


async def begin(hung: Hung, kinds: Iterable[str]) -> list[asyncio.Task[httpx2.Response]]:
    """Begin `CALLS` requests of different learners, and return them when all models hang."""
    asked: list[asyncio.Task[httpx2.Response]] = []
    for number, kind in zip(range(CALLS), itertools.cycle(kinds), strict=False):
        learner = await hung.service.sign_in(f"learner{number}")
        noun = NEEDED.get(kind)
        made = None if noun is None else (await learner.make(noun, title="Aprender"))["id"]
        asked.append(asyncio.create_task(ask(learner, kind, made)))
        if len(asked) % AT_ONCE == 0:
            await hung.gate.holds(len(asked))
    await hung.gate.holds(CALLS)
    return asked


async def is_idle(service: Service, hung: Hung) -> bool:
    """Tell whether no connection to the database is lent, or in a transaction."""
    busy = "state <> 'idle' and pid <> pg_backend_pid() and backend_type = 'client backend'"
    others = f"select count(*) from pg_stat_activity where datname = current_database() and {busy}"
    in_use = await service.count(others)
    return in_use == 0 and hung.pool.checkedout() == 0


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(KINDS, id="of-all-kinds"),
        *(pytest.param((kind,), id=kind, marks=pytest.mark.faults) for kind in KINDS),
    ],
)
async def test_64_model_calls_that_hang_hold_no_connection_and_nobody_else(
    service: Service, kinds: tuple[str, ...]
) -> None:
    async with hanging(service) as hung:
        asked = await begin(hung, kinds)
        other = await hung.service.sign_in("other")

        async with asyncio.timeout(PATIENCE):
            while not await is_idle(
                service, hung
            ):  # what the runs' keeper asks now and then comes between
                pass
        hung.pool._timeout = 0  # whoever would have to wait for a connection gets a 503
        answers = [
            answer
            for _ in range(10)
            for answer in await asyncio.gather(
                other.client.post("/v1/goals", json={"title": "Leer"}, headers=key_of("goal")),
                other.client.get("/v1/goals"),
                other.client.get("/v1/search", params={"q": "async"}),
            )
        ]
        still_hanging = [request for request in asked if not request.done()]
        hung.pool._timeout = PATIENCE
        hung.gate.opened.set()
        done = await asyncio.gather(*asked)

    assert {answer.status_code for answer in answers} == {200, 201}
    assert len(still_hanging) == CALLS
    assert {answer.status_code for answer in done} <= {200, 201}, [each.text for each in done]
    assert all(b"RUN_ERROR" not in answer.content for answer in done)
