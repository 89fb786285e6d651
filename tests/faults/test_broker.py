"""A broker that dies, raises alarms, and loses its queues or its disk: nothing is lost for good."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import pika
import pytest
from sqlalchemy import Engine, text

from events.consumer import run_consumer
from events.lake_folder import FolderLake
from events.publisher import Publisher
from events.relay import RelayPolicy, relay_once, run_relay
from events.sink import FlushPolicy
from events.topology import LAKE_QUEUE, BrokerUnavailable, declare_at
from tests.event_path import (
    StopWhen,
    all_processed,
    all_published,
    count,
    count_unpublished,
    wait_until,
)
from tests.event_samples import record_events, samples
from tests.faults.broker import Broker
from tests.faults.carriers import Carrying
from tests.faults.healing import carry_meanwhile
from tests.faults.tally import Tally
from tests.lake_oracle import assert_lake_holds_every_event_once

pytestmark = pytest.mark.faults

SOON: Final = FlushPolicy(max_rows=40, max_age=timedelta(milliseconds=50))
IMPATIENT: Final = RelayPolicy(deadline_seconds=2.0)
HEALS_AT_ONCE: Final = RelayPolicy(lost_after=timedelta(0), reconcile_every=timedelta(0))
ALARMS: Final = {
    "memory": (("set_vm_memory_high_watermark", "0"), ("set_vm_memory_high_watermark", "0.4")),
    "disk": (("set_disk_free_limit", "100000GB"), ("set_disk_free_limit", "1MB")),
}
IDLE_IN_TRANSACTION: Final = """
select count(*) from pg_stat_activity
where datname = current_database() and state like 'idle in transaction%'
"""


def test_a_broker_that_is_killed_and_started_again_loses_nothing(
    broker: Broker, database_url: str, outbox: Engine, tmp_path: Path, tally: Tally
) -> None:
    lake = tmp_path / "lake"
    carrying = Carrying(  # a broker that is killed may have lost what it had confirmed
        database_url=database_url, amqp_url=broker.url, lake=lake, lost_after_seconds=0.5
    )
    with carry_meanwhile(outbox, carrying, "relay", "consumer"):
        for bring_down in (broker.kill, broker.stop):
            record_events(database_url, samples(100))
            wait_until(lambda: count(outbox, "processed_at is not null") > 0)
            bring_down()
            record_events(database_url, samples(50))  # a writer notices nothing
            broker.start()
            wait_until(lambda: count(outbox, "processed_at is null") == 0)
    tally.add(outbox, carrying.lake, kills=1)

    assert_lake_holds_every_event_once(outbox, carrying.lake)


def test_a_broker_that_lost_its_disk_gets_again_what_reached_no_lake(
    broker: Broker, database_url: str, outbox: Engine, tmp_path: Path, tally: Tally
) -> None:
    record_events(database_url, samples(100))
    run_relay(outbox, broker.url, stop=all_published(outbox))

    broker.kill()
    broker.lose_disk()
    broker.start()
    arrived = StopWhen(lambda: declare_at(broker.url) >= 100)
    run_relay(outbox, broker.url, stop=arrived, policy=HEALS_AT_ONCE)
    lake = FolderLake(tmp_path / "lake")
    run_consumer(outbox, broker.url, lake, stop=all_processed(outbox), policy=SOON)
    tally.add(outbox, lake.root, kills=1)

    assert_lake_holds_every_event_once(outbox, lake.root)


def test_alarms_hold_up_relays_but_no_transaction_and_no_writer(
    broker: Broker, database_url: str, outbox: Engine, tmp_path: Path, tally: Tally
) -> None:
    declare_at(broker.url)
    for raise_alarm, lower in ALARMS.values():
        record_events(database_url, samples(54))
        waiting = count_unpublished(outbox)
        broker.control(*raise_alarm)
        wait_until(lambda: is_blocking(broker))

        took = measure(lambda: publish_once(outbox, broker.url))
        record_events(database_url, samples(10))  # a writer notices nothing

        assert IMPATIENT.deadline_seconds <= took < IMPATIENT.deadline_seconds + 5.0
        assert count_unpublished(outbox) == waiting + 10
        broker.control(*lower)
        run_relay(outbox, broker.url, stop=all_published(outbox), policy=IMPATIENT)
    lake = FolderLake(tmp_path / "lake")
    run_consumer(outbox, broker.url, lake, stop=all_processed(outbox), policy=SOON)
    tally.add(outbox, lake.root)

    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_queue_that_is_deleted_again_and_again_while_relays_publish_costs_nothing(
    database_url: str, outbox: Engine, amqp_url: str, channel: object, tmp_path: Path, tally: Tally
) -> None:
    deleting = pika.BlockingConnection(pika.URLParameters(amqp_url))
    carrying = Carrying(
        database_url=database_url, amqp_url=amqp_url, lake=tmp_path, lost_after_seconds=0.5
    )

    with carry_meanwhile(outbox, carrying, "relay"):
        for _ in range(5):
            record_events(database_url, samples(100))
            deleting.channel().queue_delete(LAKE_QUEUE)
        wait_until(lambda: count_unpublished(outbox) == 0)
        with carry_meanwhile(outbox, carrying, "consumer"):
            wait_until(lambda: count(outbox, "processed_at is null") == 0)
    deleting.close()
    tally.add(outbox, tmp_path)

    assert_lake_holds_every_event_once(outbox, tmp_path)


def is_blocking(broker: Broker) -> bool:
    """Tell whether the broker has raised an alarm."""
    return "resource_limit" in broker.control("eval", "rabbit_alarm:get_alarms().")


def measure(act: Callable[[], None]) -> float:
    """Return the seconds that `act` takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


def publish_once(engine: Engine, amqp_url: str) -> None:
    """Claim and publish once to a broker that takes nothing, and look for open transactions."""

    class Watched(Publisher):
        """A publisher that looks into the database after it waited for the broker."""

        def close(self) -> None:
            """Look, while the relay has not gone on."""
            with engine.connect() as connection:
                idle.append(connection.execute(text(IDLE_IN_TRANSACTION)).scalar_one())
            super().close()

    idle: list[int] = []
    publisher = Watched(amqp_url)
    with pytest.raises(BrokerUnavailable):
        relay_once(engine, publisher, policy=IMPATIENT)
    assert set(idle) == {0}
