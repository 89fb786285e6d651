"""`goals serve` with two changes: vectors cost nothing, and an answer says what evidence took.

Evidence (analyzers, and programs of the learner that are run) takes as long as the code wants. It
is timed inside each request, so that the rest is what the request added to it and to the model.
"""

import contextlib
import time
from contextvars import ContextVar
from typing import Any, Final
from unittest import mock

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import agent.nodes.validate
import agent.submissions
import api.app
import tools.embedders
from agent.state import Json
from agent.words import Language
from api.agent_bench.children import end_with_parent
from api.agent_bench.embedder import make_precomputed_embedder
from api.agent_bench.plan import EVIDENCE
from api.bootstrap import Services
from api.serve import run_server
from api.settings import Settings
from tools.embedders import Embedder

_taken: Final[ContextVar[list[float] | None]] = ContextVar("taken", default=None)
_create_app: Final = api.app.create_app
_with_evidence: Final = agent.submissions.with_evidence


class EvidenceClock:
    """Adds a header with the seconds that evidence took in the request, where it took any."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        taken: list[float] = []
        _taken.set(taken)

        async def send_with_time(message: Message) -> None:
            if message["type"] == "http.response.start" and taken:
                message["headers"].append((EVIDENCE.encode(), f"{sum(taken):.6f}".encode()))
            await send(message)

        await self._app(scope, receive, send_with_time)


async def timed_evidence(request: Json, subject: Json, language: Language) -> Json:
    """Collect the evidence and note how long it took."""
    started = time.perf_counter()
    collected = await _with_evidence(request, subject, language)
    taken = _taken.get()
    if taken is not None:
        taken.append(time.perf_counter() - started)
    return collected


def create_timed_app(services: Services) -> FastAPI:
    """Return the application with the clock around it."""
    app = _create_app(services)
    app.add_middleware(EvidenceClock)
    return app


def instant_embedder(*_provider: object, **_options: Any) -> Embedder:
    """Return the embedder of the bench, whatever was asked for."""
    return make_precomputed_embedder()


def main() -> None:
    """Serve until SIGTERM; where it listens is in the log."""
    end_with_parent()
    with contextlib.ExitStack() as stack:
        for owner, name, replaced in (
            (tools.embedders, "make_embedder", instant_embedder),
            (agent.nodes.validate, "with_evidence", timed_evidence),
            (api.app, "create_app", create_timed_app),
        ):
            stack.enter_context(mock.patch.object(owner, name, replaced))
        run_server(Settings(_env_file=None), host="127.0.0.1", port=0)


if __name__ == "__main__":
    main()
