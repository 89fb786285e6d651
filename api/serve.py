"""The API as a process, alone or as one of several."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from api.bootstrap import open_filler, open_services
from api.erasures import erase_waiting
from api.gc import keep_tidy
from api.logs import configure_logging
from api.metrics import metrics_exposed
from api.settings import Settings
from api.tracing import traced
from api.workers import carried, carry_all

if TYPE_CHECKING:
    from api.stopping import DrainingServer

GRACE_SECONDS: Final = 20
"""How long requests may still take after SIGTERM."""


@dataclass(frozen=True)
class Place:
    """One process among several: its number, the socket of all, and the line to who started it."""

    number: int
    listener: socket.socket
    line: socket.socket


def run_server(settings: Settings, *, host: str, port: int, place: Place | None = None) -> None:
    """Serve the API until SIGTERM or SIGINT, and give new texts their vectors beside it.

    In the embedded mode it carries events away too; of several processes, the first one does.
    Raises SetupError where something is missing.
    """
    import uvloop

    configure_logging()
    with (
        _exit_on_sigterm(),
        traced(settings),
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(settings, host=host, port=port, place=place))


def run_in_place(settings: Settings, *, number: int, listener: int, line: int) -> None:
    """Serve the API as one of several processes, by the descriptors that it was started with.

    It ends where the process that started it does. Raises SetupError where something is missing.
    """
    place = Place(number, socket.socket(fileno=listener), socket.socket(fileno=line))
    threading.Thread(target=_end_with, args=(place.line,), name="line", daemon=True).start()
    run_server(settings, host=settings.host, port=settings.port, place=place)


async def _serve(settings: Settings, *, host: str, port: int, place: Place | None) -> None:
    import uvicorn

    from api.app import create_app
    from api.http_protocol import ProblemProtocol
    from api.stopping import DrainingServer
    from tools.backfill import filling

    async with contextlib.AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings))
        app = create_app(services)
        stack.push_async_callback(app.state.mcp.aclose)
        stack.enter_context(
            metrics_exposed(
                settings,
                services.database_url,
                registry=app.state.metrics,
                number=place.number if place else 0,
            )
        )
        if place is not None:
            app.state.metrics = None  # a scrape of the shared port would reach any one of them
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,  # it writes query strings; api/request_log.py has a line of its own
            timeout_graceful_shutdown=GRACE_SECONDS,
            http=ProblemProtocol,
            server_header=False,
        )
        server = DrainingServer(config, services.hub)
        if place is not None and place.number > 0:
            await _listen(server, place)
            return

        filler = await stack.enter_async_context(
            open_filler(settings, services.database_url, embedder=services.embedder)
        )
        stack.enter_context(carried(keep_tidy, services.database_url, settings))
        if settings.database_url is None:
            stack.enter_context(carried(carry_all, services.database_url, settings))
            stack.enter_context(carried(erase_waiting, services.database_url, settings))
        async with filling(filler):
            await _listen(server, place)


async def _listen(server: "DrainingServer", place: Place | None) -> None:
    _spare_the_collector()
    if place is None:
        await server.serve()
        return

    from api.supervisor import READY

    server.on_started = lambda: place.line.sendall(READY)
    await server.serve(sockets=[place.listener])


def _spare_the_collector() -> None:
    """Leave what is there by now, which stays, out of every later collection; collect less often.

    A full collection walks all libraries: a pause of 100 ms for whoever is being served.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _end_with(line: socket.socket) -> None:
    """End this process in order when the other end of `line` is gone."""
    with contextlib.suppress(OSError):
        while line.recv(16):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into an orderly exit with code 0.

    uvicorn sends itself the signal again once it has shut down; with the default action the
    process would die there, before the embedded server is stopped.
    """

    def on_sigterm(_number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(0)

    previous = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
