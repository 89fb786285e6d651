"""RabbitMQ and the loops around it, for tests: an empty topology, and a stop that asks."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pika
import pytest
from sqlalchemy import Engine, text

from db.engine import make_sync_engine
from events.lake_folder import FolderLake
from events.topology import (
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    EXCHANGE,
    LAKE_QUEUE,
    declare,
)

PATIENCE_SECONDS: Final = 30.0


class StopWhen(threading.Event):
    """A stop event that sets itself when `condition` holds; long waits are cut short.

    Fails the test where the condition does not come to hold in time.
    """

    def __init__(self, condition: Callable[[], bool]) -> None:
        super().__init__()
        self.condition = condition
        self.deadline = time.monotonic() + PATIENCE_SECONDS

    def is_set(self) -> bool:
        """Ask the condition."""
        assert time.monotonic() < self.deadline, "what the test waits for did not come"
        if not super().is_set() and self.condition():
            self.set()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Ask the condition now and after at most 20 ms."""
        return self.is_set() or super().wait(min(timeout or 0.0, 0.02)) or self.is_set()


@pytest.fixture
def outbox(database_url: str) -> Iterator[Engine]:
    """Yield the blocking engine that relays and sinks have."""
    engine = make_sync_engine(database_url, pool_size=6)
    yield engine
    engine.dispose()


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    """Return a lake in an empty folder."""
    return FolderLake(tmp_path / "lake")


@pytest.fixture
def channel(amqp_url: str) -> Iterator[Any]:
    """Yield a channel to a broker whose topology is declared and empty."""
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    for queue in (LAKE_QUEUE, DEAD_LETTER_QUEUE):
        channel.queue_delete(queue)
    for exchange in (EXCHANGE, DEAD_LETTER_EXCHANGE):
        channel.exchange_delete(exchange)
    declare(channel)
    yield channel
    connection.close()


def take_all(channel: Any, queue: str) -> list[tuple[str, bytes]]:
    """Take every message of a queue: routing key and body."""
    taken: list[tuple[str, bytes]] = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return taken
        taken.append((method.routing_key, body))


def count(engine: Engine, condition: str) -> int:
    """Return how many events fulfil an SQL condition."""
    with engine.connect() as connection:
        statement = text(f"select count(*) from events where {condition}")
        return int(connection.execute(statement).scalar_one())


def count_unpublished(engine: Engine, *, unclaimed: bool = False) -> int:
    """Return how many events wait for a relay, or only those that none has claimed."""
    claimed = "select unnest(event_ids) from relay_claims"
    condition = f"and event_id not in ({claimed})" if unclaimed else ""
    with engine.connect() as connection:
        statement = text(f"select count(*) from outbox where published_at is null {condition}")
        return int(connection.execute(statement).scalar_one())


def all_published(engine: Engine) -> StopWhen:
    """Return a stop that sets itself when the outbox has nothing left to publish."""
    return StopWhen(lambda: count_unpublished(engine) == 0)


def all_processed(engine: Engine) -> StopWhen:
    """Return a stop that sets itself when every event is in the lake."""
    return StopWhen(lambda: count(engine, "processed_at is null") == 0)


def wait_until(condition: Callable[[], bool], *, patience: float = PATIENCE_SECONDS) -> None:
    """Wait until `condition` holds; fail the test where that takes more than `patience` seconds."""
    stop = StopWhen(condition)
    stop.deadline = time.monotonic() + patience
    while not stop.wait(patience):
        pass


class PatientStop(StopWhen):
    """A stop as `StopWhen`, but one that leaves the waits as long as they are."""

    def wait(self, timeout: float | None = None) -> bool:
        """Ask the condition every 20 ms until `timeout` seconds (default: none) are over."""
        until = time.monotonic() + (timeout or 0.0)
        while not super().wait(timeout):
            if time.monotonic() >= until:
                return False
        return True
