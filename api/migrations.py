"""The schema's version: what the database has, what the program needs, and the way there."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine

from db.engine import CONNECT_TIMEOUT_SECONDS, database_url

ROOT: Final = Path(__file__).resolve().parent.parent


def make_config(url: str | None = None) -> Config:
    """Return Alembic's configuration for the database at `url`; without one, for the configured."""
    config = Config(ROOT / "alembic.ini")
    if url is not None:
        config.attributes["url"] = url
    return config


def migrate(url: str, *, afterwards: Sequence[Callable[[Connection], object]] = ()) -> None:
    """Bring the database at `url` to the newest revision, quietly; wait for who does it already.

    Then, before anybody else's turn, each of `afterwards` is called in a transaction of its own.
    Raises sqlalchemy.exc.DBAPIError where the database is unreachable or refuses, and
    alembic.util.CommandError for a revision that this program does not know, or a lock held too
    long.
    """
    # A revision may import LangGraph, which reads this once, at its first import.
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    config = make_config(url)
    config.attributes["afterwards"] = afterwards
    command.upgrade(config, "head")


def current_revision(url: str) -> str | None:
    """Return the revision of the database at `url`, or None where nothing has been migrated."""
    engine = create_engine(
        database_url(url),
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str:
    """Return the newest revision that this program knows."""
    head = ScriptDirectory.from_config(make_config()).get_current_head()
    assert head is not None
    return head
