"""The HTTP application: a factory, nothing is made at import."""

from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from api.bootstrap import Services
from api.limits import BodyLimit
from api.mcp.http import add_mcp
from api.metrics import make_registry
from api.problems import install_problems
from api.rate_headers import RateHeaders
from api.request_log import RequestLog
from api.retries import Retries
from api.routes import (
    agent,
    auth,
    chat,
    courses,
    dismissals,
    events,
    goals,
    health,
    memory,
    metrics,
    privacy,
    runs,
    search,
    snapshots,
    tasks,
    their_courses,
    threads,
    usage,
    users,
)
from api.sign_in_docs import document_sign_in

VERSION: Final = "0.1.0"
DESCRIPTION: Final = """\
Turns a learner's wishes and code into goals, tasks and honest feedback.

Every error is `application/problem+json` with a stable `code`. Times are UTC and end in `Z`.
"""


class _Application(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        """Return FastAPI's own, with the log of requests around all of it, its errors too."""
        return RequestLog(super().build_middleware_stack())


def create_app(services: Services) -> FastAPI:
    """Return the application over opened services; whoever opened them closes them."""
    from api.routes import agui

    app = _Application(
        title="AI Goals Tracker: agent service",
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "Where this document comes from"}],
        # FastAPI's own spans have the query string, its log records what did not validate.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.services = services
    app.state.metrics = make_registry(services.database_url, services=services)
    app.add_middleware(Retries)
    app.add_middleware(BodyLimit)
    app.add_middleware(RateHeaders)
    planning = (agent, agui, chat, runs, threads, usage)
    elsewhere = services.directory.is_elsewhere
    of_courses = their_courses if elsewhere else courses
    features = (goals, tasks, of_courses, snapshots, dismissals, search, events, memory)
    accounts = (privacy,) if elsewhere else (users, privacy)
    # The first ones are found soonest: each request is held against one route after the other.
    for module in (*planning, *features, *accounts, health, metrics):
        app.include_router(module.router)
    add_mcp(app)
    install_problems(app)
    if services.offers_sign_in:
        app.include_router(auth.router)
        app.include_router(auth.token_router)
        document_sign_in(app)
    return app
