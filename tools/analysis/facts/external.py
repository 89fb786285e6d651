"""Run an analyzer's program on hostile text: bounded in time and output, killed as a group."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.analysis.facts.fact import Unusable

MAX_OUTPUT: Final = 4_000_000

# Nothing of ours is handed on: neither keys nor options of the programs (RUFF_CONFIG…).
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "NO_COLOR": "1"}


@dataclass(frozen=True)
class Finished:
    """What a program that ended by itself left: its exit code and its standard output."""

    code: int
    output: bytes


_hidden: list[str] = []


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """Let a program be missing within the block, as on machines that do not have it."""
    _hidden.append(name)
    try:
        yield
    finally:
        _hidden.remove(name)


def find_program(name: str) -> str:
    """Return the path of a program, from our own environment first; Unusable where it is none."""
    if name in _hidden:
        raise Unusable(f"{name} is not installed")
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if found is None:
        raise Unusable(f"{name} is not installed")
    return found


async def run_program(
    command: Sequence[str], *, stdin: bytes, folder: Path | None, seconds: float
) -> Finished:
    """Run a program in `folder` with `stdin`; Unusable after `seconds` or `MAX_OUTPUT` bytes.

    When this returns, however it does, the program and those that it started are gone.
    """
    process = _start(command, stdin, folder)
    finished = False
    try:
        async with asyncio.timeout(seconds), _opened(process) as output:
            said = await _read(output)
            code = await asyncio.to_thread(process.wait)
        finished = True
        return Finished(code, said)
    except TimeoutError:
        raise Unusable(f"took longer than {seconds:g} s") from None
    finally:
        if not finished:
            await _end(process)


def _start(command: Sequence[str], stdin: bytes, folder: Path | None) -> "subprocess.Popen[bytes]":
    """Start the program, by vfork: uvloop forks, which costs a large process milliseconds.

    It copies the page tables, and each page that is written to afterwards is a fault.
    """
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            return subprocess.Popen(
                command,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            raise Unusable(f"cannot be started: {error}") from error


@asynccontextmanager
async def _opened(process: "subprocess.Popen[bytes]") -> AsyncIterator[asyncio.StreamReader]:
    """Yield what the program says. Nothing is read any more after the block."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), process.stdout
    )
    try:
        yield reader
    finally:
        transport.close()


async def _read(stream: asyncio.StreamReader) -> bytes:
    output = bytearray()
    while piece := await stream.read(65_536):
        output += piece
        if len(output) > MAX_OUTPUT:
            raise Unusable(f"said more than {MAX_OUTPUT} bytes")
    return bytes(output)


async def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.wait)
