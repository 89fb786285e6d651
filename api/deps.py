"""What a route is given: who asks, their transaction, and the usual parameters."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Security
from fastapi.routing import APIRoute

from api.auth import refusal
from api.bearer import Bearer
from api.idempotency import SafeRoute, begin_attempt
from api.limits import JsonRoute
from api.problems import problems
from api.rate_headers import count_request
from api.retries import begin_repeatable, end_repeatable
from db.failpoints import hit
from tools.context import ToolContext
from tools.logs import bind_log
from tools.texts import Id
from tools.users import may_ask

if TYPE_CHECKING:
    from api.bootstrap import Services
    from api.rate_limits import Name

bearer = Bearer()

EntityId = Annotated[Id, Path(description="Id of the row", examples=["gol_def456"])]
Limit = Annotated[int, Query(ge=1, le=100, description="Rows of a page")]
Cursor = Annotated[
    str | None, Query(max_length=4_000, description="`next_cursor` of the page before")
]


def make_router(prefix: str, *, tag: str, route_class: type[JsonRoute] = SafeRoute) -> APIRouter:
    """Return a router for signed-in users: strict JSON, stable operation ids, real error codes."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=route_class,
        responses=problems(401, 422, 429, 500, 503),
        generate_unique_id_function=_operation_id,
    )


def _operation_id(route: APIRoute) -> str:
    return route.name


def find_services(request: Request) -> "Services":
    """Return what the application was made with."""
    services: Services = request.app.state.services
    return services


async def find_user(request: Request, token: Annotated[str, Security(bearer)]) -> str:
    """Return the id of the user that the token speaks for; it must exist and be active.

    In this order: who signed the token and for whom, how much that user has asked for lately, and
    whether they may use the service at this moment. That check is one statement by itself: no
    connection is held when the route begins.
    """
    return await _admit(request, token, "requests")


CurrentUser = Annotated[str, Depends(find_user)]


async def find_asker(request: Request, token: Annotated[str, Security(bearer)]) -> str:
    """Return the id of the user, for a route that asks a model; those have a limit of their own.

    It is `find_user` otherwise: a route is given one of the two.
    """
    return await _admit(request, token, "requests", "models")


async def _admit(request: Request, token: str, *limits: "Name") -> str:
    """Return the user of `token`, counted and active; both are asked for at the same time."""
    services = find_services(request)
    user_id = await services.jwt.identify(token)
    services.directory.introduce(user_id, token)
    if services.tenancy is not None:
        await services.tenancy.require()
    rates = services.rates
    counting = count_request(request, rates, *limits, who=user_id)
    if rates is None or not any(rates.must_ask(name, user_id) for name in limits):
        await counting
        is_active = await may_ask(services.sessions, services.directory, user_id)
    else:
        beside = asyncio.create_task(counting)
        try:
            is_active = await may_ask(services.sessions, services.directory, user_id)
        finally:
            await beside  # who has asked too often hears that first
    if not is_active:
        raise refusal()
    bind_log(user_id=user_id)
    return user_id


ModelUser = Annotated[str, Depends(find_asker)]


async def open_tools(request: Request, user_id: CurrentUser) -> AsyncIterator[ToolContext]:
    """Yield the request's transaction, committed when the route has returned."""
    begin_repeatable(request.scope)
    async with find_services(request).open_tools(user_id) as tools:
        await begin_attempt(request, tools)
        yield tools
        hit("request.before_commit")
    end_repeatable(request.scope)
    hit("request.committed")


Tools = Annotated[ToolContext, Depends(open_tools, scope="function")]
"""The transaction ends before the answer goes out: what was answered is committed."""
