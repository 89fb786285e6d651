"""`/v1/auth`: accounts and tokens where this service is its own issuer; else these do not exist."""

import ipaddress
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.auth import make_token
from api.deps import find_services, make_router
from api.limits import JsonRoute
from api.problems import MEDIA_TYPE, problem_response, problems
from api.rate_headers import count_request
from tools.accounts import RegisterIn, canonical, register, sign_in
from tools.errors import GoalsError, InputError
from tools.passwords import MAX_PASSWORD
from tools.schemas import UserOut
from tools.texts import is_storable

TOKEN_PATH: Final = "/v1/auth/token"  # noqa: S105 - an address
FORM: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 10
MAX_NAME: Final = 1_000
IPV6_NETWORK_BITS: Final = 64
"""One customer has such a network: an address in it costs nothing."""
NOT_KEPT: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
ERRORS: Final = {
    "AUTH_INVALID": "invalid_grant",
    "UNSUPPORTED_GRANT": "unsupported_grant_type",
    "RATE_LIMITED": "slow_down",
    "OVERLOADED": "temporarily_unavailable",
    "DB_UNAVAILABLE": "temporarily_unavailable",
}
FORM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["grant_type", "username", "password"],
    "properties": {
        "grant_type": {"type": "string", "enum": ["password"]},
        "username": {"type": "string", "maxLength": MAX_NAME, "examples": ["ana"]},
        "password": {"type": "string", "format": "password", "maxLength": MAX_PASSWORD},
        "scope": {"type": "string"},
    },
}
CODES: Final = {409: "ACCOUNT_TAKEN: which of name and address is not said"}


class TokenOut(BaseModel):
    """A token by RFC 6749, for `Authorization: Bearer …`."""

    access_token: str
    token_type: Annotated[str, Field(examples=["Bearer"])]
    expires_in: Annotated[int, Field(description="Seconds")]


class OAuthRoute(JsonRoute):
    """A route whose problems also have the `error` of RFC 6749."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with its errors in both forms."""
        handle = super().get_route_handler()

        async def handle_both(request: Request) -> Response:
            try:
                return await handle(request)
            except GoalsError as error:
                return _in_both(error)

        return handle_both


router = make_router("/v1/auth", tag="auth")
token_router = make_router("/v1/auth", tag="auth", route_class=OAuthRoute)


async def count_address(request: Request) -> None:
    """Count a request by the address that it comes from. Raises RateLimited."""
    address = request.client.host if request.client else ""
    rates = find_services(request).rates
    await count_request(request, rates, "sign-in", who=f"address {network_of(address)}")


@router.post(
    "/register",
    status_code=201,
    responses=problems(409, 413, codes=CODES),
    dependencies=[Depends(count_address)],
)
async def register_user(body: RegisterIn, request: Request) -> UserOut:
    """Make an account; `POST /v1/auth/token` signs in with it."""
    services = find_services(request)
    return await register(
        services.system,
        body,
        passwords=services.passwords,
        now=services.now(),
        source="api",
    )


@token_router.post(
    "/token",
    response_model=TokenOut,
    responses=problems(400, 413),
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": FORM_SCHEMA}}}},
    dependencies=[Depends(count_address)],
)
async def create_token(request: Request) -> Response:
    """Sign in with a name (or an e-mail address) and a password: OAuth2's password flow."""
    services = find_services(request)
    form = await _read_form(request)
    name, password = form["username"], form["password"]
    await count_request(request, services.rates, "sign-in", who=f"name {canonical(name)}")
    user_id = await sign_in(
        services.system,
        name=name,
        password=password,
        passwords=services.passwords,
        now=services.now(),
        source="api",
    )
    hours = services.settings.token_hours
    token = make_token(services.signer, user_id=user_id, hours=hours, now=services.now())
    answer = TokenOut(access_token=token, token_type="Bearer", expires_in=int(hours * 3_600))  # noqa: S106 - the name of a scheme
    return JSONResponse(answer.model_dump(), headers=NOT_KEPT)


def network_of(address: str) -> str:
    """Return what is counted as one client: an IPv4 address, or the network of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), IPV6_NETWORK_BITS), strict=False))


async def _read_form(request: Request) -> dict[str, str]:
    """Return the form's fields. Raises InputError for any other body and for a field twice."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise _unreadable(f"the body must be {FORM}")
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise _unreadable("the form cannot be read") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _unreadable("a field comes twice")
    if not all(is_storable(value) for value in form.values()):
        raise _unreadable("a NUL or a lone surrogate cannot be stored", code="TEXT_INVALID")
    if form.get("grant_type") != "password":
        missing = "grant_type" not in form
        code = "VALIDATION" if missing else "UNSUPPORTED_GRANT"
        raise _unreadable("grant_type must be `password`", code=code)
    for field, most in (("username", MAX_NAME), ("password", MAX_PASSWORD)):
        if not 0 < len(form.get(field, "")) <= most:
            raise _unreadable(f"{field} is missing or too long")
    return form


def _unreadable(detail: str, *, code: str = "VALIDATION") -> InputError:
    return InputError(detail, code=code, status=400)


def _in_both(error: GoalsError) -> Response:
    answer = problem_response(error, headers=NOT_KEPT)
    problem = json.loads(bytes(answer.body))
    problem["error"] = ERRORS.get(error.code, "invalid_request")
    problem["error_description"] = problem["detail"]
    kept = {
        name: value
        for name, value in answer.headers.items()
        if name.lower() not in {"content-length", "content-type", "www-authenticate"}
    }
    return JSONResponse(
        problem, status_code=answer.status_code, headers=kept, media_type=MEDIA_TYPE
    )
