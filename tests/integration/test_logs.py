"""The log has ids and no content: a canary goes through every kind of request."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import respx
import structlog
from structlog.contextvars import bind_contextvars

from api.logs import configure_logging
from tests.agents import COMPLETIONS, completion
from tests.service import Learner, Service

CANARY = "canary7c2e"
FILLINGS: dict[str, Any] = {
    "string": f"{CANARY} text",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "null": None,
}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Yield what the program writes to standard error, as it does when it serves."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    root.handlers = []
    configure_logging()
    yield written
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines_of(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def filled(schema: dict[str, Any], spec: dict[str, Any], depth: int = 0) -> Any:
    """Return a value of about this shape, with the canary wherever there is room for a text."""
    if "$ref" in schema:
        return filled(spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]], spec, depth)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return filled(schema[choice][0], spec, depth)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [filled(schema.get("items", {}), spec, depth + 1)] if depth < 6 else []
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {}) if depth < 6 else {}
        return {name: filled(each, spec, depth + 1) for name, each in properties.items()}
    return FILLINGS.get(schema.get("type", "string"), CANARY)


async def send_everything(service: Service, learner: Learner) -> int:
    """Send a canary to every route by every method, signed in and not; return how many there are.

    Once in a body that nearly fits, once in one that does not, and once in one that is no JSON.
    """
    spec = service.app.openapi()
    sent = 0
    for template, operations in spec["paths"].items():
        for method, operation in operations.items():
            path = template
            query = {}
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    path = path.replace(f"{{{parameter['name']}}}", CANARY)
                elif parameter["in"] == "query":
                    query[parameter["name"]] = CANARY
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            bodies: list[Any] = [json.dumps({CANARY: CANARY}), f'{{"{CANARY}'] if body else [None]
            if body:
                bodies.append(json.dumps(filled(body["schema"], spec)))
            for content in bodies:
                for asks in (query, {"q": "x", CANARY: CANARY}):
                    headers = {"X-Canary": CANARY, "Content-Type": "application/json"}
                    async with asyncio.timeout(20):
                        await learner.client.request(
                            method, path, params=asks, content=content, headers=headers
                        )
                    sent += 1
    async with service.client(CANARY) as stranger:
        await stranger.get(f"/v1/goals/{CANARY}", params={"q": CANARY})
        await stranger.get(f"/{CANARY}")
    return sent


async def test_what_is_sent_to_any_route_is_in_no_line(
    scripted: Service, logged: io.StringIO
) -> None:
    learner = await scripted.sign_in("ana")

    async with learner.client:
        sent = await send_everything(scripted, learner)

    lines = [line for line in lines_of(logged) if line["event"] == "request"]
    assert CANARY not in logged.getvalue()
    assert len(lines) == sent + 2
    assert {line["route"] for line in lines} >= {"/v1/goals/{goal_id}", "/v1/agui", "none"}


async def test_what_a_learner_says_and_a_model_answers_is_in_no_line(
    remote: Service, httpx2_mock: respx.MockRouter, logged: io.StringIO
) -> None:
    httpx2_mock.post(COMPLETIONS).respond(json=completion(f"{CANARY}: no JSON at all"))
    learner = await remote.sign_in("ana")
    code = {"file_path": f"{CANARY}.py", "programming_language": "python", "code": f"{CANARY}(\n"}

    async with learner.client:
        await learner.make("goals", title=CANARY)
        await learner.client.post("/v1/goals/suggest", json={"wish": CANARY, "count": 1})
        await learner.client.post("/v1/feedback", json=code)
        await learner.client.get("/v1/search", params={"q": CANARY})

    assert CANARY not in logged.getvalue()
    assert "request" in {line["event"] for line in lines_of(logged)}


async def test_what_breaks_with_a_learner_s_words_is_told_without_them(
    service: Service, ana: Learner, logged: io.StringIO
) -> None:
    @service.app.get("/broken")
    async def broken() -> None:
        raise ValueError(f"{CANARY} is refused")

    answer = await ana.client.get("/broken", headers={"X-Request-Id": "the-broken-one"})

    assert answer.status_code == 500
    assert CANARY not in logged.getvalue() + answer.text
    failed = next(line for line in lines_of(logged) if line["event"] == "request.failed")
    assert failed["request_id"] == "the-broken-one"
    assert "ValueError" in failed["exception"]


async def test_a_line_names_request_user_and_run(scripted: Service, logged: io.StringIO) -> None:
    learner = await scripted.sign_in("ana")
    async with learner.client:
        begun = await learner.client.post(
            "/v1/runs", json={"message": CANARY}, headers={"X-Request-Id": "from-the-editor"}
        )
        await learner.client.get(f"/v1/runs/{begun.json()['id']}/events")

    line = next(line for line in lines_of(logged) if line["event"] == "request")
    assert CANARY not in logged.getvalue()
    assert {key: line[key] for key in ("request_id", "user_id", "run_id", "status")} == {
        "request_id": "from-the-editor",
        "user_id": learner.id,
        "run_id": begun.json()["id"],
        "status": 202,
    }


async def test_what_a_run_logs_names_it_and_the_request_that_began_it(
    scripted: Service, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: Any, **__: Any) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr("api.runs.work._go", break_down)
    bind_contextvars(run_id="somebody-else-s")
    learner = await scripted.sign_in("ana")
    async with learner.client:
        begun = await learner.client.post(
            "/v1/runs", json={"message": CANARY}, headers={"X-Request-Id": "from-the-editor"}
        )
        run_id = begun.json()["id"]
        await learner.client.get(f"/v1/runs/{run_id}/events")

    line = next(line for line in lines_of(logged) if line["event"] == "run.failed")
    assert (line["run_id"], line["user_id"]) == (run_id, learner.id)
    assert line["request_id"] == "from-the-editor"
    assert CANARY not in logged.getvalue()
