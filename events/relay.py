"""From the outbox to RabbitMQ: every event at least once, in order within its entity.

No transaction is open while the broker is waited for. What it confirmed and routed is marked, and
everything else waits in the outbox. A dead relay's claims expire.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Engine

from db import relay as outbox
from db.batches import EventRow
from db.engine import UNAVAILABLE
from db.failpoints import hit
from db.retry import reason, retry_delay
from events import metrics
from events.envelope import encode
from events.publisher import WINDOW, Message, Publisher, Receipt
from events.topology import BrokerUnavailable, declare_at

POLL_SECONDS: Final = 0.02

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class RelayPolicy:
    """How much a relay takes at once and how long it waits; `lease` is longer than the deadline.

    Every `reconcile_every` what was published `lost_after` ago, and reached no sink though the
    lake's queue is empty, is published again.
    """

    batch: int = 2_000
    window: int = WINDOW
    deadline_seconds: float = 20.0
    lease: timedelta = timedelta(seconds=60)
    reconcile_every: timedelta = timedelta(minutes=1)
    lost_after: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round did, in events; `held_back` is what waits to be published again."""

    claimed: int
    published: int
    returned: int

    @property
    def held_back(self) -> int:
        """Return how many claimed events were not published."""
        return self.claimed - self.published


def run_relay(
    engine: Engine,
    amqp_url: str,
    *,
    stop: threading.Event,
    poll_seconds: float = POLL_SECONDS,
    policy: RelayPolicy | None = None,
) -> None:
    """Publish the outbox until `stop` is set; the round that runs then is finished.

    A broker or a database that cannot be reached, and a broker that does not take an event, is
    logged and tried again after a jittered, growing delay of at most 30 seconds.
    """
    relay = _Relay(engine, amqp_url, policy=policy or RelayPolicy())
    failures = 0
    delay = 0.0
    try:
        while not stop.wait(delay):
            try:
                done = relay.turn()
            except (*UNAVAILABLE, BrokerUnavailable) as error:
                failures += 1
                metrics.count_failure("relay")
                delay = retry_delay(failures)
                wait = round(delay, 2)
                log.warning("relay.unavailable", reason=reason(error), retry_seconds=wait)
                continue
            if failures:
                log.info("relay.recovered", failures=failures)
            failures = 0
            delay = 0.0 if done.claimed >= relay.policy.batch else poll_seconds
    finally:
        relay.disconnect()


def relay_once(engine: Engine, publisher: Publisher, *, policy: RelayPolicy) -> Round:
    """Claim, publish and mark once; what the broker did not take is given back.

    Raises BrokerUnavailable after marking what it confirmed before it went, or DBAPIError.
    """
    with engine.connect() as connection:
        if not outbox.is_waiting(connection):
            return Round(claimed=0, published=0, returned=0)
    with engine.begin() as connection:
        held = outbox.claim(connection, policy.batch, lease=policy.lease)
    hit("relay.claimed")
    if not held.rows:
        return Round(claimed=0, published=0, returned=0)
    started = time.monotonic()
    receipt = publisher.publish(
        [Message(id=row.id, type=row.event_type, body=encode(row)) for row in held.rows],
        deadline_seconds=policy.deadline_seconds,
    )
    metrics.count_round(receipt, published=len(held.rows), started=started)
    hit("relay.confirmed")
    settled = settle_in_order(held.rows, receipt)
    with engine.begin() as connection:
        outbox.settle(connection, held, published=settled)
    if receipt.lost is not None:
        raise BrokerUnavailable(receipt.lost)
    return Round(claimed=len(held.rows), published=len(settled), returned=len(receipt.returned))


def settle_in_order(rows: Sequence[EventRow], receipt: Receipt) -> frozenset[str]:
    """Return the ids that may be marked: confirmed, and no earlier one of their entity was not.

    A later one that overtook a refused one is published once more after it.
    """
    held_back: set[tuple[str | None, str]] = set()
    settled: set[str] = set()
    for row in rows:
        entity = (row.entity_type, row.entity_id or row.id)
        if row.id in receipt.confirmed and entity not in held_back:
            settled.add(row.id)
        else:
            held_back.add(entity)
    return frozenset(settled)


class _Relay:
    """A relay with its connection, when it has one."""

    def __init__(self, engine: Engine, amqp_url: str, *, policy: RelayPolicy) -> None:
        self.policy = policy
        self._engine = engine
        self._amqp_url = amqp_url
        self._publisher: Publisher | None = None
        self._reconcile_at = 0.0

    def turn(self) -> Round:
        """Publish once and, when it is time, reconcile.

        Raises BrokerUnavailable, also where the broker took less than it was given.
        """
        publisher = self._publisher or self._connect()
        if time.monotonic() >= self._reconcile_at:
            self._reconcile()
        try:
            done = relay_once(self._engine, publisher, policy=self.policy)
        except BrokerUnavailable:
            self.disconnect()
            raise
        if done.returned:
            declare_at(self._amqp_url)
        if done.held_back:
            raise BrokerUnavailable(
                f"{done.held_back} of {done.claimed} events not taken, {done.returned} unroutable"
            )
        return done

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None

    def _connect(self) -> Publisher:
        declare_at(self._amqp_url)
        self._publisher = Publisher(self._amqp_url, window=self.policy.window)
        metrics.count_connection("relay")
        return self._publisher

    def _reconcile(self) -> None:
        """Have lost events published again; what waits in the lake's queue is not lost."""
        self._reconcile_at = time.monotonic() + self.policy.reconcile_every.total_seconds()
        if declare_at(self._amqp_url):
            return
        with self._engine.begin() as connection:
            lost = outbox.republish_lost(
                connection, self.policy.batch, older_than=self.policy.lost_after
            )
        if lost:
            metrics.count_republished(lost)
            log.warning("relay.published_again", events=lost)
