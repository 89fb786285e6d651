"""PostgreSQL for tests: one server a session, migrated once, and a fresh copy for each test.

`GOALS_TEST_DATABASE_URL` names a server (its role may create databases); without it, the embedded
one runs in a temporary folder and listens on a Unix socket only.
"""

import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from api.migrations import migrate
from db.embedded import open_embedded
from db.engine import REQUEST_OPTIONS, Sessions, conninfo, make_engine, make_sessions
from db.engine import database_url as normalise
from db.tenancy import APP_ROLE
from tests.scratch import open_scratch


def connect(url: str) -> psycopg.Connection:
    """Open a connection to `url` that commits each statement."""
    return psycopg.connect(conninfo(url), autocommit=True)


@contextlib.contextmanager
def open_database(server_url: str, *, template: str = "template1") -> Iterator[str]:
    """Make a database as a copy of `template`, yield its URL and drop it, whoever is connected."""
    name = f"goals_{uuid.uuid4().hex}"
    create = sql.SQL("create database {} template {}")
    drop = sql.SQL("drop database {} with (force)")
    with connect(server_url) as connection:
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with connect(server_url) as connection:
            connection.execute(drop.format(sql.Identifier(name)))


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """Yield a folder for an embedded server, which runs as another user where the test is root.

    Not `tmp_path`: whenever pytest starts, it takes that user's way into all of them back.
    """
    with open_scratch() as folder:
        yield folder


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Yield the URL of the server's own `postgres` database, or of the one that is given."""
    given = os.environ.get("GOALS_TEST_DATABASE_URL")
    if given:
        yield normalise(given)
        return

    with open_scratch() as folder, open_embedded(folder / "pg", database="postgres") as url:
        with connect(url) as connection:
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def template_database(server_url: str) -> Iterator[str]:
    """Yield the name of a database that the real migrations brought to head, once."""
    with open_database(server_url) as url:
        migrate(url)
        yield str(make_url(url).database)


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """Yield the URL of a database with nothing in it."""
    with open_database(server_url) as url:
        yield url


@pytest.fixture
def database_url(server_url: str, template_database: str) -> Iterator[str]:
    """Yield the URL of a migrated database that this test has for itself."""
    with open_database(server_url, template=template_database) as url:
        yield url


@pytest_asyncio.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine for `database_url`."""
    engine = make_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(engine: AsyncEngine) -> Sessions:
    """Return a factory of sessions of the owner, who sees everything: what is there, is there."""
    return make_sessions(engine)


@pytest.fixture(scope="session")
def app_login(server_url: str, template_database: str) -> Iterator[dict[str, str]]:
    """Yield user and password of a role that requests connect as, bound as `goals_app` is.

    On a server that is given it is one of its own, which goes with the tests: the password of
    `goals_app` is not theirs to set.
    """
    if not os.environ.get("GOALS_TEST_DATABASE_URL"):
        yield {"username": APP_ROLE}
        return

    login = {"username": f"goals_tests_{uuid.uuid4().hex}", "password": uuid.uuid4().hex}
    role = sql.Identifier(login["username"])
    with connect(server_url) as connection:
        connection.execute(
            sql.SQL("create role {} login password {} in role {}").format(
                role, sql.Literal(login["password"]), sql.Identifier(APP_ROLE)
            )
        )
    yield login
    with connect(server_url) as connection:
        connection.execute(sql.SQL("drop role {}").format(role))


@pytest.fixture
def app_url(database_url: str, app_login: dict[str, str]) -> str:
    """Return the URL of `database_url` as requests connect to it."""
    return as_app(database_url, app_login)


def as_app(url: str, app_login: dict[str, str]) -> str:
    """Return `url` with the role of requests."""
    named = make_url(url).set(username=app_login["username"], password=app_login.get("password"))
    return named.render_as_string(hide_password=False)


@pytest_asyncio.fixture
async def app_engine(app_url: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine that requests work on."""
    engine = make_engine(app_url, options=REQUEST_OPTIONS)
    yield engine
    await engine.dispose()


@pytest.fixture
def app_sessions(app_engine: AsyncEngine) -> Sessions:
    """Return a factory of sessions that see the rows of their tenant."""
    return make_sessions(app_engine)
