"""Who knows users and courses in this process, and whether the database is made for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

from db import external
from db.engine import CONNECT_TIMEOUT_SECONDS, database_url
from tools.directory import OWN_TABLES, Directory
from tools.errors import SetupError
from tools.http import make_http_clients

if TYPE_CHECKING:
    from api.settings import Settings


@contextlib.asynccontextmanager
async def open_directory(settings: "Settings", url: str) -> AsyncIterator[Directory]:
    """Yield who knows users and courses: the tables of the database at `url`, or their service.

    Raises SetupError where that database is not made for it, or the service has no address.
    """
    await asyncio.to_thread(require_place, settings, url)
    if settings.users == "own":
        yield OWN_TABLES
        return

    from tools.users_service import UsersService

    if settings.users_url is None:
        raise SetupError("GOALS_USERS=service needs GOALS_USERS_URL, the address of that service")
    if settings.sign_in:
        raise SetupError("GOALS_SIGN_IN=true, but users are elsewhere (GOALS_USERS=service)")
    token = settings.users_token
    clients = make_http_clients(timeout=settings.users_timeout)
    try:
        yield UsersService(
            settings.users_url,
            client=clients.asynchronous,
            token=None if token is None else token.get_secret_value(),
            timeout=settings.users_timeout,
            fresh=settings.users_fresh,
            stale=settings.users_stale,
        )
    finally:
        await clients.aclose()


def require_place(settings: "Settings", url: str) -> None:
    """Raise SetupError where the database at `url` is not made for GOALS_USERS, with the way out.

    One that does not answer is no such case.
    """
    engine = create_engine(
        database_url(url),
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )
    try:
        with engine.connect() as connection:
            elsewhere = external.is_external(connection)
    except OperationalError:
        return
    if elsewhere and settings.users == "own":
        raise SetupError(
            "this database has no users of its own: set GOALS_USERS=service and GOALS_USERS_URL, "
            "or run `./migrate.sh internalize`"
        )
    if not elsewhere and settings.users == "service":
        raise SetupError(
            "GOALS_USERS=service, but this database has users of its own: run "
            "`./migrate.sh externalize`"
        )
