"""The embedded PostgreSQL, shared and killed, as processes of their own see it."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

from api.migrations import ROOT
from db.embedded import open_embedded, psql_program
from db.engine import conninfo
from tests.database import connect

PATIENCE: Final = 60

HOLDER: Final = """
import sys
from pathlib import Path
from db.embedded import open_embedded
with open_embedded(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.readline()
"""


class Holder:
    """A process that has the server in `folder` open until it is told to leave."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def url(self) -> str:
        """Return the URL, waiting until the server is there."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, f"the holder ended with {self.process.wait(PATIENCE)}"
        return line

    def leave(self) -> None:
        """Close the server in the ordinary way and wait for the end of the process."""
        self.process.communicate("\n", timeout=PATIENCE)
        assert self.process.returncode == 0

    def kill(self) -> None:
        """End the process with SIGKILL: nothing of its own runs any more."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


StartHolder = Callable[[Path], Holder]


@pytest.fixture
def start_holder() -> Iterator[StartHolder]:
    """Yield a function that starts a holder; those that a failed test forgot are killed."""
    holders: list[Holder] = []

    def start(folder: Path) -> Holder:
        holders.append(Holder(folder))
        return holders[-1]

    yield start
    for holder in holders:
        if holder.process.poll() is None:
            holder.kill()


@pytest.fixture
def folder(data_folder: Path) -> Iterator[Path]:
    """Yield a folder for a server of this test's own, and stop what was left running in it."""
    folder = data_folder / "pg"
    yield folder
    with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess):
        process = psutil.Process(_postmaster(folder))
        if process.name().startswith("postgres") and str(folder) in process.cmdline():
            process.terminate()
            psutil.wait_procs([process], timeout=PATIENCE)


def _postmaster(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().split("\n", 1)[0])


