"""From RabbitMQ to Parquet: the sink of a service that has a broker.

A message only says which event to take: PostgreSQL says what is in it and whether it was taken
before. A delivery is acknowledged when its file is in place and PostgreSQL knows, or when a batch
had it already; what is no event of ours goes to the dead letters, byte for byte. What comes back
again and again may be what kills its readers: its body is not read any more.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import pika
import structlog
from pika.exceptions import AMQPError
from sqlalchemy import Engine

from db import batches
from db.batches import Batch
from db.engine import UNAVAILABLE
from db.failpoints import hit
from db.retry import LONGEST_DELAY_SECONDS, reason, retry_delay
from events import metrics
from events.envelope import PoisonMessage, decode, read_id, times_returned
from events.lake import Lake, LakeUnavailable
from events.sink import LEASE, FlushPolicy, store_or_leave, take_over
from events.topology import LAKE_QUEUE, BrokerUnavailable, connection_parameters, declare

POLL_SECONDS: Final = 0.05
LONGEST_HEAD_START: Final = timedelta(milliseconds=250)
TAKE_OVER_SECONDS: Final = 1.0
LARGEST_PREFETCH: Final = 65_535
RETURNS_OF_A_SUSPECT: Final = 3

T = TypeVar("T")

log = structlog.get_logger(__name__)


class _Delivery(NamedTuple):
    """One delivery: what acknowledges it, its event, when it came (monotonic s), and its size.

    `suspect` is one that keeps coming back: it, or a neighbour, may be what kills the consumer.
    """

    tag: int
    event_id: str
    at: float
    bytes: int
    suspect: bool


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
        subscribed_at = time.monotonic()
        try:
            with _subscribed(amqp_url, prefetch=2 * policy.max_rows) as (connection, channel):
                subscribed_at = time.monotonic()
                metrics.count_connection("sink")
                _Consumer(
                    engine, lake, connection, channel=channel, stop=stop, policy=policy, lease=lease
                ).consume(poll_seconds)
        except BrokerUnavailable as error:
            # What is cut again and again, however soon, is waited for longer and longer.
            lasted = time.monotonic() - subscribed_at
            failures = 1 if lasted > LONGEST_DELAY_SECONDS else failures + 1
            metrics.count_failure("sink")
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
        self._pending_bytes = 0
        self._suspects = 0
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
        if self._suspects or self._pending_bytes >= self._policy.max_bytes:
            return 0.0
        if len(self._pending) >= self._policy.max_rows:
            return 0.0
        return self._pending[0].at + self._policy.max_age.total_seconds() - time.monotonic()

    def _deliver(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        if method.redelivered:
            metrics.REDELIVERIES.inc()
        suspect = times_returned(properties) >= RETURNS_OF_A_SUSPECT
        came_at = time.monotonic()
        try:
            if suspect:
                event_id = read_id(properties)
            else:
                envelope = decode(body)
                event_id = envelope.id
                came_at -= head_start(envelope.time, now=datetime.now(UTC))
        except PoisonMessage as error:
            self._bury(method.delivery_tag, str(error))
            return
        self._suspects += suspect
        self._pending_bytes += len(body)
        self._pending.append(_Delivery(method.delivery_tag, event_id, came_at, len(body), suspect))

    def _bury(self, tag: int, why: str) -> None:
        """Send one delivery to the dead letters."""
        log.warning("consumer.dead_letter", reason=why)
        metrics.count_dead_letter(why)
        self._channel.basic_reject(tag, requeue=False)

    def _carry_away(self) -> None:
        """Write up to `max_rows` and `max_bytes` of deliveries to the lake, and acknowledge them.

        Acknowledged when they are in the lake; but where a suspect is among them as soon as they
        are frozen, from where on PostgreSQL counts the deaths: the broker must not blame all.
        """
        taken = self._take()
        hit("consumer.delivered")
        ids = sorted({each.event_id for each in taken})
        held, known = self._persist(partial(self._freeze, ids))
        hit("sink.batch_frozen")
        suspicious = any(each.suspect for each in taken)
        if suspicious:
            self._settle(taken, known=known)
        for batch in held:
            self._persist(partial(store_or_leave, self._engine, self._lake, batch=batch))
        hit("consumer.before_ack")
        if not suspicious:
            self._settle(taken, known=known)

    def _take(self) -> list[_Delivery]:
        """Remove the first of the waiting deliveries, at least one, and return them."""
        count = size = 0
        for each in self._pending[: self._policy.max_rows]:
            count += 1
            size += each.bytes
            if size >= self._policy.max_bytes:
                break
        taken, self._pending = self._pending[:count], self._pending[count:]
        self._pending_bytes -= size
        self._suspects -= sum(each.suspect for each in taken)
        return taken

    def _settle(self, taken: list[_Delivery], *, known: frozenset[str]) -> None:
        """Acknowledge the deliveries whose events are `known`; the dead letters get the others."""
        for each in taken:
            if each.event_id not in known:
                self._bury(each.tag, "id: no such event")
        ours = [each.tag for each in taken if each.event_id in known]
        if ours:
            self._channel.basic_ack(ours[-1], multiple=True)
            metrics.DELIVERIES.inc(len(ours))

    def _freeze(self, ids: list[str]) -> tuple[list[Batch], frozenset[str]]:
        """Freeze what is in no batch; return it, and which ids are events or were until erased."""
        with self._engine.begin() as connection:
            held = batches.freeze_ids(connection, ids, lease=self._lease)
            known = batches.known(connection, ids)
            if len(known) < len(ids):
                known |= batches.erased(connection, ids)
            return held, known

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
                metrics.count_failure("sink")
                delay = retry_delay(failures)
                wait = round(delay, 2)
                log.warning("consumer.unavailable", reason=reason(error), retry_seconds=wait)
            again_at = time.monotonic() + delay
            while (left := again_at - time.monotonic()) > 0:
                if self._stop.is_set():
                    raise _Stopped
                self._pump(min(POLL_SECONDS, left))


def head_start(created_at: datetime, *, now: datetime) -> float:
    """Return the seconds by which an event has aged on its way here, as far as they count.

    What took the usual way is due by its own age. A backlog is not: each file would hold few rows.
    """
    aged = now - created_at
    return min(max(aged, timedelta(0)), LONGEST_HEAD_START).total_seconds()
