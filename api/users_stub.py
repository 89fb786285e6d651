"""A stub of the users' service, in memory: `goals users-stub`, to develop and to test against.

It does what docs/users-service.openapi.yaml says, for the learners below, with the tokens that this
program accepts itself. `PUT /stub/fault/NAME` lets it fail in a way of `Fault` until it is `none`.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.middleware.base import RequestResponseEndpoint

from api.auth import JwtConfig, verify_token
from api.settings import Settings
from tools.errors import AuthError

BORN: Final = datetime(2026, 1, 7, 9, 30, tzinfo=UTC)
SLOW_SECONDS: Final = 30.0
OVERSIZED_BYTES: Final = 1_000_000
Row = dict[str, Any]


class Fault(StrEnum):
    """What may be wrong with it; `slow` answers after half a minute."""

    NONE = "none"
    SLOW = "slow"
    ERROR = "error"
    GARBAGE = "garbage"
    OVERSIZED = "oversized"


def _user(user_id: str, name: str, language: str, **fields: Any) -> Row:
    return {
        "id": user_id,
        "email": f"{user_id.removeprefix('usr_')}@example.org",
        "username": user_id.removeprefix("usr_"),
        "full_name": name,
        "is_active": True,
        "is_superuser": False,
        "metadata": {"preferences": {"language": language}},
        "created_at": BORN,
        "updated_at": BORN,
        "last_login_at": None,
        **fields,
    }


def _course(course_id: str, user_id: str, title: str, technologies: list[str]) -> Row:
    return {
        "id": course_id,
        "user_id": user_id,
        "title": title,
        "description": f"{title}, paso a paso.",
        "status": "active",
        "progress_percentage": 40.0,
        "metadata": {"technologies": technologies},
        "created_at": BORN,
        "updated_at": BORN,
        "completed_at": None,
    }


USERS: Final = (
    _user("usr_ana", "Ana Ruiz", "es"),
    _user("usr_bruno", "Bruno Katz", "en"),
    _user("usr_gone", "Gone Away", "en", is_active=False),
)
COURSES: Final = (
    _course("crs_api", "usr_ana", "FastAPI desde cero", ["Python", "FastAPI"]),
    _course("crs_sql", "usr_ana", "SQL para curiosos", ["PostgreSQL"]),
    _course("crs_web", "usr_bruno", "The web, slowly", ["HTML", "CSS"]),
)


@dataclass
class World:
    """What the stub knows, and what is wrong with it; `calls` counts what it was asked."""

    users: dict[str, Row] = field(default_factory=lambda: {row["id"]: dict(row) for row in USERS})
    courses: dict[str, Row] = field(
        default_factory=lambda: {row["id"]: dict(row) for row in COURSES}
    )
    fault: Fault = Fault.NONE
    calls: int = 0


def create_stub(jwt: JwtConfig, *, service_token: str | None = None) -> FastAPI:
    """Return the stub, which lets in the bearers of `jwt`'s tokens and of the `service_token`."""
    app = FastAPI(title="Users and courses: a stub", version="1.0.0", docs_url=None)
    app.state.world = world = World()

    def find_caller(
        credentials: Annotated[
            HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))
        ],
    ) -> str | None:
        """Return the user who asks, None for a service."""
        if credentials is None:
            raise HTTPException(401)
        if service_token is not None and credentials.credentials == service_token:
            return None
        try:
            return verify_token(jwt, credentials.credentials)
        except AuthError as error:
            raise HTTPException(401) from error

    Caller = Annotated[str | None, Depends(find_caller)]  # noqa: N806 - a type

    @app.middleware("http")
    async def fail(request: Request, call_next: RequestResponseEndpoint) -> Response:
        if request.url.path.startswith("/stub/"):
            return await call_next(request)
        world.calls += 1
        if world.fault is Fault.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        if world.fault is Fault.ERROR:
            return Response(status_code=500)
        if world.fault is Fault.GARBAGE:
            return Response('{"id": ["\\ud800"', media_type="application/json")
        if world.fault is Fault.OVERSIZED:
            return Response(b" " * OVERSIZED_BYTES, media_type="application/json")
        return await call_next(request)

    @app.get("/users/{user_id}")
    async def get_user(user_id: str, caller: Caller) -> Row:
        if caller not in {None, user_id}:
            raise HTTPException(403)
        if user_id not in world.users:
            raise HTTPException(404)
        return world.users[user_id]

    @app.get("/courses")
    async def list_courses(
        caller: Caller,
        user_id: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        cursor: Annotated[int, Query(ge=0)] = 0,
        status: str | None = None,
    ) -> Row:
        owner = caller or user_id
        if owner is None:
            raise HTTPException(422)
        if caller is not None and user_id not in {None, caller}:
            raise HTTPException(403)
        found = [
            row
            for row in world.courses.values()
            if row["user_id"] == owner and status in {None, row["status"]}
        ]
        rest = found[cursor + limit :]
        return {
            "items": found[cursor : cursor + limit],
            "next_cursor": str(cursor + limit) if rest else None,
        }

    @app.get("/courses/{course_id}")
    async def get_course(course_id: str, caller: Caller) -> Row:
        row = world.courses.get(course_id)
        if row is None or caller not in {None, row["user_id"]}:
            raise HTTPException(404)
        return row

    @app.put("/stub/fault/{fault}", include_in_schema=False)
    async def set_fault(fault: Fault) -> Row:
        world.fault = fault
        return {"fault": fault, "calls": world.calls}

    @app.put("/stub/users/{user_id}", include_in_schema=False)
    async def put_user(user_id: str, changes: Row) -> Row:
        world.users[user_id] = {**_user(user_id, user_id, "es"), **changes}
        return world.users[user_id]

    @app.put("/stub/courses/{course_id}", include_in_schema=False)
    async def put_course(course_id: str, changes: Row) -> Row:
        before = world.courses.get(course_id, _course(course_id, "usr_ana", course_id, []))
        world.courses[course_id] = {**before, **changes}
        return world.courses[course_id]

    return app


def run_stub(settings: Settings, *, port: int) -> None:
    """Serve the stub on loopback until SIGTERM or SIGINT, and say how to use it first."""
    import typer
    import uvicorn

    from api.issuer import jwt_config

    token = settings.users_token
    stub = create_stub(
        jwt_config(settings), service_token=None if token is None else token.get_secret_value()
    )
    ids = ", ".join(user["id"] for user in USERS)
    typer.echo(f"users: {ids}; a token: GOALS_USERS=service goals token --user {USERS[0]['id']}")
    uvicorn.run(stub, host="127.0.0.1", port=port, log_level="info", access_log=False)
