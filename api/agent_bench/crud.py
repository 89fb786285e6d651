"""Plain reads and writes: the service beside a bare route with the same statements, in turns."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.agent_bench.client import Client, Response
from api.agent_bench.learners import NEW_TITLE, Learner
from api.agent_bench.plan import CONCURRENCIES
from events.bench.figures import BenchFailed, percentile

NEW: Final = {"title": NEW_TITLE, "description": "Con pruebas para cada error."}
_titles: Final = itertools.count()

Send = Callable[[Client, Learner], Awaitable[Response]]


@dataclass(frozen=True)
class Party:
    """Who is asked: where, below which path, and what signs a learner's requests."""

    name: str
    url: str
    prefix: str
    is_bare: bool

    def token(self, learner: Learner) -> str:
        """Return what goes into `Authorization`."""
        return learner.user_id if self.is_bare else learner.token

    def requests(self) -> Mapping[str, tuple[Send, int]]:
        """Return each kind of request and the status that it ends with."""

        def get(client: Client, learner: Learner) -> Awaitable[Response]:
            path = f"{self.prefix}/goals/{learner.goal_id}"
            return client.get(path, token=self.token(learner))

        def page(client: Client, learner: Learner) -> Awaitable[Response]:
            return client.get(f"{self.prefix}/goals?limit=20", token=self.token(learner))

        def post(client: Client, learner: Learner) -> Awaitable[Response]:
            path, token = f"{self.prefix}/goals", self.token(learner)
            return client.post(path, NEW, token=token, keyed=False)

        def patch(client: Client, learner: Learner) -> Awaitable[Response]:
            path, title = f"{self.prefix}/goals/{learner.goal_id}", f"Título {next(_titles)}"
            return client.patch(path, {"title": title}, token=self.token(learner))

        return {"get": (get, 200), "page": (page, 200), "post": (post, 201), "patch": (patch, 200)}


async def measure_crud(
    parties: Sequence[Party], learners: Sequence[Learner], *, requests: int
) -> dict[str, float]:
    """Return requests a second and percentiles of their times, by kind, party and concurrency.

    Raises BenchFailed for another answer than the expected one.
    """
    figures: dict[str, float] = {}
    for kind in parties[0].requests():
        for at_once in CONCURRENCIES:
            for party in parties:
                name = f"crud.{kind}.{party.name}.{at_once}"
                figures |= await _measure(
                    party, kind, learners, at_once=at_once, requests=requests, name=name
                )
    return figures


async def _measure(
    party: Party,
    kind: str,
    learners: Sequence[Learner],
    *,
    at_once: int,
    requests: int,
    name: str,
) -> dict[str, float]:
    send, status = party.requests()[kind]
    left = iter(range(requests))
    turns = itertools.cycle(learners)
    clients = [Client(party.url) for _ in range(at_once)]
    taken: list[float] = []

    async def work(client: Client) -> None:
        for _ in left:
            learner = next(turns)
            started = time.perf_counter()
            answer = await send(client, learner)
            taken.append(time.perf_counter() - started)
            if answer.status != status:
                said = answer.body[:300].decode("utf-8", "replace")
                raise BenchFailed(f"{name}: a request was answered {answer.status}: {said}")

    try:
        for client, learner in zip(clients, turns, strict=False):
            await send(client, learner)
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(work(client))
        seconds = time.perf_counter() - started
    except* BenchFailed as failed:
        raise failed.exceptions[0] from None
    finally:
        for client in clients:
            await client.close()
    return {
        f"{name}.rps": requests / seconds,
        f"{name}.p50": percentile(taken, 0.5) * 1e3,
        f"{name}.p95": percentile(taken, 0.95) * 1e3,
    }
