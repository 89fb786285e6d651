"""The databases of a run: what is loaded into them, and how far they have come."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from db.batches import EventRow
from db.engine import conninfo
from events.bench.messages import user_ids

LOAD_ROWS: Final = 50_000

_ADD_USER: Final = """
insert into users (id, email, username, hashed_password) values (%(id)s, %(id)s, %(id)s, '!')
"""
_LOAD: Final = """
copy events (id, event_type, user_id, entity_type, entity_id, payload, metadata, created_at)
from stdin
"""
# The manifest is short: to count the events themselves would disturb what is measured.
_DONE: Final = "select coalesce(sum(rows), 0) from parquet_batches where state = 'done'"
_LEFT: Final = "select exists (select from events where processed_at is null limit 1)"


def connect(url: str) -> psycopg.Connection[Any]:
    """Open a connection to `url` that commits each statement."""
    return psycopg.connect(conninfo(url), autocommit=True)


@contextlib.contextmanager
def open_copy(server_url: str, template: str) -> Iterator[str]:
    """Make a database as a copy of `template`, yield its URL, and drop it."""
    name = f"bench_{uuid.uuid4().hex}"
    create = sql.SQL("create database {} template {}")
    with connect(server_url) as connection:
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
        with connect(server_url) as connection:
            connection.execute(drop)


def add_users(url: str) -> None:
    """Add the learners whom the events are about."""
    with connect(url) as connection, connection.cursor() as cursor:
        cursor.executemany(_ADD_USER, [{"id": user} for user in user_ids()])


def load(url: str, rows: Iterator[EventRow], *, announce: Callable[[int], None]) -> None:
    """Put `rows` into the outbox, tell `announce` how many there are, and let the server rest."""
    add_users(url)
    loaded = 0
    with connect(url) as connection, connection.cursor() as cursor:
        while some := list(islice(rows, LOAD_ROWS)):
            with cursor.copy(_LOAD) as copy:
                for row in some:
                    copy.write_row(_columns(row))
            loaded += len(some)
            announce(loaded)
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")


def _columns(row: EventRow) -> tuple[object, ...]:
    at = row.created_at.astimezone(UTC).replace(tzinfo=None)
    about = (row.user_id, row.entity_type, row.entity_id, row.payload, row.metadata)
    return (row.id, row.event_type, *about, at)


def count_done(connection: psycopg.Connection[Any]) -> int:
    """Return how many events are in finished files, as the manifest says it."""
    found = connection.execute(_DONE).fetchone()
    return int(found[0]) if found else 0


def has_unprocessed(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether an event is not in the lake yet; reads on until it finds one."""
    found = connection.execute(_LEFT).fetchone()
    return bool(found and found[0])


def describe_server(url: str) -> dict[str, str]:
    """Return the server's version and how durable its commits are."""
    names = {"postgresql": "server_version", "fsync": "fsync", "commit": "synchronous_commit"}
    asked = "select name, setting from pg_settings where name = any(%s)"
    with connect(url) as connection:
        settings = dict(connection.execute(asked, [list(names.values())]).fetchall())
    return {name: str(settings[setting]) for name, setting in names.items()}
