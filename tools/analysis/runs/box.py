"""Start hostile Python in a box: bubblewrap around CPython, Linux only.

Inside there is the interpreter with its standard library and the system's shared libraries, all
read-only, 8 MiB of scratch memory at `/tmp`, and nothing else: no other file, no network, no
`/proc`, no environment, no capability, no new process. The kernel is the wall: a hole in Linux
itself is a way out.
"""

import os
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.analysis.runs.seccomp import write_filter

SCRATCH_BYTES = 8 * 1024 * 1024
PROBE_SECONDS = 10.0
MAX_ANSWERS = 2_000_000
# What stands around every box, whatever runs in it.
WALLS = (
    *("--unshare-all", "--unshare-user", "--disable-userns"),
    *("--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--hostname", "box"),
    *("--die-with-parent", "--new-session", "--clearenv"),
)
_HARNESS = Path(__file__).with_name("box_harness.py")
_LIBRARIES = [Path(name) for name in ("/usr/lib", "/usr/lib64", "/lib", "/lib64")]
# So many boxes at once; the next one waits.
_places = threading.BoundedSemaphore(max(os.cpu_count() or 1, 2))


@cache
def find_box() -> str | None:
    """Give the path of a bubblewrap that works here, tried once; None where there is none."""
    bwrap = shutil.which("bwrap")
    if bwrap is None or sys.platform != "linux" or write_filter() is None:
        return None
    script = "import sys; print(sys.version)"
    try:
        with _Files(script=script.encode()) as files:
            done = subprocess.run(
                _command(bwrap, files),
                pass_fds=files.numbers,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROBE_SECONDS,
                check=False,
                text=True,
            )
    except (OSError, subprocess.SubprocessError):
        return None
    # Another libpython of the same minor version may stand in the system's folder.
    return bwrap if done.stdout.strip() == sys.version else None


class _Files:
    """The filter, the program and its job as files in memory, for as long as a start takes."""

    def __init__(self, *, script: bytes, job: bytes = b"", stdin: bytes = b"") -> None:
        self._contents = (write_filter() or b"", script, job, stdin)
        self.numbers: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        for content in self._contents:
            number = os.memfd_create("box")
            self.numbers = (*self.numbers, number)
            os.write(number, content)
            os.lseek(number, 0, os.SEEK_SET)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        for number in self.numbers:
            os.close(number)


def _command(bwrap: str, files: _Files) -> list[str]:
    filter_fd, script_fd, job_fd, _ = (str(number) for number in files.numbers)
    python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    library = sysconfig.get_path("stdlib")
    binds = [python, library, *system_libraries(), *_own_libraries()]
    return [
        *(bwrap, *WALLS),
        *(part for path in binds for part in ("--ro-bind", path, path)),
        *(part for path in _foreign_packages(library) for part in ("--tmpfs", path)),
        *library_links(),
        *("--dev-bind", "/dev/null", "/dev/null"),
        *("--size", str(SCRATCH_BYTES), "--tmpfs", "/tmp"),  # noqa: S108 - a fresh one, in the box
        *("--ro-bind-data", script_fd, "/harness.py", "--ro-bind-data", job_fd, "/job.json"),
        *("--remount-ro", "/", "--chdir", "/tmp", "--seccomp", filter_fd),  # noqa: S108 - the same
        *("--", python, "-I", "-S", "-B", "-X", "utf8", "/harness.py"),
    ]


@cache
def system_libraries() -> tuple[str, ...]:
    """List the system's folders of libraries."""
    return tuple(str(one) for one in _LIBRARIES if one.is_dir() and not one.is_symlink())


@cache
def _own_libraries() -> tuple[str, ...]:
    """List the interpreter's own library."""
    own = Path(sysconfig.get_config_var("LIBDIR") or sys.base_prefix)
    return tuple(str(path) for path in sorted(own.glob("libpython3*.so*")))


