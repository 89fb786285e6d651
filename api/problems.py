"""Errors as the caller sees them: RFC 9457 `application/problem+json` with a stable `code`."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import psycopg
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Match

from api.retries import give_up
from tools.errors import AuthError, Conflict, DatabaseUnavailable, GoalsError, InputError, NotFound
from tools.texts import TEXT_ERRORS

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
MAX_ERRORS: Final = 20
MAX_FIELD_CHARACTERS: Final = 100
SCHEMA: Final = {"$ref": "#/components/schemas/Problem"}
ROUTER_CODES: Final = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}
RETRY_SQLSTATES: Final = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the same request may well succeed when it is sent again."""
OVERLOADED_SQLSTATES: Final = frozenset({"53300", "53400"})


class FieldProblem(BaseModel):
    """What is wrong with one field: where it is, its dotted path there, and why."""

    location: str = Field(examples=["body"])
    field: str = Field(examples=["criteria.0"])
    detail: str = Field(examples=["String should have at least 1 character"])


class Problem(BaseModel):
    """A problem by RFC 9457; `code` is stable, the texts are for people."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no such goal"])
    code: str = Field(examples=["NOT_FOUND"])
    errors: list[FieldProblem] | None = None


CODES: Final[Mapping[int, str]] = {
    400: "AUTH_INVALID or VALIDATION, with OAuth2's `error` (RFC 6749)",
    401: "AUTH_MISSING, AUTH_INVALID or AUTH_EXPIRED",
    404: "NOT_FOUND: also what belongs to somebody else",
    409: "CONFLICT_VERSION: somebody changed the same thing at this moment",
    412: "CONFLICT_VERSION: it is not the version that `If-Match` names",
    413: "TOO_LARGE",
    422: "VALIDATION, TEXT_INVALID or TOO_DEEP",
    429: "RATE_LIMITED or BUDGET_EXCEEDED, with Retry-After",
    500: "INTERNAL",
    502: "EMBEDDING_INVALID, LLM_BAD_OUTPUT or LLM_TRUNCATED",
    503: (
        "DB_UNAVAILABLE, OVERLOADED, STOPPING, AUTH_KEYS_UNAVAILABLE, USERS_UNAVAILABLE or "
        "LLM_UNAVAILABLE, with Retry-After"
    ),
    504: "LLM_TIMEOUT",
}
HEADERS: Final[Mapping[int, tuple[str, str]]] = {
    401: ("WWW-Authenticate", "Bearer, and what is wrong with the token"),
    429: ("Retry-After", "Seconds to wait"),
    503: ("Retry-After", "Seconds to wait"),
}
"""What comes with each such answer, and is promised in OpenAPI."""


def problems(*statuses: int, codes: Mapping[int, str] | None = None) -> dict[int | str, Any]:
    """Return the OpenAPI responses of these statuses; `codes` replaces a description."""
    described = {**CODES, **(codes or {})}
    return {
        status: {
            "description": described[status],
            "content": {MEDIA_TYPE: {"schema": SCHEMA}},
            **_header_of(status),
        }
        for status in statuses
    }


def _header_of(status: int) -> dict[str, Any]:
    if status not in HEADERS:
        return {}
    name, what = HEADERS[status]
    described = {"description": what, "required": True, "schema": {"type": "string"}}
    return {"headers": {name: described}}


def problem_response(
    error: GoalsError,
    *,
    errors: list[FieldProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return `error` as a response."""
    problem = Problem(
        type="about:blank",
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.detail,
        code=error.code,
        errors=errors,
    )
    own = dict(headers or {})
    if error.retry_after is not None:
        own["Retry-After"] = str(error.retry_after)
    if isinstance(error, AuthError):
        own["WWW-Authenticate"] = (
            "Bearer" if error.code == "AUTH_MISSING" else 'Bearer error="invalid_token"'
        )
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=error.status,
        headers=own,
        media_type=MEDIA_TYPE,
    )


