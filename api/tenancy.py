"""Whose connection a request works on, and the refusal to work on one that sees too much."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from db.engine import CONNECT_TIMEOUT_SECONDS, database_url
from db.tenancy import APP_ROLE, SYSTEM_ROLE
from db.tenancy_checks import find_faults, find_system_fault, set_password
from tools.errors import DatabaseUnavailable, SetupError
from tools.logs import LazyLogger

if TYPE_CHECKING:
    from api.settings import Settings

log = LazyLogger(__name__)

NO_APP_URL: Final = """\
DATABASE_APP_URL is not set: requests connect as {role}, which sees one user's rows at a time, \
never as the owner of the tables. `goals migrate` makes that role; give it a password as the owner,
    alter role {role} password '…';
and set, with that password,
    DATABASE_APP_URL={url}
or set DATABASE_APP_URL first: `goals migrate --set-app-password` then does the rest"""
NO_LOGIN: Final = """\
DATABASE_APP_URL: {reason}. DATABASE_URL answers, so it is the role or its password; as the owner,
    alter role {role} login password '…';
or `goals migrate --set-app-password`, which gives {role} the password that DATABASE_APP_URL has"""


def app_url_of(settings: "Settings", url: str) -> str:
    """Return the URL that requests connect to; `url` is the owner's, of the same database.

    Raises SetupError where one's own database has no such URL configured, or it is none.
    """
    if settings.database_url is None:
        from db.embedded import as_app

        return as_app(url)
    if settings.database_app_url is None:
        example = make_url(url).set(drivername="postgresql", username=APP_ROLE)
        shown = example.set(password="…").render_as_string(hide_password=False)  # noqa: S106 - none
        shown = shown.replace("%E2%80%A6", "…")
        raise SetupError(NO_APP_URL.format(role=APP_ROLE, url=shown))
    try:
        return database_url(settings.database_app_url.get_secret_value())
    except ValueError as error:
        raise SetupError(f"DATABASE_APP_URL: {error}") from error


@dataclass
class Tenancy:
    """Whether it is known that requests see one user's rows only; nothing is served before."""

    url: str
    app_url: str
    is_known: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def require(self) -> None:
        """Return once it is known. Raises DatabaseUnavailable where it is not so, or not yet."""
        if self.is_known:
            return
        async with self._turn:
            if self.is_known:
                return
            try:
                self.is_known = await asyncio.to_thread(is_in_force, self.url, self.app_url)
            except SetupError as error:
                log.error("tenancy.refused", reason=error.detail)
                raise DatabaseUnavailable("the database does not keep users apart") from error
        if not self.is_known:
            raise DatabaseUnavailable("the database does not answer, or is not migrated")


async def open_tenancy(url: str, app_url: str) -> Tenancy:
    """Return what watches over requests at `app_url`; `url` is the owner's.

    A database that is away, or not migrated, is asked again with the first request. Raises
    SetupError, with the commands that mend it, where it would show users the rows of others.
    """
    tenancy = Tenancy(url, app_url, await asyncio.to_thread(is_in_force, url, app_url))
    if not tenancy.is_known:
        log.warning("tenancy.unknown", reason="the database is away, or not migrated")
    return tenancy


def is_in_force(url: str, app_url: str) -> bool:
    """Tell whether row level security binds who connects to `app_url`.

    False where nobody can tell: the database at `url` does not answer, or is not at this program's
    revision. Raises SetupError, with the commands that mend it, where it does not.
    """
    from api.migrations import current_revision, head_revision

    try:
        if current_revision(url) != head_revision():
            return False
        with _connected(url) as connection:
            fault = find_system_fault(connection)
    except OperationalError:
        return False
    if fault is not None:
        raise SetupError(f"DATABASE_URL: {fault}")
    try:
        with _connected(app_url) as connection:
            faults = find_faults(connection)
    except OperationalError as error:
        role = make_url(app_url).username
        raise SetupError(NO_LOGIN.format(reason=_first_line(error), role=role)) from error
    if faults:
        raise SetupError("DATABASE_APP_URL: " + "\n".join(faults))
    return True


def give_password(settings: "Settings", url: str) -> None:
    """Give the role of DATABASE_APP_URL the password that is in it, as the owner at `url`.

    Raises SetupError where the URL is not set, or has none of either.
    """
    app = make_url(app_url_of(settings, url))
    if settings.database_app_url is None or app.username is None or app.password is None:
        raise SetupError("DATABASE_APP_URL names no role with a password")
    if app.username in {SYSTEM_ROLE, make_url(url).username}:
        raise SetupError(f"DATABASE_APP_URL: {app.username} is no role for requests")
    try:
        with _connected(url) as connection:
            set_password(connection, app.username, app.password)
    except DBAPIError as error:
        raise SetupError(
            f"{app.username} was given no password: {_first_line(error)}. Let an administrator "
            f"run: alter role {app.username} login password '…'"
        ) from error


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )
    with engine.begin() as connection:
        yield connection


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
