"""A request's id, its line in the log and its counts, without a database."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from api.http_metrics import HTTP
from api.request_log import RequestLog, request_id_of
from tests.scrapes import Scrape, scrape

CANARY = "canary-9f3b"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01".encode()


def application() -> ASGIApp:
    app = FastAPI()

    @app.get("/things/{thing_id}")
    async def read(thing_id: str) -> dict[str, str]:
        return get_contextvars()

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError(CANARY)

    return RequestLog(app)


async def ask(method: str, path: str, **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=application(), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(
            method, path, headers={name.replace("_", "-"): each for name, each in headers.items()}
        )


def grown(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    key = name, frozenset(labels.items())
    return after.samples.get(key, 0.0) - before.samples.get(key, 0.0)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"x-request-id", b"3f2a-77.b_1")], "3f2a-77.b_1"),
        ([(b"traceparent", PARENT)], TRACE),
        ([(b"traceparent", PARENT), (b"x-request-id", b"mine-1234")], "mine-1234"),
    ],
)
def test_an_id_that_comes_with_the_request_is_kept(
    headers: list[tuple[bytes, bytes]], expected: str
) -> None:
    assert request_id_of(headers) == expected


@pytest.mark.parametrize(
    "value", [b"", b"short", b"x" * 65, b"two words", b"a\r\nSet-Cookie: b", "á".encode() * 8]
)
def test_an_odd_id_is_replaced(value: bytes) -> None:
    made = request_id_of([(b"x-request-id", value), (b"traceparent", value)])

    assert len(made) == 32
    assert made.encode() != value


async def test_the_answer_and_what_runs_inside_have_the_request_s_id() -> None:
    answer = await ask("GET", "/things/1", X_Request_Id="from-a-gateway")

    assert answer.headers["x-request-id"] == "from-a-gateway"
    assert answer.json()["request_id"] == "from-a-gateway"
    assert get_contextvars() == {}


async def test_a_request_is_one_line_without_what_was_sent() -> None:
    with capture_logs() as lines:
        await ask("GET", f"/things/{CANARY}?q={CANARY}", X_Odd=CANARY)

    [line] = lines
    assert {key: line[key] for key in ("event", "method", "route", "status")} == {
        "event": "request",
        "method": "GET",
        "route": "/things/{thing_id}",
        "status": 200,
    }
    assert line["ms"] >= 0
    assert CANARY not in str(line)


async def test_what_breaks_is_told_and_counted_and_answered_with_the_id() -> None:
    before = scrape(HTTP)

    with capture_logs() as lines:
        answer = await ask("GET", "/broken", X_Request_Id="the-broken-one")

    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "the-broken-one"
    assert [line["event"] for line in lines] == ["request.failed", "request"]
    labels = {"method": "GET", "route": "/broken", "status": "5xx"}
    assert grown(before, scrape(HTTP), "goals_http_requests_total", **labels) == 1


async def test_nobody_outside_can_make_series() -> None:
    await ask("GET", "/things/0")
    before = scrape(HTTP)

    for number in range(20):
        await ask("GET", f"/things/{number}")
        await ask("GET", f"/nowhere/{number}")
        await ask(f"METHOD{number}", f"/odd/{number}")

    after = scrape(HTTP)
    new = {dict(labels)["route"] for name, labels in after.samples if name.endswith("_total")}
    old = {dict(labels)["route"] for name, labels in before.samples if name.endswith("_total")}
    assert new - old <= {"none"}
    assert (
        grown(
            before,
            after,
            "goals_http_requests_total",
            method="GET",
            route="/things/{thing_id}",
            status="2xx",
        )
        == 20
    )
    assert (
        grown(
            before, after, "goals_http_requests_total", method="OTHER", route="none", status="4xx"
        )
        == 20
    )


async def test_a_request_that_the_server_gives_up_is_answered_as_one_to_send_again() -> None:
    sent: list[Any] = []
    begun = asyncio.Event()

    async def endless(_scope: Any, _receive: Any, _send: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": []}
    receive: Callable[[], Any] = asyncio.Event().wait
    request = asyncio.create_task(RequestLog(endless)(scope, receive, send))
    await begun.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request

    headers = dict(sent[0]["headers"])
    assert sent[0]["status"] == 503
    assert headers[b"retry-after"] == b"1"
    assert b'"code":"STOPPING"' in sent[1]["body"]