def _runs(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _ends(pid: int, *, within: float = 10.0) -> bool:
    """Wait for a process that is not ours: its pid file goes a moment before it does."""
    deadline = time.monotonic() + within
    while _runs(pid) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return not _runs(pid)


def _write_a_row(url: str) -> None:
    with connect(url) as connection:
        connection.execute("create table kept (word text)")
        connection.execute("insert into kept values ('committed')")


def _read_the_rows(url: str) -> list[str]:
    with connect(url) as connection:
        return [word for (word,) in connection.execute("select word from kept")]


def _kill_server(folder: Path) -> None:
    process = psutil.Process(_postmaster(folder))
    process.kill()
    psutil.wait_procs([process], timeout=PATIENCE)


def test_two_processes_share_one_server_and_the_last_one_stops_it(
    folder: Path, start_holder: StartHolder
) -> None:
    first = start_holder(folder)
    url = first.url
    second = start_holder(folder)
    assert second.url == url
    pid = _postmaster(folder)
    _write_a_row(url)

    first.leave()
    rows_after_the_first_left = _read_the_rows(url)
    second.leave()

    assert rows_after_the_first_left == ["committed"]
    assert _ends(pid)
    assert not (folder / "postmaster.pid").exists()


def test_processes_that_start_at_the_same_moment_get_the_same_server(
    folder: Path, start_holder: StartHolder
) -> None:
    holders = [start_holder(folder) for _ in range(4)]

    urls = [holder.url for holder in holders]
    pid = _postmaster(folder)
    for holder in holders:
        holder.leave()

    assert len(set(urls)) == 1
    assert _ends(pid)


def test_what_was_committed_is_there_after_stop_and_start(folder: Path) -> None:
    with open_embedded(folder) as url:
        _write_a_row(url)

    with open_embedded(folder) as url:
        assert _read_the_rows(url) == ["committed"]


def test_the_server_of_a_killed_holder_is_joined_and_stopped_by_the_next(
    folder: Path, start_holder: StartHolder
) -> None:
    holder = start_holder(folder)
    _write_a_row(holder.url)
    pid = _postmaster(folder)
    holder.kill()

    with open_embedded(folder) as url:
        rows = _read_the_rows(url)
        joined = _postmaster(folder)

    assert rows == ["committed"]
    assert joined == pid
    assert _ends(pid)


def test_a_killed_server_is_started_again_with_the_committed_row(
    folder: Path, start_holder: StartHolder
) -> None:
    holder = start_holder(folder)
    _write_a_row(holder.url)
    holder.kill()
    _kill_server(folder)

    with open_embedded(folder) as url:
        assert _read_the_rows(url) == ["committed"]


def test_a_server_killed_under_its_holder_is_started_by_the_next_and_stopped_by_the_last(
    folder: Path, start_holder: StartHolder
) -> None:
    holder = start_holder(folder)
    _write_a_row(holder.url)
    _kill_server(folder)

    with open_embedded(folder) as url:
        rows = _read_the_rows(url)
        pid = _postmaster(folder)
    holder.leave()

    assert rows == ["committed"]
    assert _ends(pid)


def test_a_pid_file_that_names_another_program_is_not_the_server(
    folder: Path, start_holder: StartHolder
) -> None:
    holder = start_holder(folder)
    _write_a_row(holder.url)
    stale = (folder / "postmaster.pid").read_text().split("\n")
    holder.kill()
    _kill_server(folder)
    stale[0] = str(os.getpid())
    (folder / "postmaster.pid").write_text("\n".join(stale))

    with open_embedded(folder) as url:
        rows = _read_the_rows(url)
        pid = _postmaster(folder)

    assert rows == ["committed"]
    assert pid != os.getpid()
    assert _ends(pid)


def test_a_pid_file_that_names_the_server_of_another_folder_is_not_ours(folder: Path) -> None:
    other = folder.with_name("other")
    with open_embedded(other) as other_url, connect(other_url) as alive:
        with open_embedded(folder) as url:
            _write_a_row(url)
            stale = (folder / "postmaster.pid").read_text().split("\n")
        stale[0] = str(_postmaster(other))
        (folder / "postmaster.pid").write_text("\n".join(stale))

        with open_embedded(folder) as url:
            rows = _read_the_rows(url)

        assert rows == ["committed"]
        assert alive.execute("select 1").fetchone() == (1,)


def test_a_process_that_opens_a_server_twice_keeps_it_until_the_outer_one_is_done(
    folder: Path,
) -> None:
    with open_embedded(folder) as outer:
        with open_embedded(folder) as inner:
            _write_a_row(inner)

        assert _read_the_rows(outer) == ["committed"]


def test_the_server_listens_on_a_unix_socket_only(folder: Path) -> None:
    with open_embedded(folder) as url, connect(url) as connection:
        addresses = connection.execute("show listen_addresses").fetchone()
        listening = psutil.Process(_postmaster(folder)).net_connections(kind="inet")

    assert addresses == ("",)
    assert listening == []


def test_the_psql_of_the_wheel_reaches_it(folder: Path) -> None:
    with open_embedded(folder) as url:
        finished = subprocess.run(
            [psql_program(), conninfo(url), "-Atc", "select 6 * 7"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )

    assert finished.stdout == "42\n"


ACCOUNT_MAKER: Final = """
import sys
from db.embedded import ensure_account
sys.stdin.readline()
ensure_account(sys.argv[1])
"""


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root makes accounts")
def test_on_a_fresh_machine_processes_make_the_account_once_wherever_useradd_is() -> None:
    import pwd

    name = f"goals-{os.getpid()}"
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", ACCOUNT_MAKER, name],
            cwd=ROOT,
            env={**os.environ, "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    try:
        for maker in makers:
            assert maker.stdin is not None
            maker.stdin.write("\n")
            maker.stdin.flush()
        complaints = [maker.communicate(timeout=PATIENCE)[1] for maker in makers]
        assert complaints == [""] * len(makers)
        assert pwd.getpwnam(name).pw_uid != 0
    finally:
        subprocess.run(["/usr/sbin/userdel", name], check=False, capture_output=True)
