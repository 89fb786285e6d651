"""The parts of `goals bench api`: the stub's answers and streams, vectors, counting, imports."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import pytest_asyncio
from pydantic import BaseModel

from agent.checks.overlap import cosine
from agent.outputs import PlannedTasks, Review, SuggestedGoals
from api.agent_bench.answers import ANSWERS, answer_as
from api.agent_bench.client import Client
from api.agent_bench.embedder import make_precomputed_embedder
from api.agent_bench.goals import GOALS, LABELS
from api.agent_bench.imports import IMPORTED
from api.agent_bench.plan import SECTIONS, Plan
from api.agent_bench.rounds import COMPLETIONS, chat_request, content_of
from api.agent_bench.streams import count_lost
from api.agent_bench.stub import Connection, Model
from api.agent_bench.yardstick import REFERENCE_MS, pace_of
from events.bench.figures import BenchFailed
from events.bench.plan import read_sections

ROOT: Final = Path(__file__).resolve().parents[2]
MODEL_LIBRARIES: Final = {"langgraph", "langchain_core", "langchain_openai", "openai"}
STOPPED: Final = """
import contextlib, threading
from pydantic import SecretStr
from api import workers
from api.settings import Settings
stop = threading.Event()
stop.set()
settings = Settings(_env_file=None).model_copy(
    update={"amqp_url": SecretStr("amqp://127.0.0.1:1/"), "lake": "/nonexistent/lake"}
)
with contextlib.suppress(Exception):
    workers.%s("postgresql+psycopg://nobody@127.0.0.1:1/none", settings, stop)
"""


@pytest_asyncio.fixture
async def stub() -> AsyncIterator[Client]:
    """Yield a client of a stub model in this process."""
    model = Model()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(model), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    client = Client(f"http://{host}:{port}")
    yield client
    await client.close()
    server.close()
    await server.wait_closed()


def imported_after(program: str) -> set[str]:
    """Return the modules that a fresh process has loaded after `program`."""
    report = "\nimport json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program + report],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("shape", [SuggestedGoals, PlannedTasks, Review])
def test_the_stub_answers_in_the_shape_that_is_asked(shape: type[BaseModel]) -> None:
    answers = [answer_as(shape.__name__, number) for number in (1, 2)]

    assert [shape.model_validate(answer).model_dump() for answer in answers] == answers
    assert answers[0] != answers[1]
    assert answer_as(shape.__name__, 1) == answers[0]


def test_the_stub_knows_every_shape_that_one_call_of_a_job_asks_for() -> None:
    shapes = {shape.__name__ for shape in (SuggestedGoals, PlannedTasks, Review)}

    assert set(ANSWERS) == shapes


async def test_a_whole_answer_comes_with_what_it_cost(stub: Client) -> None:
    asked = {"model": "m", "response_format": {"json_schema": {"name": "SuggestedGoals"}}}

    answer = await stub.post(COMPLETIONS, asked)

    said = answer.json()
    assert answer.status == 200
    assert said["choices"][0]["finish_reason"] == "stop"
    assert said["usage"]["total_tokens"] > 0
    SuggestedGoals.model_validate_json(said["choices"][0]["message"]["content"])
    assert json.loads((await stub.get("/last")).body) == asked


async def test_a_streamed_answer_comes_in_pieces_and_ends_with_its_reason(stub: Client) -> None:
    chunks = [chunk async for chunk in stub.stream(COMPLETIONS, chat_request("m"))]

    pieces = [content_of(chunk) for chunk in chunks]
    assert "".join(pieces) == answer_as(None, 1)
    assert sum(piece != "" for piece in pieces) > 1
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["total_tokens"] > 0


async def test_a_held_stream_brings_a_chunk_for_each_step(stub: Client) -> None:
    reader = Client(f"http://{stub.address}")
    await stub.post("/hold", {"steps": 3})
    stream = reader.stream(COMPLETIONS, chat_request("m"))
    pieces: list[str] = []
    for _ in range(3):
        waiting = asyncio.ensure_future(anext(stream))
        while (await stub.get("/held")).json() != {"held": 1}:
            pass
        await stub.post("/step", {})
        pieces.append(content_of(await waiting))
    await stub.post("/free", {})
    rest = [content_of(chunk) async for chunk in stream]
    await reader.close()

    assert pieces == ["1 ", "2 ", "3 "]
    assert "".join(rest) == ""


async def test_what_is_no_stream_is_told_with_its_status(stub: Client) -> None:
    with pytest.raises(BenchFailed, match="was answered 404"):
        await anext(stub.stream("/nowhere", {}))


@pytest.mark.parametrize(
    ("text", "lost"), [("1 2 3 ", 0), ("1 3 ", 2), ("1 2 ", 1), ("1 2 2 3 ", 2), ("2 1 3 ", 2)]
)
def test_chunks_that_are_missing_doubled_or_out_of_order_are_lost(text: str, lost: int) -> None:
    assert count_lost(text, 3) == lost


async def test_precomputed_vectors_are_near_each_other_and_none_is_the_same_goal() -> None:
    texts = [f"texto número {number}" for number in range(40)]
    embedder, other = make_precomputed_embedder(), make_precomputed_embedder()

    vectors = await embedder.embed_documents(texts)

    cosines = [cosine(one, two) for n, one in enumerate(vectors) for two in vectors[n + 1 :]]
    assert embedder.best_is_at_least < min(cosines)
    assert max(cosines) < embedder.same_goal
    assert np.array_equal(await other.embed_query(texts[0]), vectors[0])


def test_every_goal_is_of_figures_that_have_a_name_in_words() -> None:
    names = {name for goal in GOALS for name in (goal.figure, goal.over) if name is not None}

    assert names <= set(LABELS)
    assert set(IMPORTED) <= set(LABELS)


def test_the_pace_is_how_many_times_as_long_things_take() -> None:
    assert pace_of(REFERENCE_MS) == pytest.approx(1.0)
    assert pace_of({name: 2 * ms for name, ms in REFERENCE_MS.items()}) == pytest.approx(2.0)
    assert pace_of(REFERENCE_MS | {"yardstick.call": 8.0}) == pytest.approx(2.0)


def test_sections_are_chosen_by_name() -> None:
    assert read_sections("suggest, imports", SECTIONS) == {"suggest", "imports"}
    assert not Plan(sections=frozenset({"imports"})).needs_service
    assert Plan().needs_service
    with pytest.raises(ValueError, match="no section speed"):
        read_sections("speed", SECTIONS)


@pytest.mark.parametrize(
    ("command", "module"), [("relay", "events.relay"), ("sink", "events.lake")]
)
def test_what_carries_events_imports_no_model_library(command: str, module: str) -> None:
    loaded = imported_after(STOPPED % command)

    assert module in loaded
    assert {name.split(".")[0] for name in loaded} & MODEL_LIBRARIES == set()


@pytest.mark.parametrize("program", ["import api.app", "import api.migrations, db.embedded"])
def test_the_application_and_its_migrations_import_no_model_library(program: str) -> None:
    loaded = {name.split(".")[0] for name in imported_after(program)}

    assert loaded & MODEL_LIBRARIES == set()


async def test_a_client_connects_again_where_the_server_has_ended_the_connection() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    client = Client(f"http://{host}:{port}")

    first = await client.get("/")
    await connections[0].wait_closed()
    while not client.is_ended:  # noqa: ASYNC110 - the event is the kernel's
        await asyncio.sleep(0)
    second = await client.get("/")

    await client.close()
    server.close()
    assert (first.status, second.status, len(connections)) == (200, 200, 2)
