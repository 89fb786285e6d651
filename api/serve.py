"""The API as a process."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from api.bootstrap import open_filler, open_services
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
    configure_logging()
    with _exit_on_sigterm(), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, host=host, port=port))


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
        if settings.database_url is None:
            stack.enter_context(carried(carry_all, services.database_url, settings))
        config = uvicorn.Config(
            create_app(services),
            host=host,
            port=port,
            log_config=None,
            timeout_graceful_shutdown=GRACE_SECONDS,
            http=ProblemProtocol,
            server_header=False,
        )
        async with filling(filler):
            await uvicorn.Server(config).serve()


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
