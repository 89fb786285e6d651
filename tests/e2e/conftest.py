"""The `goals` program as its users start it: real processes, each test in a home of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.scratch import open_scratch

ROOT: Final = Path(__file__).resolve().parents[2]
GOALS: Final = [sys.executable, "-m", "api"]
READY: Final = "Uvicorn running on "
STOP_SECONDS: Final = 30


@dataclass(frozen=True)
class Program:
    """The program with an environment of its own."""

    home: Path
    environment: dict[str, str]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*GOALS, *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def run_worker_until(self, line: str, **environment: str) -> int:
        """Start the worker, wait until it logs `line`, ask it to end; return its exit code."""
        process = subprocess.Popen(
            [*GOALS, "worker"],
            cwd=ROOT,
            env=self.environment | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        for said in process.stderr:
            if line in said:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=STOP_SECONDS)
        return process.returncode

    @contextlib.contextmanager
    def serve(self, *, workers: int = 1, **environment: str) -> Iterator["Server"]:
        """Start the API on a free port, wait until it listens, and stop it at the end."""
        log = self.home / f"serve-{len(list(self.home.glob('serve-*.log')))}.log"
        with log.open("wb") as writing:
            process = subprocess.Popen(
                [*GOALS, "serve", "--port", "0", "--workers", str(workers)],
                cwd=ROOT,
                env=self.environment | environment,
                stderr=writing,
                text=True,
            )
        try:
            yield Server(process, _listening_address(process, log), log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


@dataclass(frozen=True)
class Server:
    """A running API."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own server
            self.url + path, data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310 - our own server
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def stop(self) -> int:
        """Ask the process to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


def _listening_address(process: subprocess.Popen[str], log: Path) -> str:
    """Return where the server listens, as its log says: a pipe that nobody reads would stop it."""
    while True:
        ended = process.poll() is not None
        said = log.read_text()
        if READY in said:
            return said.split(READY, 1)[1].split()[0]
        if ended:
            raise AssertionError("the server ended before it listened:\n" + said)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)


@pytest.fixture
def program() -> Iterator[Program]:
    """Yield the program with a fresh home, scripted models and no other configuration."""
    with open_scratch() as home:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GOALS_", "OPENAI_", "DATABASE_", "AMQP_"))
        }
        environment |= {
            "GOALS_HOME": str(home),
            "GOALS_CHAT": "scripted",
            "GOALS_EMBEDDINGS": "scripted",
        }
        yield Program(home, environment)
