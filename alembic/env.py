"""How Alembic reaches the database, waits for its turn, and what it may look at."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from logging.config import fileConfig
from typing import Any, Final, Literal

import pgvector.sqlalchemy  # noqa: F401 - it makes the type known to reflection
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

import db.conversation_models
import db.models
import db.rate_windows  # noqa: F401 - all three register the tables in Base.metadata
from db import external
from db.base import Base, UTCDateTime, Vector
from db.engine import CONNECT_TIMEOUT_SECONDS, UTC_OPTIONS, database_url

ADVISORY_KEY: Final = 1_735_352_684
TURN_WAIT_SECONDS: Final = "300"
TABLE_LOCK_TIMEOUT: Final = "10s"

_log = logging.getLogger("alembic.env")


def _argument(name: str, default: str) -> str:
    """Return the value of `alembic -x name=value`."""
    return context.get_x_argument(as_dictionary=True).get(name, default)


@contextlib.contextmanager
def _open_database() -> Iterator[str]:
    """Yield the caller's URL, else the configured one, else that of the embedded PostgreSQL."""
    given = context.config.attributes.get("url")
    if given is not None:
        yield database_url(given)
        return

    from api.settings import Settings

    settings = Settings()
    if settings.database_url is not None:
        yield database_url(settings.database_url.get_secret_value())
        return

    from db.embedded import open_embedded

    with open_embedded(settings.home / "postgres") as url:
        yield url


def _changes_the_schema() -> bool:
    """Tell `upgrade`, `downgrade` and `stamp` from commands that only look."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


def _wait_for_turn(connection: Connection) -> None:
    """Take the session's advisory lock: one process migrates a database at a time.

    Raises CommandError where another process holds it for longer than `-x lock_wait` seconds.
    """
    deadline = time.monotonic() + float(_argument("lock_wait", TURN_WAIT_SECONDS))
    announced = False
    while not _took_lock(connection):
        if time.monotonic() > deadline:
            raise CommandError(
                f"server process {_holder(connection)} holds the migration lock: another migration"
                " is still running, or hangs. Wait for it, or end it with pg_terminate_backend."
            )
        if not announced:
            _log.info("Another process is migrating; waiting for it")
            announced = True


def _took_lock(connection: Connection) -> bool:
    """Wait half a second at most for the lock, which outlives the transaction.

    One long wait would hold a snapshot, and `create index concurrently` of the process that has
    the lock waits for old snapshots: a deadlock. A short wait ends before it is noticed as one.
    """
    try:
        with connection.begin():
            connection.execute(text("set local lock_timeout = '500ms'"))
            connection.execute(text("select pg_advisory_lock(:key)"), {"key": ADVISORY_KEY})
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        return False
    return True


def _holder(connection: Connection) -> int | None:
    with connection.begin():
        pid: int | None = connection.scalar(
            text(
                "select l.pid from pg_locks l join pg_database d on d.oid = l.database"
                " where d.datname = current_database() and l.locktype = 'advisory'"
                " and l.granted and l.classid = 0 and l.objid = :key"
            ),
            {"key": ADVISORY_KEY},
        )
    return pid


def _users_are_to_be_elsewhere() -> bool:
    """Tell whether `-x users=service` says so, or GOALS_USERS where the settings count."""
    given = _argument("users", "")
    if given or "url" in context.config.attributes:
        return given == "service"

    from api.settings import Settings

    return Settings().users == "service"


def _afterwards() -> Sequence[Callable[[Connection], object]]:
    """Return what is to be done, each in its own transaction, where the newest revision is reached.

    A database without a user becomes one without the tables for them, where that is asked for.
    """
    given: Sequence[Callable[[Connection], object]] = context.config.attributes.get(
        "afterwards", ()
    )
    if given or not _users_are_to_be_elsewhere():
        return given
    return [_externalize_empty]


def _externalize_empty(connection: Connection) -> None:
    if not external.externalize_empty(connection):
        _log.warning(
            "This database has users of its own: ./migrate.sh externalize takes it further"
        )


def _is_at_head(connection: Connection) -> bool:
    heads = ScriptDirectory.from_config(context.config).get_heads()
    return set(MigrationContext.configure(connection).get_current_heads()) == set(heads)


def _include_object(thing: Any, name: str | None, kind: str, _is_here: Any, _other: Any) -> bool:
    """Compare neither the tables of a database without users, nor what leads to them."""
    if kind == "table":
        return name not in external.EXTERNAL
    return kind != "foreign_key_constraint" or not external.is_reference(thing)


def _include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Compare our own tables only, never LangGraph's nor what else lives in the database.

    A table that left the models is therefore not noticed: write its `drop_table` by hand.
    """
    return kind != "table" or name in Base.metadata.tables


def _render_item(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Write a column's type as the database knows it, not as our models do."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime()"
    if kind == "type" and isinstance(item, Vector):
        autogenerate.imports.add("from pgvector.sqlalchemy import Vector")
        return f"Vector({item.dim})"
    return False


def _number_revision(
    _migration: MigrationContext,
    _revision: str | Iterable[str | None] | Iterable[str],
    directives: list[MigrationScript],
) -> None:
    """Give a new revision the next number, unless `--rev-id` names it."""
    if getattr(context.config.cmd_opts, "rev_id", None):
        return
    heads = ScriptDirectory.from_config(context.config).get_heads()
    directives[0].rev_id = f"{max((int(head) for head in heads), default=0) + 1:03d}"


def _configure(**target: Any) -> None:
    context.configure(
        target_metadata=Base.metadata,
        include_name=_include_name,
        render_item=_render_item,
        process_revision_directives=_number_revision,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        **target,
    )


def _migrate_offline() -> None:
    """Print the SQL; no database is touched."""
    _configure(dialect_name="postgresql", literal_binds=True, dialect_opts={"paramstyle": "named"})
    timeout = _argument("lock_timeout", TABLE_LOCK_TIMEOUT)
    context.get_context().impl.static_output(f"SET lock_timeout = '{timeout}';\n")
    with context.begin_transaction():
        context.run_migrations()


def _migrate_online() -> None:
    """Run the revisions, each in its own transaction; closing the connection ends the turn."""
    table_lock_timeout = _argument("lock_timeout", TABLE_LOCK_TIMEOUT)
    with _open_database() as url:
        engine = create_engine(
            url,
            poolclass=NullPool,
            connect_args={
                "options": f"{UTC_OPTIONS} -c lock_timeout={table_lock_timeout}",
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            },
        )
        with engine.connect() as connection, contextlib.ExitStack() as stack:
            changes = _changes_the_schema()
            if changes:
                _wait_for_turn(connection)
            with connection.begin():
                is_external = external.is_external(connection)
            if is_external:
                stack.enter_context(external.without_references())
                _configure(connection=connection, include_object=_include_object)
            else:
                _configure(connection=connection)
            with context.begin_transaction():
                context.run_migrations()
            connection.rollback()  # what is left of looking for revisions
            for step in _afterwards() if changes else ():
                with connection.begin():
                    if _is_at_head(connection):
                        step(connection)


called_by_us = "url" in context.config.attributes
if context.config.config_file_name is not None and not called_by_us:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)

if context.is_offline_mode():
    _migrate_offline()
else:
    _migrate_online()
