"""A box for one program that is built, or that has been: bubblewrap around any command.

Inside there are the folders that a language's tools need, read-only, the files of one job, and
scratch memory of a fixed size; no other file, no network, no environment, no capability. A program
that has been built may start threads and no process; compilers and shells may start processes,
which end with the box. Limits are set before it starts: CPU time, addresses or data, file size.
A shell bounds the number of its processes itself, inside, where only they count; the kernel does
not count them for root, so that root's shells run as nobody.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache

from tools.analysis.runs.box import WALLS, BoxedProcess, library_links, system_libraries
from tools.analysis.runs.seccomp import write_filter

MEBIBYTE = 1024 * 1024
SCRATCH_BYTES = 8 * MEBIBYTE
_NOBODY = 65534


@dataclass(frozen=True)
class Limits:
    """What bounds every process of a box; bytes of addresses or of writable data, as one is set.

    `addresses` bounds all that is mapped. Runtimes that reserve much more than they use are
    bounded by `data`: private memory that can be written.
    """

    cpu_seconds: int
    addresses: int | None = None
    data: int | None = None
    scratch: int = SCRATCH_BYTES
    file_size: int = SCRATCH_BYTES


@dataclass(frozen=True)
class Job:
    """What runs in a chamber: the command, its files by their path inside, folders of the host.

    `processes`: it may start some. `proc`: it cannot do without `/proc`, and gets one that shows
    nothing but its own processes.
    """

    command: tuple[str, ...]
    limits: Limits
    files: Mapping[str, bytes] = field(default_factory=dict)
    binds: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    processes: bool = False
    proc: bool = False


@cache
def find_limiter() -> str | None:
    """Give the path of `prlimit`, of util-linux."""
    return shutil.which("prlimit")


class Chamber(BoxedProcess):
    """One process of a job, which ends with the `with` block, with all that it started."""

    def __init__(self, job: Job, *, stdin: bytes = b"", most_printed: int = 0) -> None:
        super().__init__(most_printed=most_printed)
        self._job, self._stdin = job, stdin

    def _start(self, bwrap: str) -> subprocess.Popen[bytes]:
        limiter = find_limiter()
        if limiter is None:
            raise OSError("prlimit is not installed")
        job = self._job
        crowd = os.geteuid() == 0 and job.processes and all(map(_is_public, job.binds))
        with ExitStack() as files:
            sieve = write_filter(processes=job.processes) or b""
            sieve_fd = files.enter_context(_in_memory(sieve))
            stdin = files.enter_context(_in_memory(self._stdin))
            contents = {
                path: files.enter_context(_in_memory(content))
                for path, content in job.files.items()
            }
            return subprocess.Popen(
                [*_limit(limiter, job), bwrap, *_arguments(job, contents, sieve_fd)],
                pass_fds=(sieve_fd, *contents.values()),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                user=_NOBODY if crowd else None,
                group=_NOBODY if crowd else None,
                extra_groups=[] if crowd else None,
            )


def _is_public(path: str) -> bool:
    return path.startswith(("/usr/", "/etc/", "/opt/"))


@contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    number = os.memfd_create("chamber") if sys.platform == "linux" else -1
    try:
        with os.fdopen(os.dup(number), "wb") as file:
            file.write(content)
        os.lseek(number, 0, os.SEEK_SET)
        yield number
    finally:
        os.close(number)


def _limit(limiter: str, job: Job) -> list[str]:
    limits = job.limits
    options = [f"--cpu={limits.cpu_seconds}", "--core=0", f"--fsize={limits.file_size}"]
    options += [f"--as={limits.addresses}"] if limits.addresses is not None else []
    options += [f"--data={limits.data}"] if limits.data is not None else []
    return [limiter, *options, "--"]


def _arguments(job: Job, contents: Mapping[str, int], sieve: int) -> list[str]:
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108 - the box's
    environment |= job.environment
    # A folder inside of another needs no place of its own.
    binds = [*system_libraries(), *(one for one in job.binds if not _is_shared(one))]
    return [
        *WALLS,
        *(part for name, value in environment.items() for part in ("--setenv", name, value)),
        *(part for path in binds for part in ("--ro-bind", path, path)),
        *(part for link, to in job.links for part in ("--symlink", to, link)),
        *library_links(),
        *("--symlink", "usr/bin", "/bin"),
        *("--dev-bind", "/dev/null", "/dev/null"),
        *(("--proc", "/proc") if job.proc else ()),
        *("--size", str(job.limits.scratch), "--tmpfs", "/tmp"),  # noqa: S108 - the box's
        *(
            part
            for path, number in contents.items()
            for part in ("--perms", "0555", "--ro-bind-data", str(number), path)
        ),
        *("--remount-ro", "/", "--chdir", "/tmp", "--seccomp", str(sieve), "--"),  # noqa: S108 - the box's
        *job.command,
    ]


def _is_shared(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in system_libraries())
