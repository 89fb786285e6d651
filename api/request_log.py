"""Around every request: its id, one line in the log, its counts and its span.

Nothing that was sent is told: no query string, no body, no header but the request's id, and of the
path only the route's template.
"""

import asyncio
import os
import re
import time
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_response
from api.tracing import http_span
from tools.errors import Stopping
from tools.logs import LazyLogger

REQUEST_ID: Final = b"x-request-id"
TRACE_PARENT: Final = b"traceparent"
SANE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
SANE_PARENT: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD: Final = "OTHER"
NO_ROUTE: Final = "none"
BOUND: Final = ("request_id", "user_id", "run_id")
STOPPED: Final = Stopping("this server stops before it could answer: send it again")

log = LazyLogger("api.requests")


class RequestLog:
    """ASGI middleware, the outermost: also what breaks everything else is counted and told."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        import structlog

        from api import http_metrics

        self._app = app
        self._counts = http_metrics
        self._context = structlog.contextvars
        self._has_log = structlog.is_configured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its id, and tell how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        request_id = request_id_of(scope["headers"])
        before = self._context.get_contextvars()
        self._context.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        answer = _Answer(send, request_id.encode())
        self._counts.IN_PROGRESS.inc()
        try:
            with http_span(scope) as span:
                try:
                    await self._app(scope, receive, answer.send)
                finally:
                    span.end(method=_method(scope), route=_route(scope), status=answer.status)
        except asyncio.CancelledError:
            if answer.begun is None:  # the server's patience with it is over
                await problem_response(STOPPED)(scope, receive, answer.send)
            raise
        except Exception:
            log.exception("request.failed", method=_method(scope), route=_route(scope))
            if not answer.complete:
                raise
        finally:
            self._counts.IN_PROGRESS.dec()
            self._tell(scope, answer, started)
            self._context.unbind_contextvars(*BOUND)
            self._context.bind_contextvars(**before)

    def _tell(self, scope: Scope, answer: "_Answer", started: float) -> None:
        ended = time.perf_counter()
        method, route = _method(scope), _route(scope)
        series = self._counts.series_of(method, route, status_class(answer.status))
        series.requests.inc()
        series.seconds.observe((answer.begun or ended) - started)
        if not self._has_log():  # asked in the process of a command, whose output is its own
            return
        log.info(
            "request",
            method=method,
            route=route,
            status=answer.status,
            ms=round((ended - started) * 1_000, 1),
            **({} if answer.complete else {"aborted": True}),
        )


class _Answer:
    """What is sent: gets the request's id as a header, and is remembered by its status."""

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None
        self.begun: float | None = None
        self.complete = False

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.begun = time.perf_counter()
            self.status = message["status"]
            headers = [*message.get("headers", ()), (REQUEST_ID, self._request_id)]
            message = {**message, "headers": headers}
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True


def request_id_of(headers: list[tuple[bytes, bytes]]) -> str:
    """Return the id that the request came with, its trace's, or a new one.

    An `X-Request-Id` is taken as it is where it has 8 to 64 letters, digits, dots, lines and
    underscores; what is longer or odd may be anything, also somebody's secret.
    """
    trace_id = None
    for name, value in headers:
        if name == REQUEST_ID and SANE_ID.fullmatch(value):
            return value.decode()
        if name == TRACE_PARENT and (parent := SANE_PARENT.fullmatch(value)):
            trace_id = parent[1].decode()
    return trace_id or os.urandom(16).hex()


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in METHODS else OTHER_METHOD


def status_class(status: int | None) -> str:
    """Return `2xx` and the like, `aborted` where no answer was begun."""
    return "aborted" if status is None else f"{status // 100}xx"


def _route(scope: Scope) -> str:
    """Return the template of the route that took the request, never the path that was asked."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or NO_ROUTE
