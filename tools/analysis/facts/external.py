"""Run an analyzer's program on hostile text: bounded in time and output, killed as a group."""

import asyncio
import os
import shutil
import signal
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.analysis.facts.fact import Unusable

MAX_OUTPUT: Final = 4_000_000
REAP_SECONDS: Final = 1.0

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
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=folder,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    )
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:  # it may have started others before we have heard of it
        with suppress(OSError, NotImplementedError):
            await _end(await starting)
        raise
    except (OSError, NotImplementedError) as error:
        raise Unusable(f"cannot be started: {error}") from error
    finished = False
    try:
        async with asyncio.timeout(seconds):
            _, output = await asyncio.gather(_write(process, stdin), _read(process))
            code = await process.wait()
        finished = True
        return Finished(code, output)
    except TimeoutError:
        raise Unusable(f"took longer than {seconds:g} s") from None
    finally:
        if not finished:
            await _end(process)


async def _write(process: asyncio.subprocess.Process, data: bytes) -> None:
    if process.stdin is None:
        return
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    output = bytearray()
    while process.stdout is not None and (piece := await process.stdout.read(65_536)):
        output += piece
        if len(output) > MAX_OUTPUT:
            raise Unusable(f"said more than {MAX_OUTPUT} bytes")
    return bytes(output)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    try:
        await asyncio.wait_for(process.wait(), REAP_SECONDS)
    except TimeoutError:
        # A grandchild that left the group holds the pipes; `wait` waits for those too.
        process._transport.close()  # type: ignore[attr-defined] # asyncio has no public way
