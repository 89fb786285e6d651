"""The HTTP application: a factory, nothing is made at import."""

from typing import Final

from fastapi import FastAPI

from api.bootstrap import Services
from api.limits import BodyLimit
from api.metrics import make_registry
from api.problems import install_problems
from api.routes import (
    agent,
    chat,
    courses,
    dismissals,
    events,
    goals,
    health,
    metrics,
    runs,
    search,
    snapshots,
    tasks,
    threads,
    usage,
)

VERSION: Final = "0.1.0"
DESCRIPTION: Final = """\
Turns a learner's wishes and code into goals, tasks and honest feedback.

Every error is `application/problem+json` with a stable `code`. Times are UTC and end in `Z`.
"""


def create_app(services: Services) -> FastAPI:
    """Return the application over opened services; whoever opened them closes them."""
    app = FastAPI(
        title="AI Goals Tracker: agent service",
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "Where this document comes from"}],
    )
    app.state.services = services
    app.state.metrics = make_registry(services.database_url)
    app.add_middleware(BodyLimit)
    planning = (agent, chat, runs, threads, usage)
    features = (goals, tasks, courses, snapshots, dismissals, search, events)
    for module in (*planning, *features, health, metrics):
        app.include_router(module.router)
    app.include_router(chat.openai_router)
    install_problems(app)
    return app
