"""A client of the API for a command: of a running service, or of one in this process."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from api.settings import Settings
from tools.errors import InputError

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 900.0
"""Several calls of a local model, one after the other."""
TOKEN_HOURS: Final = 24.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """Who answers: the service at `url`, else this process; as `token`'s user, else as `user`."""

    url: str | None
    token: str | None
    user: str


def open_client(
    settings: Settings, service: Service, *, with_agent: bool = True, scope: str = ""
) -> "AbstractAsyncContextManager[httpx2.AsyncClient]":
    """Yield a client that is signed in; no model is opened here but `with_agent`.

    Raises InputError for a URL without a token.
    """
    if service.url is not None:
        return _open_remote(service)
    return _open_own(settings, service, with_agent=with_agent, scope=scope)


@asynccontextmanager
async def _open_remote(service: Service) -> "AsyncIterator[httpx2.AsyncClient]":
    import httpx2

    if service.token is None:
        raise InputError("--url needs a token: --token, or GOALS_TOKEN in the environment")
    timeout = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    headers = {"Authorization": f"Bearer {service.token}"}
    async with httpx2.AsyncClient(
        base_url=str(service.url), headers=headers, timeout=timeout
    ) as client:
        yield client


@asynccontextmanager
async def _open_own(
    settings: Settings, service: Service, *, with_agent: bool, scope: str
) -> "AsyncIterator[httpx2.AsyncClient]":
    """Yield a client of the application in this process."""
    import httpx2

    from api.app import create_app
    from api.auth import make_token
    from api.bootstrap import open_services
    from api.users_elsewhere import require_own_users
    from tools.users import get_or_create_user

    async with open_services(settings, with_agent=with_agent) as services:
        token = service.token
        if token is None:
            require_own_users(settings)
            async with services.system.begin() as session:
                user = await get_or_create_user(
                    session, username=service.user, now=services.now(), source="cli"
                )
            token = make_token(
                services.signer, user_id=user.id, hours=TOKEN_HOURS, now=services.now(), scope=scope
            )
        transport = httpx2.ASGITransport(app=create_app(services), raise_app_exceptions=False)
        async with httpx2.AsyncClient(
            transport=transport,
            base_url="http://goals",
            headers={"Authorization": f"Bearer {token}"},
            timeout=None,
        ) as client:
            yield client
