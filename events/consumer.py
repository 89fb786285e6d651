"""From RabbitMQ to Parquet: the sink of a service that has a broker.

A message only says which event to take: PostgreSQL says what is in it and whether it was taken
before. A delivery is acknowledged when its file is in place and PostgreSQL knows, or when a batch
had it already; what is no event of ours goes to the dead letters, byte for byte.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import pika
import structlog
from pika.exceptions import AMQPError
from sqlalchemy import Engine

from db import batches
from db.batches import Batch
from db.engine import UNAVAILABLE
from events.envelope import PoisonMessage, decode
from events.failpoints import hit
from events.lake import Lake, LakeUnavailable
from events.retry import reason, retry_delay
from events.sink import LEASE, FlushPolicy, store, take_over
from events.topology import LAKE_QUEUE, BrokerUnavailable, connection_parameters, declare

POLL_SECONDS: Final = 0.05
TAKE_OVER_SECONDS: Final = 1.0
LARGEST_PREFETCH: Final = 65_535

T = TypeVar("T")

log = structlog.get_logger(__name__)


class _Delivery(NamedTuple):
    """One delivery: what acknowledges it, the event it names, and when it came (monotonic s)."""

    tag: int
    event_id: str
    at: float


class _Stopped(Exception):
    """The consumer was told to stop while it waited for the database or the lake."""


def run_consumer(
    engine: Engine,
    amqp_url: str,
    lake: Lake,
    *,
    stop: threading.Event,
    policy: FlushPolicy | None = None,
    lease: timedelta = LEASE,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Move delivered events to `lake` as `policy` says until `stop` is set, then flush and return.

    A broker, a database or a lake that cannot be reached is logged and tried again after a
    jittered, growing delay of at most 30 seconds. Batches that other sinks abandoned are finished
    too.
    """
    policy = policy or FlushPolicy()
    failures = 0
    delay = 0.0
    while not stop.wait(delay):
        try:
            with _subscribed(amqp_url, prefetch=2 * policy.max_rows) as (connection, channel):
                failures = 0
                _Consumer(
                    engine, lake, connection, channel=channel, stop=stop, policy=policy, lease=lease
                ).consume(poll_seconds)
        except BrokerUnavailable as error:
            failures += 1
            delay = retry_delay(failures)
            wait = round(delay, 2)
            log.warning("consumer.unavailable", reason=reason(error), retry_seconds=wait)
        except _Stopped:
            log.warning("consumer.stopped_unflushed")


@contextlib.contextmanager
def _subscribed(amqp_url: str, *, prefetch: int) -> Iterator[tuple[Any, Any]]:
    """Yield a connection and its channel, everything declared; closing hands back what is unacked.

    Raises BrokerUnavailable for whatever goes wrong with them, then or later.
    """
    parameters = connection_parameters(amqp_url, name="sink")
    try:
        connection = pika.BlockingConnection(parameters)
        try:
            channel = connection.channel()
            declare(channel)
            channel.basic_qos(prefetch_count=min(prefetch, LARGEST_PREFETCH))
            yield connection, channel
        finally:
            if connection.is_open:
                connection.close()
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error


class _Consumer:
    """One subscription: its deliveries, in their order, until they are acknowledged."""

    def __init__(
        self,
        engine: Engine,
        lake: Lake,
        connection: Any,
        *,
        channel: Any,
        stop: threading.Event,
        policy: FlushPolicy,
        lease: timedelta,
    ) -> None:
        self._engine = engine
        self._lake = lake
        self._connection = connection
        self._channel = channel
        self._stop = stop
        self._policy = policy
        self._lease = lease
        self._pending: list[_Delivery] = []
        self._take_over_at = 0.0

    def consume(self, poll_seconds: float) -> None:
        """Take deliveries and write them when they are due, until told to stop."""
        self._channel.basic_consume(LAKE_QUEUE, self._deliver)
        while not self._stop.is_set():
            self._pump(min(poll_seconds, max(0.0, self._due_in())))
            while self._pending and self._due_in() <= 0.0:
                self._carry_away()
            if time.monotonic() >= self._take_over_at:
                self._persist(self._take_over)
                self._take_over_at = time.monotonic() + TAKE_OVER_SECONDS
        while self._pending:
            self._carry_away()

    def _pump(self, seconds: float) -> None:
        self._connection.process_data_events(time_limit=seconds)
        if not self._channel.consumer_tags:
            raise BrokerUnavailable(f"the broker cancelled the subscription to {LAKE_QUEUE}")

    def _due_in(self) -> float:
        """Return the seconds until the waiting deliveries are due; a long time where none wait."""
        if not self._pending:
            return float("inf")
        if len(self._pending) >= self._policy.max_rows:
            return 0.0
        return self._pending[0].at + self._policy.max_age.total_seconds() - time.monotonic()

    def _deliver(self, channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        try:
            envelope = decode(body)
        except PoisonMessage as error:
            self._bury(method.delivery_tag, str(error))
            return
        self._pending.append(_Delivery(method.delivery_tag, envelope.id, time.monotonic()))

    def _bury(self, tag: int, why: str) -> None:
        """Send one delivery to the dead letters."""
        log.warning("consumer.dead_letter", reason=why)
        self._channel.basic_reject(tag, requeue=False)

    def _carry_away(self) -> None:
        """Write up to `max_rows` deliveries to the lake, then acknowledge them."""
        taken = self._pending[: self._policy.max_rows]
        self._pending = self._pending[self._policy.max_rows :]
        hit("consumer.delivered")
        ids = sorted({each.event_id for each in taken})
        held, known = self._persist(partial(self._freeze, ids))
        hit("sink.batch_frozen")
        for batch in held:
            self._persist(partial(store, self._engine, self._lake, batch=batch))
        hit("consumer.before_ack")
        for each in taken:
            if each.event_id not in known:
                self._bury(each.tag, "id: no such event")
        ours = [each.tag for each in taken if each.event_id in known]
        if ours:
            self._channel.basic_ack(ours[-1], multiple=True)

    def _freeze(self, ids: list[str]) -> tuple[list[Batch], frozenset[str]]:
        with self._engine.begin() as connection:
            held = batches.freeze_ids(connection, ids, lease=self._lease)
            return held, batches.known(connection, ids)

    def _take_over(self) -> int:
        return take_over(self._engine, self._lake, limit=self._policy.max_rows, lease=self._lease)

    def _persist(self, step: Callable[[], T]) -> T:
        """Run `step` until it works, with the connection kept alive and the deliveries kept.

        Handing them back instead would count against their limit of deliveries. Raises _Stopped.
        """
        failures = 0
        while True:
            try:
                return step()
            except (*UNAVAILABLE, LakeUnavailable) as error:
                failures += 1
                delay = retry_delay(failures)
                wait = round(delay, 2)
                log.warning("consumer.unavailable", reason=reason(error), retry_seconds=wait)
            again_at = time.monotonic() + delay
            while (left := again_at - time.monotonic()) > 0:
                if self._stop.is_set():
                    raise _Stopped
                self._pump(min(POLL_SECONDS, left))