@cache
def library_links() -> tuple[str, ...]:
    """Give bubblewrap's arguments for the folders of libraries that are links."""
    links = [link for link in _LIBRARIES if link.is_symlink()]
    return tuple(part for link in links for part in ("--symlink", str(link.readlink()), str(link)))


@cache
def _foreign_packages(library: str) -> tuple[str, ...]:
    folders = (Path(library, name) for name in ("site-packages", "dist-packages"))
    return tuple(str(folder) for folder in folders if folder.is_dir())


class BoxTimeout(Exception):
    """Nothing was answered in time."""


class BoxedProcess(ABC):
    """One process in a box, which ends with the `with` block, and all that it started with it.

    The harness answers in lines on the process's standard error; what the program prints comes on
    its standard output, of which `most_printed` bytes are kept.
    """

    def __init__(self, *, most_printed: int) -> None:
        self._most_printed = most_printed
        self.printed = b""
        self.flooded = False
        self._answers = b""
        self._taken = 0

    def __enter__(self) -> Self:
        bwrap = find_box()
        if bwrap is None:
            raise OSError("bubblewrap does not work here")
        _places.acquire()
        try:
            self._process = self._start(bwrap)
        except BaseException:
            _places.release()
            raise
        self._streams = selectors.DefaultSelector()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._streams.register(stream, selectors.EVENT_READ)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        try:
            # The whole group, and by the namespace of its processes whatever left the group.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._drain(time.monotonic() + 1)
        finally:
            self._streams.close()
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None
                stream.close()
            _places.release()

    @property
    def said(self) -> bytes:
        """Give all that came on the standard error until now."""
        return self._answers

    def answer(self, *, seconds: float) -> bytes | None:
        """Give the next line of the harness; None after the last one.

        Raises BoxTimeout after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while (end := self._answers.find(b"\n", self._taken)) < 0:
            if not self._read(deadline):
                return None
        line, self._taken = self._answers[self._taken : end], end + 1
        return line

    def wait_for_end(self, *, seconds: float) -> int:
        """Give the exit status once the process has ended, or has flooded its output."""
        deadline = time.monotonic() + seconds
        while not self.flooded and self._read(deadline):
            pass
        if self.flooded:
            return -1
        try:
            return self._process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            raise BoxTimeout from None

    @abstractmethod
    def _start(self, bwrap: str) -> subprocess.Popen[bytes]:
        """Start the process, with pipes for both of its outputs, as a session of its own."""

    def _read(self, deadline: float) -> bool:
        """Read what is there; False once both streams have ended or hold too much."""
        if not self._streams.get_map():
            return False
        ready = self._streams.select(max(deadline - time.monotonic(), 0))
        if not ready:
            raise BoxTimeout
        for key, _ in ready:
            data = os.read(key.fd, 65_536)
            if not data:
                self._streams.unregister(key.fileobj)
            elif key.fileobj is self._process.stdout:
                room = self._most_printed - len(self.printed)
                self.printed += data[:room]
                self.flooded = self.flooded or len(data) > room
            else:
                self._answers += data
        return len(self._answers) <= MAX_ANSWERS

    def _drain(self, deadline: float) -> None:
        with suppress(BoxTimeout):
            while self._streams.get_map() and self._read(deadline):
                pass


class Box(BoxedProcess):
    """CPython in a box, with the harness that answers for the program of a job."""

    def __init__(self, job: bytes, *, stdin: bytes = b"", most_printed: int = 0) -> None:
        super().__init__(most_printed=most_printed)
        self._job, self._stdin = job, stdin

    def _start(self, bwrap: str) -> subprocess.Popen[bytes]:
        script = _HARNESS.read_bytes()
        with _Files(script=script, job=self._job, stdin=self._stdin) as files:
            return subprocess.Popen(
                _command(bwrap, files),
                pass_fds=files.numbers[:-1],
                stdin=files.numbers[-1],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
