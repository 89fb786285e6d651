"""Who may ask, what a request's transaction promises, and what health tells."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx2
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.app import create_app
from api.auth import make_token
from api.bootstrap import Services
from api.jwks import KeySet
from api.limits import JsonRoute
from db.engine import make_engine, make_sessions
from tests.database import connect
from tests.issuers import AUDIENCE, EC_KEY, ISSUER, jwk, open_issuer, sign
from tests.service import JWT, Learner, Service
from tools.context import ToolContext

OPEN = {
    *("check_alive", "check_ready", "read_metrics", "register_user", "create_token"),
    *("show_page", "show_asset"),
}


def _requests() -> Iterator[tuple[str, str]]:
    for noun in ("goals", "tasks", "courses", "snapshots"):
        yield "GET", f"/v1/{noun}"
        yield "POST", f"/v1/{noun}"
        yield "GET", f"/v1/{noun}/x"
        yield "DELETE", f"/v1/{noun}/x"
        if noun != "snapshots":
            yield "PATCH", f"/v1/{noun}/x"
    yield "GET", "/v1/search?q=x"
    yield "GET", "/v1/events"
    yield "POST", "/v1/goals/suggest"
    yield "POST", "/v1/goals/x/breakdown"
    yield "GET", "/v1/goals/x/next"
    yield "POST", "/v1/tasks/x/validate"
    yield "POST", "/v1/feedback"
    yield "POST", "/v1/snapshots/x/dismissals"
    yield "GET", "/v1/dismissals"
    yield "DELETE", "/v1/dismissals/x"
    yield "GET", "/v1/usage"
    yield "GET", "/v1/activity"
    yield "POST", "/v1/proposals"
    yield "GET", "/v1/users/me"
    yield "PATCH", "/v1/users/me"
    yield "DELETE", "/v1/users/me"
    yield "GET", "/v1/users/me/export"
    yield "GET", "/v1/memory"
    yield "DELETE", "/v1/memory/x/x"
    yield "GET", "/v1/threads"
    yield "GET", "/v1/threads/x/messages"
    for method in ("GET", "PATCH", "DELETE"):
        yield method, "/v1/threads/x"
    yield "POST", "/v1/runs"
    yield "GET", "/v1/runs/x"
    yield "GET", "/v1/runs/x/events"
    yield "POST", "/v1/runs/x/cancel"
    yield "GET", "/v1/interrupts/x"
    yield "POST", "/v1/interrupts/x"
    yield "POST", "/v1/agui"
    yield "POST", "/v1/chat/completions"
    yield "GET", "/v1/models"


@pytest.mark.parametrize(("method", "path"), list(_requests()))
async def test_nothing_is_answered_without_a_token(
    service: Service, method: str, path: str
) -> None:
    body: dict[str, str] | None = {} if method in {"POST", "PATCH"} else None

    async with service.client() as client:
        response = await client.request(method, path, json=body)

    assert (response.status_code, response.json()["code"]) == (401, "AUTH_MISSING")
    assert response.headers["www-authenticate"] == "Bearer"


def test_no_route_is_missing_from_the_list_above(service: Service) -> None:
    listed = {(method, path.split("?")[0].replace("/x", "/{}")) for method, path in _requests()}

    served = set()
    for context in iter_route_contexts(service.app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.name not in OPEN:
            assert isinstance(route, JsonRoute)
            parts = ["{}" if part.startswith("{") else part for part in route.path.split("/")]
            served |= {(method, "/".join(parts)) for method in route.methods or ()}

    assert served == listed


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("Basic YW5hOmFuYQ==", "AUTH_MISSING"),
        ("Bearer", "AUTH_MISSING"),
        ("Bearer ", "AUTH_MISSING"),
        ("bearer nonsense", "AUTH_INVALID"),
        ("BEARER nonsense", "AUTH_INVALID"),
        ("Token nonsense", "AUTH_MISSING"),
        ("Bearer\tnonsense", "AUTH_MISSING"),
        ("Bearer  nonsense", "AUTH_INVALID"),
        ("Bearer a.b.c d", "AUTH_INVALID"),
        ("Bearer a.b.c,Bearer a.b.c", "AUTH_INVALID"),
        ('Bearer "a.b.c"', "AUTH_INVALID"),
        ("Bearer nonsense", "AUTH_INVALID"),
        ("Bearer " + "a" * 60_000, "AUTH_INVALID"),
    ],
)
async def test_a_header_without_a_good_token_is_refused(
    service: Service, authorization: str, code: str
) -> None:
    async with service.client() as client:
        response = await client.get("/v1/goals", headers={"Authorization": authorization})

    assert (response.status_code, response.json()["code"]) == (401, code)


async def test_two_authorization_headers_are_one_too_many(ana: Learner, service: Service) -> None:
    good = ("Authorization", f"Bearer {ana.token}")

    for other in (good, ("Authorization", "Bearer nonsense"), ("authorization", "Basic eDp5")):
        async with service.client() as client:
            answers = [
                await client.get("/v1/goals", headers=[good, other]),
                await client.get("/v1/goals", headers=[other, good]),
            ]
            alone = await client.get("/v1/goals", headers=[good])

        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_INVALID")
        assert alone.status_code == 200


async def test_keys_that_cannot_be_fetched_are_503_and_known_ones_let_in(
    ana: Learner, service: Service
) -> None:
    async with open_issuer(jwk(EC_KEY)) as issuer, httpx2.AsyncClient() as http:
        now = 0.0
        keys = KeySet(issuer.url, client=http, issuer=ISSUER, audience=AUDIENCE, clock=lambda: now)
        services = replace(service.services, jwt=keys)
        token = sign(EC_KEY, "ES256", sub=ana.id)
        async with Service(create_app(services), services).client(token) as client:
            issuer.status = "503 Away"
            away = await client.get("/v1/goals")
            issuer.status, now = "200 OK", 30.0
            back = await client.get("/v1/goals")
            issuer.status, now = "503 Away", 90.0
            known = await client.get("/v1/goals")

    assert (away.status_code, away.json()["code"]) == (503, "AUTH_KEYS_UNAVAILABLE")
    assert int(away.headers["retry-after"]) == 30
    assert (back.status_code, known.status_code) == (200, 200)


async def test_an_expired_token_says_so(ana: Learner, service: Service) -> None:
    token = make_token(JWT, user_id=ana.id, hours=-1, now=datetime.now(UTC))

    async with service.client(token) as client:
        response = await client.get("/v1/goals")

    assert (response.status_code, response.json()["code"]) == (401, "AUTH_EXPIRED")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_a_token_for_nobody_or_for_a_closed_account_is_invalid(
    ana: Learner, service: Service
) -> None:
    async with service.services.system.begin() as session:
        await session.execute(text("update users set is_active = false"))
    nobody = make_token(JWT, user_id="usr_nobody", hours=1, now=datetime.now(UTC))

    closed = await ana.client.get("/v1/goals")
    async with service.client(nobody) as client:
        unknown = await client.get("/v1/goals")

    assert (closed.status_code, closed.json()["code"]) == (401, "AUTH_INVALID")
    assert closed.content == unknown.content


async def test_an_answer_of_success_is_committed_already(ana: Learner, engine: AsyncEngine) -> None:
    refuses = (
        "create function refuse() returns trigger language plpgsql "
        "as $$ begin raise exception 'the commit failed'; end $$",
        "create constraint trigger refuse after insert on goals "
        "deferrable initially deferred for each row execute function refuse()",
    )
    async with engine.begin() as connection:
        for statement in refuses:
            await connection.execute(text(statement))

    response = await ana.client.post("/v1/goals", json={"title": "Se pierde"})

    assert (response.status_code, response.json()["code"]) == (500, "INTERNAL")
    assert (await ana.read("/v1/goals"))["items"] == []


async def test_a_connection_that_dies_before_the_commit_ends_in_503_and_no_row(
    ana: Learner, service: Service
) -> None:
    mortal = _Mortal(**vars(service.services))

    async with Service(create_app(mortal), mortal).client(_token(ana)) as client:
        response = await client.post("/v1/goals", json={"title": "Se pierde"})

    assert (response.status_code, response.json()["code"]) == (503, "DB_UNAVAILABLE")
    assert (await ana.read("/v1/goals"))["items"] == []


async def test_a_failed_route_leaves_neither_row_nor_event(ana: Learner, service: Service) -> None:
    broken = replace(service.services, embedder=replace(service.services.embedder, model="x" * 101))
    await broken.embedder.embed_documents(["A medias"])
    app = create_app(broken)

    async with Service(app, broken).client(_token(ana)) as client:
        response = await client.post("/v1/goals", json={"title": "A medias"})

    assert response.status_code == 500
    assert await service.count("select count(*) from goals") == 0
    assert await ana.event_types() == []


async def test_a_busy_pool_is_503_and_heals(
    ana: Learner, service: Service, database_url: str
) -> None:
    engine = make_engine(database_url, pool_size=1, pool_timeout=0.1)
    narrow = _with_sessions(service.services, engine)

    async with Service(create_app(narrow), narrow).client(_token(ana)) as client:
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))
            busy = await client.get("/v1/goals")
        healed = await client.get("/v1/goals")
    await engine.dispose()

    assert (busy.status_code, busy.json()["code"]) == (503, "OVERLOADED")
    assert int(busy.headers["retry-after"]) > 0
    assert healed.status_code == 200


async def test_a_request_holds_one_connection_at_a_time(
    ana: Learner, service: Service, database_url: str
) -> None:
    engine = make_engine(database_url, pool_size=1, pool_timeout=5)
    narrow = _with_sessions(service.services, engine)

    async with Service(create_app(narrow), narrow).client(_token(ana)) as client:
        answers = await asyncio.gather(
            *(client.post("/v1/goals", json={"title": f"Meta {n}"}) for n in range(10))
        )
    await engine.dispose()

    assert [answer.status_code for answer in answers] == [201] * 10


async def test_without_a_database_requests_end_in_503_and_only_readiness_falls(
    ana: Learner, service: Service
) -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:9/nothing")
    lost = _with_sessions(service.services, engine)

    async with Service(create_app(lost), lost).client(_token(ana)) as client:
        request = await client.get("/v1/goals")
        ready = await client.get("/readyz")
        alive = await client.get("/healthz")

    for response in (request, ready):
        assert (response.status_code, response.json()["code"]) == (503, "DB_UNAVAILABLE")
        assert int(response.headers["retry-after"]) > 0
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})


async def test_the_service_is_ready_once_the_schema_is_at_head(service: Service) -> None:
    async with service.client() as client:
        ready = await client.get("/readyz")
        async with service.services.system.begin() as session:
            await session.execute(text("update alembic_version set version_num = '001'"))
        behind = await client.get("/readyz")

    assert ready.status_code == 200
    assert behind.status_code == 503
    assert "revision 001" in behind.json()["detail"]
    assert "goals migrate" in behind.json()["detail"]


async def test_interleaved_requests_of_two_users_never_mix(ana: Learner, bruno: Learner) -> None:
    learners = [ana, bruno] * 20

    await asyncio.gather(*(learner.make("goals", title=f"De {learner.id}") for learner in learners))

    for learner in (ana, bruno):
        page = await learner.read("/v1/goals", limit=100)
        assert {goal["title"] for goal in page["items"]} == {f"De {learner.id}"}
        assert len(page["items"]) == 20


@dataclass(frozen=True)
class _Mortal(Services):
    @contextlib.asynccontextmanager
    async def open_tools(self, user_id: str, source: str = "api") -> AsyncIterator[ToolContext]:
        """Open a transaction whose connection is killed just before its commit."""
        async with super().open_tools(user_id, source) as tools:
            yield tools
            pid = await tools.session.scalar(text("select pg_backend_pid()"))
            with connect(self.database_url) as connection:
                connection.execute("select pg_terminate_backend(%s, 5000)", [pid])


def _token(learner: Learner) -> str:
    return make_token(JWT, user_id=learner.id, hours=1, now=datetime.now(UTC))


def _with_sessions(services: Services, engine: AsyncEngine) -> Services:
    sessions = make_sessions(engine)
    return replace(services, sessions=sessions, system=sessions)
