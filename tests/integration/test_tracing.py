"""Traces, into memory: their names and attributes, and that nothing of them is there when off."""

import ast
import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import respx
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode

from agent import tracing
from agent.tracing import trace_with
from api.settings import Settings
from api.tracing import trace_database, traced
from db.engine import make_engine
from tests.agents import COMPLETIONS, completion, opened, said, suggested
from tests.service import Learner, Service
from tests.talkers import Turn, played
from tools.errors import SetupError

ROOT = Path(__file__).resolve().parents[2]
CANARY = "canary-6d19"
WISH = {"wish": CANARY, "count": 1}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass(frozen=True)
class Traces:
    """What was traced so far."""

    exporter: InMemorySpanExporter

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span

    def text(self) -> str:
        return "".join(span.to_json() for span in self.exporter.get_finished_spans())


@pytest.fixture
def traces() -> Iterator[Traces]:
    """Yield the traces of the test, without what was said."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace_with(provider.get_tracer("tests"))
    yield Traces(exporter)
    trace_with(None)
    provider.shutdown()


@pytest.fixture
def contents(traces: Traces) -> Traces:
    """Return the traces of the test, with what was said."""
    trace_with(tracing.current_tracer(), content=True)
    return traces


@dataclass
class Collector:
    """A collector of traces: what it was sent."""

    url: str
    paths: list[str]
    bodies: list[bytes]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Yield a collector that listens on this machine."""
    paths: list[str] = []
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Collector(f"http://127.0.0.1:{server.server_port}", paths, bodies)
        server.shutdown()
        thread.join()


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    span_id: int = span.context.span_id
    return span_id


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def suggest(service: Service) -> Learner:
    learner = await service.sign_in("ana")
    async with learner.client:
        await learner.client.post("/v1/goals/suggest", json=WISH, headers={"traceparent": PARENT})
    return learner


async def test_a_job_is_an_agent_s_run_in_its_request_in_its_sender_s_trace(
    remote: Service, httpx2_mock: respx.MockRouter, traces: Traces
) -> None:
    httpx2_mock.post(COMPLETIONS).mock(return_value=said(suggested("Probar")))

    await suggest(remote)

    request = traces.one("POST /v1/goals/suggest")
    run, call = traces.one("invoke_agent goals-planner"), traces.one("chat m")
    assert [parent_of(run), parent_of(call)] == [id_of(request), id_of(run)]
    assert request.context is not None
    assert f"{request.context.trace_id:032x}" == PARENT.split("-")[1]
    assert [request.kind, run.kind, call.kind] == [
        SpanKind.SERVER,
        SpanKind.INTERNAL,
        SpanKind.CLIENT,
    ]
    assert attributes_of(request) == {
        "url.scheme": "http",
        "http.request.method": "POST",
        "http.route": "/v1/goals/suggest",
        "http.response.status_code": 201,
    }
    assert attributes_of(run) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "goals-planner",
        "goals.run.kind": "suggest_goals",
    }
    asked = attributes_of(call)
    assert asked.pop("gen_ai.request.max_tokens") > 0
    assert asked == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.output.type": "json",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
    }


async def test_nothing_that_was_said_is_traced_unless_that_is_asked_for(
    remote: Service, httpx2_mock: respx.MockRouter, traces: Traces
) -> None:
    httpx2_mock.post(COMPLETIONS).mock(return_value=said(suggested(CANARY)))

    learner = await suggest(remote)
    async with remote.client() as client:
        await client.get(f"/v1/goals/{CANARY}", params={"q": CANARY})

    assert len(traces.named("GET /v1/goals/{goal_id}")) == 1
    assert CANARY not in traces.text()
    assert learner.id not in traces.text()


async def test_what_was_said_is_traced_where_that_is_asked_for(
    remote: Service, httpx2_mock: respx.MockRouter, contents: Traces
) -> None:
    httpx2_mock.post(COMPLETIONS).mock(return_value=said(suggested(CANARY)))

    await suggest(remote)

    asked = attributes_of(contents.one("chat m"))
    assert CANARY in asked["gen_ai.input.messages"]
    [answer] = json.loads(asked["gen_ai.output.messages"])
    assert answer["role"] == "assistant"
    assert CANARY in answer["parts"][0]["content"]


