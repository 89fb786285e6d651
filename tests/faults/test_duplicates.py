"""Every message ten times, in any order, to two sinks that are killed: each event is there once."""

import random
import signal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from events.topology import EXCHANGE, LAKE_QUEUE
from tests.event_path import all_published, take_all
from tests.event_samples import record_events, samples
from tests.faults.carriers import Carrying
from tests.faults.healing import heal
from tests.faults.tally import Tally
from tests.lake_oracle import assert_lake_holds_every_event_once


def test_two_killed_sinks_write_once_what_came_ten_times_in_any_order(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, tmp_path: Path, tally: Tally
) -> None:
    carrying = Carrying(database_url=database_url, amqp_url=amqp_url, lake=tmp_path)
    record_events(database_url, samples(200))
    carrying.run("relay", outbox, stop=all_published(outbox))
    messages = take_all(channel, LAKE_QUEUE) * 10
    random.Random(7).shuffle(messages)
    for routing_key, body in messages:
        channel.basic_publish(EXCHANGE, routing_key, body)

    victims = [
        carrying.start("consumer", failpoint, hits=3, how="kill")
        for failpoint in ("sink.before_tx2", "sink.after_tx2")
    ]
    exits = [victim.wait() for victim in victims]
    heal(outbox, carrying, "consumer")
    tally.add(outbox, tmp_path, kills=exits.count(-signal.SIGKILL))

    assert len(messages) == 2_000
    assert exits == [-signal.SIGKILL] * 2
    assert_lake_holds_every_event_once(outbox, tmp_path)