def install_problems(app: FastAPI) -> None:
    """Make every error of `app` a problem, and its OpenAPI say so."""
    import psycopg_pool

    app.add_exception_handler(GoalsError, _on_own)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StarletteHTTPException, _on_http)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(psycopg.Error, _on_database)
    app.add_exception_handler(PoolTimeout, _on_pool)
    app.add_exception_handler(psycopg_pool.PoolTimeout, _on_pool)
    app.add_exception_handler(Exception, _on_unexpected)
    _document(app)


async def _on_own(_request: Request, error: Exception) -> Response:
    assert isinstance(error, GoalsError)
    return problem_response(error)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return invalid_response(error)


def invalid_response(error: RequestValidationError) -> Response:
    """Return what does not fit its schema as a response, field by field."""
    found = error.errors()
    if any(item["loc"][0] == "path" for item in found):
        return problem_response(NotFound("there is no such thing"))

    code = "TEXT_INVALID" if any(item["type"] in TEXT_ERRORS for item in found) else "VALIDATION"
    fields = [_field_problem(item) for item in found[:MAX_ERRORS]]
    return problem_response(InputError("the request is not valid", code=code), errors=fields)


def _field_problem(item: dict[str, Any]) -> FieldProblem:
    location, *path = (str(part) for part in item["loc"])
    field = ".".join(path)
    if len(field) > MAX_FIELD_CHARACTERS or not field.isprintable():
        field = "…"
    return FieldProblem(location=location, field=field, detail=item["msg"])


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException | StarletteHTTPException)
    status = HTTPStatus(error.status_code)
    code = ROUTER_CODES.get(status, status.name)
    own = GoalsError(status.description or status.phrase, code=code, status=status.value)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return problem_response(own, headers=headers)


def _allowed(request: Request) -> list[str]:
    """Return the methods of the path, of all its routes; the router names only the first one's.

    `/goals/suggest` is a path of its own and not the goal of that name.
    """
    routes = list(iter_route_contexts(request.app.routes))
    matched = [
        route.path
        for route in routes
        if route.path is not None and route.matches(request.scope)[0] is not Match.NONE
    ]
    path = min(matched, key=_parameters_in, default=None)
    return sorted(
        {method for route in routes if route.path == path for method in route.methods or ()}
    )


def _parameters_in(path: str) -> int:
    return path.count("{")


async def _on_database(request: Request, error: Exception) -> Response:
    if _sqlstate(error) in RETRY_SQLSTATES:
        give_up(request.scope, error)
    own = _database_error(error)
    if own is None:
        raise error
    return problem_response(own)


def _database_error(error: Exception) -> GoalsError | None:
    """Return what a driver's error means to the caller, None where it is a mistake of ours."""
    cause, sqlstate = _cause(error), _sqlstate(error)
    if sqlstate in RETRY_SQLSTATES:
        return Conflict("somebody changed the same thing at this moment: send it again")
    if sqlstate in OVERLOADED_SQLSTATES:
        return DatabaseUnavailable("the database has no connection left", code="OVERLOADED")
    if isinstance(cause, psycopg.IntegrityError):
        return Conflict("what this refers to has changed in the meantime")
    if isinstance(cause, psycopg.DataError | psycopg.ProgrammingError):
        return None
    log.warning("the database does not answer: %s, SQLSTATE %s", type(cause).__name__, sqlstate)
    return DatabaseUnavailable("the database does not answer")


def _cause(error: Exception) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _sqlstate(error: Exception) -> str | None:
    return getattr(_cause(error), "sqlstate", None)


async def _on_pool(_request: Request, _error: Exception) -> Response:
    own = DatabaseUnavailable("all connections to the database are busy", code="OVERLOADED")
    return problem_response(own)


async def _on_unexpected(_request: Request, _error: Exception) -> Response:
    return problem_response(GoalsError("something broke on our side"))


def _document(app: FastAPI) -> None:
    """Put the problem's schema into OpenAPI, and take FastAPI's own 422 out of it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = generate()
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        own = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(own.pop("$defs"))
        schemas["Problem"] = own
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        for path in schema["paths"].values():
            for operation in path.values():
                operation.setdefault("security", [])  # said, not left out: it is for everybody
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    operation["responses"]["422"] = problems(422)[422]
        app.openapi_schema = schema
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents this as the way
