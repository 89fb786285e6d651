"""The processes that carry events away: relay, sink, and both together; and what fills vectors."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING

from api.bootstrap import open_database, open_filler
from api.logs import configure_logging
from api.metrics import metrics_exposed
from api.settings import Settings
from tools.errors import SetupError

if TYPE_CHECKING:
    from events.sink import FlushPolicy

Carry = Callable[[str, Settings, threading.Event], None]
"""Carries the events of the database at a URL until the event is set."""


def run_until_stopped(settings: Settings, carry: Carry) -> None:
    """Run `carry` on the configured database until SIGTERM or SIGINT.

    Raises SetupError where the broker's address is none, or the lake's place cannot hold files.
    """
    import structlog

    if carry in {relay, sink} or settings.amqp_url is not None:
        amqp_url_of(settings)
    configure_logging()
    if carry is not relay:
        _check_lake(settings)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    with open_database(settings) as url, metrics_exposed(settings, url):
        structlog.get_logger(__name__).info("worker.started", lake=settings.lake_location)
        carry(url, settings, stop)


def work(url: str, settings: Settings, stop: threading.Event) -> None:
    """Carry events all the way; beside it fill vectors, forget users and keep the tables tidy."""
    from api.erasures import erase_waiting
    from api.gc import keep_tidy

    with (
        carried(keep_tidy, url, settings, stop=stop),
        carried(erase_waiting, url, settings, stop=stop),
        carried(fill_in, url, settings, stop=stop),
    ):
        carry_all(url, settings, stop)


def fill_in(url: str, settings: Settings, stop: threading.Event) -> None:
    """Give texts their vectors; without an embedding model say so, and leave it to others."""
    import structlog

    try:
        asyncio.run(_fill_in(url, settings, stop))
    except Exception:  # events are carried away all the same
        structlog.get_logger(__name__).exception("backfill.impossible")


async def _fill_in(url: str, settings: Settings, stop: threading.Event) -> None:
    from tools.backfill import filling

    async with open_filler(settings, url) as filler, filling(filler):
        await asyncio.to_thread(stop.wait)


def carry_all(url: str, settings: Settings, stop: threading.Event) -> None:
    """Relay and sink together over the broker; without AMQP_URL the sink alone, in process."""
    if settings.amqp_url is None:
        _sink_in_process(url, settings, stop)
        return
    with carried(relay, url, settings, stop=stop):
        sink(url, settings, stop)


def relay(url: str, settings: Settings, stop: threading.Event) -> None:
    """Publish the outbox to the broker. Raises SetupError without AMQP_URL."""
    from db.engine import make_sync_engine
    from events.relay import run_relay

    engine = make_sync_engine(url)
    try:
        run_relay(engine, amqp_url_of(settings), stop=stop)
    finally:
        engine.dispose()


def sink(url: str, settings: Settings, stop: threading.Event) -> None:
    """Move what the broker delivers to the lake. Raises SetupError without AMQP_URL."""
    from db.engine import make_sync_engine
    from events.consumer import run_consumer
    from events.lake import open_lake

    engine = make_sync_engine(url)
    try:
        run_consumer(
            engine,
            amqp_url_of(settings),
            open_lake(settings.lake_location),
            stop=stop,
            policy=_flush_policy(settings),
        )
    finally:
        engine.dispose()


@contextlib.contextmanager
def carried(
    carry: Carry, url: str, settings: Settings, *, stop: threading.Event | None = None
) -> Iterator[None]:
    """Run `carry` in a thread beside the block, and stop it at the block's end."""
    stopped = stop or threading.Event()
    thread = threading.Thread(target=carry, args=(url, settings, stopped), name=carry.__name__)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _sink_in_process(url: str, settings: Settings, stop: threading.Event) -> None:
    from db.engine import make_sync_engine
    from events.lake import open_lake
    from events.worker import run_worker

    engine = make_sync_engine(url)
    try:
        lake = open_lake(settings.lake_location)
        run_worker(engine, lake, stop=stop, policy=_flush_policy(settings))
    finally:
        engine.dispose()


def _check_lake(settings: Settings) -> None:
    """Refuse to start where somebody must act first; a lake that is away for now is waited for."""
    import structlog

    from events.lake import LakeMisplaced, LakeUnavailable, open_lake

    try:
        open_lake(settings.lake_location).check()
    except LakeMisplaced as error:
        raise SetupError(f"the lake cannot be used: {error}; see `goals doctor`") from error
    except LakeUnavailable as error:
        structlog.get_logger(__name__).warning("lake.unavailable", reason=str(error))


def _flush_policy(settings: Settings) -> "FlushPolicy":
    from events.sink import FlushPolicy

    return FlushPolicy(max_age=timedelta(seconds=settings.flush_seconds))


def amqp_url_of(settings: Settings) -> str:
    """Return the broker's URL. Raises SetupError where there is none, or it is none."""
    import pika

    if settings.amqp_url is None:
        raise SetupError("AMQP_URL is not set: without a broker, `goals worker` does the whole way")
    url = settings.amqp_url.get_secret_value()
    try:
        pika.URLParameters(url)
    except Exception as error:
        raise SetupError(
            "AMQP_URL is no address of a broker: amqp://user:password@host/"
        ) from error
    return url
