"""Several processes that serve the API on one port: started, replaced where one dies, and stopped.

The port's socket is opened here and inherited: what waits to be accepted waits for all of them, so
a process that dies takes with it only what it was answering. What there is once, the embedded
PostgreSQL and the local model's server, is opened here too.
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from api.bootstrap import open_database
from api.logs import configure_logging
from api.settings import Settings
from tools.errors import SetupError

ROOT: Final = Path(__file__).resolve().parents[1]
LOOK_SECONDS: Final = 0.2
STOP_SECONDS: Final = 28.0
"""How long the processes may take to end after SIGTERM; then they are killed."""
SETTLED_SECONDS: Final = 10.0
"""Who dies younger than this is not replaced at once, or a broken program would spin."""
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
READY: Final = b"r"

log = structlog.get_logger(__name__)


@dataclass
class _Worker:
    """One place among the processes, and who has it now."""

    number: int
    process: "subprocess.Popen[bytes] | None" = None
    line: socket.socket | None = None
    """Tells when the process is ready, and ends with it; its other end ends with this one."""
    ready: bool = False
    started_at: float = 0.0
    start_again_at: float = 0.0
    pause: float = 0.0


@dataclass
class _Crew:
    listener: socket.socket
    environment: dict[str, str]
    workers: list[_Worker]
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def start(self, worker: _Worker) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            worker.process = subprocess.Popen(
                _command(worker.number, listener=self.listener, line=theirs),
                env=self.environment,
                pass_fds=(self.listener.fileno(), theirs.fileno()),
                process_group=0,  # Ctrl-C is for this process, which ends them in order
            )
        ours.setblocking(False)
        worker.line, worker.ready, worker.started_at = ours, False, time.monotonic()
        self.selector.register(ours, selectors.EVENT_READ, worker)

    def look(self, timeout: float) -> None:
        """Note who became ready and who has died."""
        for key, _ in self.selector.select(timeout):
            worker: _Worker = key.data
            assert worker.line is not None
            assert worker.process is not None
            with contextlib.suppress(ConnectionResetError):
                if worker.line.recv(16):
                    worker.ready = True
                    continue
            self.selector.unregister(worker.line)
            worker.line.close()
            code = worker.process.wait()
            lived = time.monotonic() - worker.started_at
            worker.process = worker.line = None
            settled = worker.ready and lived > SETTLED_SECONDS
            pause = 0.0 if settled else worker.pause
            worker.start_again_at = time.monotonic() + pause
            worker.pause = min(max(2 * pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            log.warning("worker.died", number=worker.number, code=code, seconds=round(lived, 1))

    def replace(self) -> None:
        """Start who has died, each after its pause."""
        for worker in self.workers:
            if worker.process is None and time.monotonic() >= worker.start_again_at:
                self.start(worker)

    def stop(self) -> None:
        """End all in order, those that do not by force."""
        processes = [each.process for each in self.workers if each.process is not None]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("worker.killed", pid=process.pid)
                process.kill()
                process.wait()


def run_workers(settings: Settings, *, host: str, port: int, workers: int) -> int:
    """Serve the API by `workers` processes until SIGTERM or SIGINT; return the exit code.

    Raises SetupError where the port cannot be had or a model is missing.
    """
    if os.name != "posix":
        raise SetupError("several workers need Linux or macOS: start one, or several services")
    configure_logging()
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda caught, _frame: stop.append(caught))

    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_bind(host, port))
        stack.enter_context(open_database(settings))
        environment = {**os.environ, **stack.enter_context(_shared_model(settings))}
        paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        crew = _Crew(listener, environment, [_Worker(number) for number in range(workers)])
        try:
            return _watch(crew, stop)
        finally:
            listener.close()  # or who comes now would wait for nobody
            crew.stop()


def _watch(crew: _Crew, stop: list[int]) -> int:
    """Keep the crew whole until a signal; 1 where the first one cannot even start."""
    first = crew.workers[0]
    crew.start(first)
    while not first.ready and not stop:
        crew.look(LOOK_SECONDS)
        if first.process is None:  # it has said why
            return 1
    announced = False
    while not stop:
        crew.replace()
        crew.look(LOOK_SECONDS)
        if not announced and all(worker.ready for worker in crew.workers):
            announced = True
            host, port = crew.listener.getsockname()[:2]
            logging.getLogger("uvicorn.error").info(
                "Uvicorn running on http://%s:%d by %d processes (Press CTRL+C to quit)",
                f"[{host}]" if ":" in host else host,
                port,
                len(crew.workers),
            )
    return 0


def _command(number: int, *, listener: socket.socket, line: socket.socket) -> list[str]:
    own = ["serve-worker", str(number), str(listener.fileno()), str(line.fileno())]
    return [sys.executable, "-P", "-m", "api", *own]


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; the first process that is ready listens on it."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise SetupError(
            f"GOALS_HOST, GOALS_PORT: nobody can listen on {host} port {port}: "
            f"{error.strerror or error}"
        ) from error
    return bound


@contextlib.contextmanager
def _shared_model(settings: Settings) -> Iterator[dict[str, str]]:
    """Serve the local model, if it is the one, and yield where the processes find it."""
    if settings.chat_provider != "local":
        yield {}
        return

    from agent.local_server import serve_model

    with serve_model(settings.local_model) as server:
        yield {"GOALS_MODEL_SERVER": server.base_url, "GOALS_MODEL_SERVER_KEY": server.api_key}
