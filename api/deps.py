"""What a route is given: who asks, their transaction, and the usual parameters."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from structlog.contextvars import bind_contextvars

from api.auth import verify_token
from api.limits import JsonRoute
from api.problems import problems
from tools.context import ToolContext
from tools.errors import AuthError
from tools.texts import Id
from tools.users import is_active_user

if TYPE_CHECKING:
    from api.bootstrap import Services

bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="JWT",
    description="Make one for development with `goals token --user NAME`.",
)

EntityId = Annotated[Id, Path(description="Id of the row", examples=["gol_def456"])]
Limit = Annotated[int, Query(ge=1, le=100, description="Rows of a page")]
Cursor = Annotated[
    str | None, Query(max_length=200, description="`next_cursor` of the page before")
]


def make_router(prefix: str, *, tag: str, route_class: type[JsonRoute] = JsonRoute) -> APIRouter:
    """Return a router for signed-in users: strict JSON, stable operation ids, real error codes."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=route_class,
        responses=problems(401, 422, 500, 503),
        generate_unique_id_function=_operation_id,
    )


def _operation_id(route: APIRoute) -> str:
    return route.name


def find_services(request: Request) -> "Services":
    """Return what the application was made with."""
    services: Services = request.app.state.services
    return services


async def find_user(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> str:
    """Return the id of the user that the token speaks for; it must exist and be active.

    The check has its own short transaction: no connection is held when the route begins.
    """
    if credentials is None:
        raise AuthError("send a token: `Authorization: Bearer …`", code="AUTH_MISSING")
    services = find_services(request)
    user_id = verify_token(services.jwt, credentials.credentials)
    async with services.sessions.begin() as session:
        if not await is_active_user(session, user_id):
            raise AuthError("the token is not one that this service accepts")
    bind_contextvars(user_id=user_id)
    return user_id


CurrentUser = Annotated[str, Depends(find_user)]


async def open_tools(request: Request, user_id: CurrentUser) -> AsyncIterator[ToolContext]:
    """Yield the request's transaction, committed when the route has returned."""
    async with find_services(request).open_tools(user_id) as tools:
        yield tools


Tools = Annotated[ToolContext, Depends(open_tools, scope="function")]
"""The transaction ends before the answer goes out: what was answered is committed."""
