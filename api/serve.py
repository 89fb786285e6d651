"""The API as a process."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from api.bootstrap import open_filler, open_services
from api.erasures import erase_waiting
from api.gc import keep_tidy
from api.logs import configure_logging
from api.settings import Settings
from api.workers import carried, carry_all

GRACE_SECONDS = 20
"""How long requests may still take after SIGTERM."""


def run_server(settings: Settings, *, host: str, port: int) -> None:
    """Serve the API until SIGTERM or SIGINT, and give new texts their vectors beside it.

    In the embedded mode it carries events away too.

    Raises SetupError where something is missing.
    """
    import uvloop

    configure_logging()
    with (
        _exit_on_sigterm(),
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(settings, host=host, port=port))


async def _serve(settings: Settings, *, host: str, port: int) -> None:
    import uvicorn

    from api.app import create_app
    from api.http_protocol import ProblemProtocol
    from tools.backfill import filling

    async with contextlib.AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings))
        filler = await stack.enter_async_context(
            open_filler(settings, services.database_url, embedder=services.embedder)
        )
        stack.enter_context(carried(keep_tidy, services.database_url, settings))
        if settings.database_url is None:
            stack.enter_context(carried(carry_all, services.database_url, settings))
            stack.enter_context(carried(erase_waiting, services.database_url, settings))
        config = uvicorn.Config(
            create_app(services),
            host=host,
            port=port,
            log_config=None,
            timeout_graceful_shutdown=GRACE_SECONDS,
            http=ProblemProtocol,
            server_header=False,
        )
        _spare_the_collector()
        async with filling(filler):
            await uvicorn.Server(config).serve()


def _spare_the_collector() -> None:
    """Leave what is there by now, which stays, out of every later collection; collect less often.

    A full collection walks all libraries: a pause of 100 ms for whoever is being served.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


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
