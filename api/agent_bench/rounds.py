"""One round: request by request in turns, so that ours and its limits meet the same machine."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from api.agent_bench.client import Client, Response
from api.agent_bench.learners import CODE, WISH, Learner
from api.agent_bench.plan import AT_ONCE, EVIDENCE
from events.bench.figures import BenchFailed, percentile

COMPLETIONS: Final = "/v1/chat/completions"
SUGGEST: Final = "/v1/goals/suggest"
Figures = dict[str, float]


@dataclass(frozen=True)
class Addresses:
    """Where the processes listen; those that no section needs are None."""

    service: str
    stub: str
    peer: str | None
    bare: str | None = None


@dataclass
class Parties:
    """An open connection to each, and whose turn it is."""

    addresses: Addresses
    service: Client
    stub: Client
    turns: Iterator[Learner] = field(repr=False)


@asynccontextmanager
async def open_parties(addresses: Addresses, learners: Sequence[Learner]) -> AsyncIterator[Parties]:
    """Yield a connection to the service and one to the stub."""
    service, stub = Client(addresses.service), Client(addresses.stub)
    try:
        yield Parties(addresses, service, stub, itertools.cycle(learners))
    finally:
        await service.close()
        await stub.close()


async def measure_suggest(parties: Parties, *, requests: int) -> Figures:
    """Return what a suggestion takes, and what of it is the model."""
    call = await _model_call(parties, await _suggest(parties))
    whole, bare = [], []
    for _ in range(requests):
        bare.append(await _time_stub(parties, call))
        started = time.perf_counter()
        await _suggest(parties)
        whole.append(time.perf_counter() - started)
    return _split("suggest", whole, bare, whole)


async def measure_validate(parties: Parties, *, requests: int) -> Figures:
    """Return what a verdict takes, and what of it is the model and the evidence."""
    call = await _model_call(parties, await _validate(parties))
    whole, bare, evidence = [], [], []
    for _ in range(requests):
        bare.append(await _time_stub(parties, call))
        started = time.perf_counter()
        answer = await _validate(parties)
        whole.append(time.perf_counter() - started)
        evidence.append(float(answer.headers[EVIDENCE]))
    rest = [all_of_it - part for all_of_it, part in zip(whole, evidence, strict=True)]
    figures = _split("validate", whole, bare, rest)
    return figures | {"validate.evidence.p50": percentile(evidence, 0.5) * 1e3}


async def measure_throughput(parties: Parties, *, burst: int, peer_first: bool) -> Figures:
    """Return the requests a second of the service and of its peer, and the peer's time alone."""
    assert parties.addresses.peer is not None, "the throughput is measured beside the peer"
    peer = Client(parties.addresses.peer)
    try:
        taken = [await _time_peer(peer) for _ in range(AT_ONCE)]
    finally:
        await peer.close()

    async def suggest(client: Client) -> None:
        _check(await client.post(SUGGEST, WISH, token=next(parties.turns).token), 201)

    figures = {"peer.p50": percentile(taken, 0.5) * 1e3}
    ways = {
        "suggest.rps": (parties.addresses.service, suggest),
        "peer.rps": (parties.addresses.peer, _time_peer),
    }
    for name in sorted(ways, reverse=not peer_first):
        url, send = ways[name]
        figures[name] = await _rate(url, send, burst=burst)
    return figures


async def measure_first_token(parties: Parties, *, requests: int, model: str) -> Figures:
    """Return after how long a chat's first token is there, and after how long the stub's."""
    asked = chat_request(model)
    ours, bare = [], []
    for _ in range(requests):
        bare.append(await _first_token(parties.stub, asked, token=None))
        ours.append(await _first_token(parties.service, asked, token=next(parties.turns).token))
    figures = {"first_token.ours": ours, "first_token.stub": bare}
    made = {name: percentile(values, 0.5) * 1e3 for name, values in figures.items()}
    return made | {"first_token.added": made["first_token.ours"] - made["first_token.stub"]}


def chat_request(model: str) -> dict[str, Any]:
    """Return a message that asks for nothing but words, streamed."""
    said = "¿Qué es un iterador en Python?"
    return {"model": model, "stream": True, "messages": [{"role": "user", "content": said}]}


def content_of(chunk: Mapping[str, Any]) -> str:
    """Return the text that a streamed chunk adds, perhaps none."""
    return "".join(choice["delta"].get("content") or "" for choice in chunk.get("choices", ()))


async def _first_token(client: Client, asked: Any, *, token: str | None) -> float:
    started = time.perf_counter()
    taken: float | None = None
    async for chunk in client.stream(COMPLETIONS, asked, token=token):
        if taken is None and content_of(chunk):
            taken = time.perf_counter() - started
    if taken is None:
        raise BenchFailed("a stream ended without a token")
    return taken


async def _suggest(parties: Parties) -> Response:
    learner = next(parties.turns)
    return _check(await parties.service.post(SUGGEST, WISH, token=learner.token), 201)


async def _validate(parties: Parties) -> Response:
    learner = next(parties.turns)
    path = f"/v1/tasks/{learner.task_id}/validate"
    return _check(await parties.service.post(path, CODE, token=learner.token), 201)


async def _model_call(parties: Parties, answer: Response) -> bytes:
    """Return the body of the one call of the model behind `answer`."""
    calls = answer.json()["tokens"]["calls"]
    if calls != 1:
        raise BenchFailed(f"a request has made {calls} calls of the model, and one is measured")
    return (await parties.stub.get("/last")).body


async def _time_stub(parties: Parties, call: bytes) -> float:
    started = time.perf_counter()
    _check(await parties.stub.post(COMPLETIONS, call), 200)
    return time.perf_counter() - started


async def _time_peer(peer: Client) -> float:
    started = time.perf_counter()
    _check(await peer.post("/suggest", {"wish": WISH["wish"]}), 200)
    return time.perf_counter() - started


async def _rate(url: str, send: Any, *, burst: int) -> float:
    """Return how many of `burst` requests a second are answered, `AT_ONCE` at once."""
    left = iter(range(burst))
    clients = [Client(url) for _ in range(AT_ONCE)]

    async def work(client: Client) -> None:
        for _ in left:
            await send(client)

    try:
        started = time.perf_counter()
        await asyncio.gather(*(work(client) for client in clients))
        return burst / (time.perf_counter() - started)
    finally:
        for client in clients:
            await client.close()


def _split(
    name: str, whole: Sequence[float], bare: Sequence[float], rest: Sequence[float]
) -> Figures:
    """Return percentiles in milliseconds; `rest` is the part of `whole` that has the model in it.

    The model's part is taken off at its median: its own spread is not ours.
    """
    stub = percentile(bare, 0.5) * 1e3
    return {
        f"{name}.whole.p50": percentile(whole, 0.5) * 1e3,
        f"{name}.whole.p95": percentile(whole, 0.95) * 1e3,
        f"{name}.stub.p50": stub,
        f"{name}.added.p50": percentile(rest, 0.5) * 1e3 - stub,
        f"{name}.added.p95": percentile(rest, 0.95) * 1e3 - stub,
    }


def _check(response: Response, status: int) -> Response:
    if response.status != status:
        said = response.body[:300].decode("utf-8", "replace")
        raise BenchFailed(f"a request was answered {response.status}: {said}")
    return response
