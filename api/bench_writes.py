"""The writes of `goals bench events`: a request, a verb, and the least of transactions."""

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import FastAPI

from api.app import create_app
from api.auth import JwtConfig, make_token
from api.bootstrap import Services
from api.settings import Settings
from db.base import new_id, utc_now
from db.engine import Sessions, make_engine, make_sessions
from db.enums import GoalPriority, GoalStatus
from db.events import GoalCreated
from db.models import Goal
from db.outbox import record
from events.bench.messages import user_ids
from events.bench.writes import WRITERS, Write
from tools.context import ToolContext
from tools.embedders import make_embedder
from tools.goals import update_goal
from tools.http import make_http_clients
from tools.schemas import GoalPatch

HOURS: Final = 24.0
_PRIORITIES: Final = (GoalPriority.HIGH, GoalPriority.LOW)


class Unrecorded(ToolContext):
    """A transaction whose events nobody records."""

    def record(self, event: object) -> None:
        """Record nothing."""


@dataclass(frozen=True)
class UnrecordedServices(Services):
    """The same services, but for the events."""

    @contextlib.asynccontextmanager
    async def open_tools(self, user_id: str, source: str = "api") -> AsyncIterator[ToolContext]:
        """Open one transaction as `user_id`, without events."""
        async with super().open_tools(user_id, source) as tools:
            yield Unrecorded(**vars(tools))


@contextlib.asynccontextmanager
async def open_writes(database_url: str) -> AsyncIterator[Mapping[str, Write]]:
    """Yield the writes on a migrated database that has the users of `user_ids`."""
    async with AsyncExitStack() as stack:
        engine = make_engine(database_url)
        stack.push_async_callback(engine.dispose)
        clients = make_http_clients(timeout=1.0)
        stack.push_async_callback(clients.aclose)
        jwt = JwtConfig(secret=b"only for this measurement" * 2, issuer="bench", audience="bench")
        sessions = make_sessions(engine)
        parts: dict[str, Any] = {
            "settings": Settings(_env_file=None),
            "database_url": database_url,
            "app_url": database_url,
            "sessions": sessions,
            "system": sessions,
            "embedder": make_embedder(
                "scripted", model="", api_key=None, base_url=None, clients=clients
            ),
            "jwt": jwt,
        }
        services = {True: Services(**parts), False: UnrecordedServices(**parts)}
        yield {
            "insert": make_insert(services[True].sessions),
            "update": make_update(services, await _add_goals(services[True].sessions)),
            "request": make_request(services, await _add_goals(services[True].sessions)),
        }


def make_insert(sessions: Sessions) -> Write:
    """Return the transaction that inserts one goal and records GOAL_CREATED."""

    async def insert(writer: int, *, event: bool) -> None:
        row = _make_goal(writer)
        user_id = user_ids()[writer]
        async with sessions.begin() as session:
            row.user_id = user_id
            session.add(row)
            if event:
                created = GoalCreated(
                    goal_id=row.id,
                    title=row.title,
                    course_id=None,
                    priority=row.priority.value,
                    ai_generated=False,
                )
                record(session, created, user_id=user_id, source="api", at=row.created_at)

    return insert


def make_update(services: Mapping[bool, Services], goal_ids: list[str]) -> Write:
    """Return the verb `update_goal` in its transaction: a new priority each time."""
    priorities = [itertools.cycle(_PRIORITIES) for _ in goal_ids]

    async def update(writer: int, *, event: bool) -> None:
        patch = GoalPatch(priority=next(priorities[writer]))
        async with services[event].open_tools(user_ids()[writer]) as tools:
            await update_goal(tools, goal_ids[writer], patch)

    return update


def make_request(services: Mapping[bool, Services], goal_ids: list[str]) -> Write:
    """Return `PATCH /v1/goals/{id}`: the application, called as its server calls it."""
    apps = {event: create_app(each) for event, each in services.items()}
    tokens = [
        make_token(services[True].signer, user_id=user_id, hours=HOURS, now=utc_now())
        for user_id in user_ids()[:WRITERS]
    ]
    priorities = [itertools.cycle(_PRIORITIES) for _ in goal_ids]

    async def request(writer: int, *, event: bool) -> None:
        body = json.dumps({"priority": next(priorities[writer])}).encode()
        path = f"/v1/goals/{goal_ids[writer]}"
        await _patch(apps[event], path, token=tokens[writer], body=body)

    return request


async def _patch(app: FastAPI, path: str, *, token: str, body: bytes) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "PATCH",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
    )
    answered: list[int] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    await app(scope, receive, send)
    assert answered == [200], f"{path} was answered {answered}"


async def _add_goals(sessions: Sessions) -> list[str]:
    """Make a goal for each writer, and return their ids in the writers' order."""
    goals = [_make_goal(writer) for writer in range(WRITERS)]
    async with sessions.begin() as session:
        session.add_all(goals)
    return [goal.id for goal in goals]


def _make_goal(writer: int) -> Goal:
    now = datetime.now(UTC)
    return Goal(
        id=new_id("gol"),
        user_id=user_ids()[writer],
        title="Escribir una API que valide los datos con pydantic",
        description="Con pruebas para cada error.",
        status=GoalStatus.PENDING,
        priority=GoalPriority.MEDIUM,
        progress_percentage=0.0,
        ai_generated=False,
        created_at=now,
        updated_at=now,
    )