async def test_a_call_that_failed_has_the_error_s_code_and_none_of_its_words(
    remote: Service, httpx2_mock: respx.MockRouter, traces: Traces
) -> None:
    httpx2_mock.post(COMPLETIONS).respond(json=completion(CANARY, finish="length"))

    await suggest(remote)

    call, run = traces.one("chat m"), traces.one("invoke_agent goals-planner")
    for span in (call, run):
        assert attributes_of(span)["error.type"] == "LLM_TRUNCATED"
        assert span.status.status_code is StatusCode.ERROR
        assert (span.status.description, span.events) == (None, ())


async def test_a_talk_s_run_has_its_ids_and_each_tool_a_span(
    service: Service, traces: Traces
) -> None:
    search = Turn(calls=[("search_goals", {"query": CANARY})])

    async with opened(service.services, played(search, Turn(text=["Nada"]))) as complete:
        learner = await complete.sign_in("ana")
        async with learner.client:
            begun = (await learner.client.post("/v1/runs", json={"message": CANARY})).json()
            await learner.client.get(f"/v1/runs/{begun['id']}/events")

    run, tool = traces.one("invoke_agent goals-planner"), traces.one("execute_tool search_goals")
    assert attributes_of(run)["goals.run.id"] == begun["id"]
    assert attributes_of(run)["gen_ai.conversation.id"] == begun["thread_id"]
    assert parent_of(run) == id_of(traces.one("POST /v1/runs"))
    assert parent_of(tool) == id_of(run)
    assert attributes_of(tool) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search_goals",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": attributes_of(tool)["gen_ai.tool.call.id"],
    }
    assert len(traces.named("chat played")) == 2
    assert CANARY not in traces.text()


async def test_a_transaction_is_one_span_without_its_sql(database_url: str, traces: Traces) -> None:
    engine = make_engine(database_url)
    trace_database(engine)

    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"select '{CANARY}'")
        await connection.exec_driver_sql("select 2")
    await engine.dispose()

    span = traces.one("postgresql transaction")
    assert attributes_of(span) == {"db.system.name": "postgresql"}
    assert CANARY not in traces.text()


def test_the_names_are_those_of_the_conventions() -> None:
    ours = {name for name in vars(tracing).values() if str(name).startswith("gen_ai.")}
    theirs = {name for name in vars(gen_ai_attributes).values() if isinstance(name, str)}

    assert ours <= theirs
    assert len(ours) >= 16


def test_the_names_are_in_one_file() -> None:
    with_names = [
        path.relative_to(ROOT).as_posix()
        for package in ("agent", "api", "db", "events", "tools")
        for path in sorted((ROOT / package).rglob("*.py"))
        if any(
            isinstance(node, ast.Constant) and str(node.value).startswith("gen_ai.")
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]

    assert with_names == ["agent/tracing.py"]


def test_off_nothing_of_it_is_imported() -> None:
    program = (
        "import sys; from api.app import create_app; from api.tracing import traced;"
        "from api.settings import Settings; import agent.run, agent.talk, api.serve\n"
        "with traced(Settings(_env_file=None)): pass\n"
        "print(sorted(name for name in sys.modules if name.startswith("
        "('opentelemetry.sdk', 'opentelemetry.exporter', 'opentelemetry.proto', 'google.'))))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"LANGGRAPH_STRICT_MSGPACK": "true"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"


def test_where_it_is_asked_for_and_not_installed_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    settings = Settings(_env_file=None, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")

    with (
        pytest.raises(SetupError, match=r"pip install 'ai-goals-tracker-agent\[otel\]'"),
        traced(settings),
    ):
        pass


def test_with_an_address_spans_are_sent_there(collector: Collector) -> None:
    settings = Settings(_env_file=None, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)

    with traced(settings), tracing.chat("m", [], output="text"):
        pass

    assert tracing.current_tracer() is None
    assert collector.paths == ["/v1/traces"]
    assert b"chat m" in collector.bodies[0]
    assert b"ai-goals-tracker" in collector.bodies[0]
