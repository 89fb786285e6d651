"""Errors as the caller sees them: one shape, stable codes, and nothing of the inside."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import psycopg
import psycopg_pool
import pytest
import pytest_asyncio
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.limits import BodyLimit, JsonRoute
from api.problems import install_problems
from tools.errors import AuthError, Conflict, InputError, ModelTimeout, ModelUnavailable, NotFound


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=3)] = "any"
    count: int = 1


class Fault:
    """What the route `/fail` raises."""

    error: Exception = RuntimeError()


def _wrapped(kind: Any, cause: psycopg.Error) -> Exception:
    wrapped: Exception = kind("select 'a secret'", {"password": "hunter2"}, cause)
    return wrapped


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    app.router.route_class = JsonRoute
    app.add_middleware(BodyLimit, max_bytes=1_000)

    @app.post("/echo")
    async def echo(body: Body) -> Body:
        return body

    @app.get("/items/{number}")
    async def read_item(number: int, limit: Annotated[int, Query(le=5)] = 1) -> int:
        return number + limit

    @app.post("/items/best")
    async def choose() -> None:
        return None

    @app.get("/fail")
    async def fail() -> None:
        raise Fault.error

    install_problems(app)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (NotFound("there is no such goal"), 404, "NOT_FOUND", None),
        (Conflict("too late"), 409, "CONFLICT_VERSION", None),
        (InputError("no", code="TEXT_INVALID"), 422, "TEXT_INVALID", None),
        (AuthError("no", code="AUTH_EXPIRED"), 401, "AUTH_EXPIRED", None),
        (ModelTimeout("slow"), 504, "LLM_TIMEOUT", None),
        (ModelUnavailable("down"), 503, "LLM_UNAVAILABLE", "5"),
        (PoolTimeout("30 s"), 503, "OVERLOADED", "2"),
        (psycopg_pool.PoolTimeout("30 s"), 503, "OVERLOADED", "2"),
        (
            _wrapped(OperationalError, psycopg.OperationalError("refused")),
            503,
            "DB_UNAVAILABLE",
            "2",
        ),
        (_wrapped(InterfaceError, psycopg.InterfaceError("closed")), 503, "DB_UNAVAILABLE", "2"),
        (psycopg.errors.AdminShutdown("bye"), 503, "DB_UNAVAILABLE", "2"),
        (
            _wrapped(OperationalError, psycopg.errors.ReadOnlySqlTransaction("failover")),
            503,
            "DB_UNAVAILABLE",
            "2",
        ),
        (
            _wrapped(OperationalError, psycopg.errors.TooManyConnections("full")),
            503,
            "OVERLOADED",
            "2",
        ),
        (
            _wrapped(OperationalError, psycopg.errors.DeadlockDetected("dead")),
            409,
            "CONFLICT_VERSION",
            None,
        ),
        (
            _wrapped(IntegrityError, psycopg.errors.ForeignKeyViolation("gone")),
            409,
            "CONFLICT_VERSION",
            None,
        ),
        (_wrapped(DataError, psycopg.errors.DataException("ours")), 500, "INTERNAL", None),
        (RuntimeError("hunter2"), 500, "INTERNAL", None),
    ],
)
async def test_an_error_has_its_status_and_code_and_shows_nothing_of_the_inside(
    client: httpx2.AsyncClient, error: Exception, status: int, code: str, retry_after: str | None
) -> None:
    Fault.error = error

    response = await client.get("/fail")

    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "code"}
    assert problem["code"] == code
    assert response.headers.get("retry-after") == retry_after
    for inside in ("secret", "hunter2", "select", "psycopg"):
        assert inside not in response.text


@pytest.mark.parametrize(
    ("code", "challenge"),
    [
        ("AUTH_MISSING", "Bearer"),
        ("AUTH_INVALID", 'Bearer error="invalid_token"'),
        ("AUTH_EXPIRED", 'Bearer error="invalid_token"'),
    ],
)
async def test_who_is_not_signed_in_is_told_how(
    client: httpx2.AsyncClient, code: str, challenge: str
) -> None:
    Fault.error = AuthError("no", code=code)

    response = await client.get("/fail")

    assert response.headers["www-authenticate"] == challenge


async def test_an_invalid_body_names_the_fields_and_never_their_values(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.post("/echo", json={"title": "p4", "count": "sk-p4", "other": "p4"})

    problem = response.json()
    assert response.status_code == 422
    assert problem["code"] == "VALIDATION"
    assert [error["field"] for error in problem["errors"]] == ["title", "count", "other"]
    assert {error["location"] for error in problem["errors"]} == {"body"}
    assert "p4" not in response.text


async def test_a_field_whose_name_is_no_name_is_not_repeated(client: httpx2.AsyncClient) -> None:
    response = await client.post("/echo", json={"x" * 200: 1})

    assert [error["field"] for error in response.json()["errors"]] == ["…"]


async def test_an_invalid_query_is_named_and_an_invalid_path_is_not_found(
    client: httpx2.AsyncClient,
) -> None:
    query = await client.get("/items/1", params={"limit": 9})
    path = await client.get("/items/one")

    assert (query.status_code, query.json()["errors"][0]["field"]) == (422, "limit")
    assert (path.status_code, path.json()["code"]) == (404, "NOT_FOUND")


async def test_an_unknown_address_and_a_wrong_method_are_problems_too(
    client: httpx2.AsyncClient,
) -> None:
    unknown = await client.get("/nothing")
    wrong = await client.delete("/echo")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["allow"] == "POST"
    assert wrong.headers["content-type"] == "application/problem+json"


async def test_a_wrong_method_names_those_of_its_own_path(client: httpx2.AsyncClient) -> None:
    wrong = await client.options("/items/best")
    other = await client.options("/items/1")

    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert (other.status_code, other.headers["allow"]) == (405, "GET")


async def test_a_body_that_is_not_json_is_a_problem(client: httpx2.AsyncClient) -> None:
    broken = await client.post(
        "/echo", content=b'{"title": ', headers={"content-type": "application/json"}
    )
    plain = await client.post("/echo", content=b"hi", headers={"content-type": "text/plain"})

    assert (broken.status_code, broken.json()["code"]) == (422, "VALIDATION")
    assert (plain.status_code, plain.json()["code"]) == (422, "VALIDATION")


async def test_a_body_over_the_limit_is_refused_announced_or_in_chunks(
    client: httpx2.AsyncClient,
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    headers = {"content-type": "application/json"}
    announced = await client.post("/echo", content=b" " * 1_001, headers=headers)
    chunked = await client.post("/echo", content=chunks(), headers=headers)
    fits = await client.post("/echo", content=b'{"title": "abc"}' + b" " * 984, headers=headers)

    assert "content-length" not in chunked.request.headers
    for response in (announced, chunked):
        assert (response.status_code, response.json()["code"]) == (413, "TOO_LARGE")
    assert fits.status_code == 200


async def test_the_documented_422_is_the_real_one(client: httpx2.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()

    documented = schema["paths"]["/echo"]["post"]["responses"]["422"]["content"]
    assert documented == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    assert schema["components"]["schemas"]["Problem"]["required"] == [
        "type",
        "title",
        "status",
        "detail",
        "code",
    ]
