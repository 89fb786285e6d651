"""Relays and consumers are killed with SIGKILL at their points; the next ones must heal it."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from events.consumer import run_consumer
from events.failpoints import FAILPOINTS, Failpoint
from events.lake import Lake
from events.relay import RelayPolicy, run_relay
from events.sink import FlushPolicy
from tests.event_path import all_processed, all_published
from tests.event_samples import record_events, samples
from tests.lake_oracle import assert_lake_holds_every_event_once

RELAY_POINTS = [point for point in FAILPOINTS if point.startswith("relay.")]
CONSUMER_POINTS = [point for point in FAILPOINTS if point.startswith("consumer.")]
EVENTS = 100
SOON = FlushPolicy(max_rows=30, max_age=timedelta(milliseconds=50))

# The leases end as they begin, so that the next process may take over at once: nothing waits.
RELAY = """
import sys
from datetime import timedelta
from db.engine import make_sync_engine
from events.relay import RelayPolicy, run_relay
from tests.event_path import all_published

engine = make_sync_engine(sys.argv[1])
policy = RelayPolicy(batch=30, window=10, lease=timedelta(0))
run_relay(engine, sys.argv[2], stop=all_published(engine), policy=policy)
"""
CONSUMER = """
import sys
from datetime import timedelta
from pathlib import Path
from db.engine import make_sync_engine
from events.consumer import run_consumer
from events.lake import Lake
from events.sink import FlushPolicy
from tests.event_path import all_processed

engine = make_sync_engine(sys.argv[1])
policy = FlushPolicy(max_rows=30, max_age=timedelta(milliseconds=50))
lake = Lake(Path(sys.argv[3]))
stop = all_processed(engine)
run_consumer(engine, sys.argv[2], lake, stop=stop, policy=policy, lease=timedelta(0))
"""


def start(program: str, *arguments: str, failpoint: Failpoint) -> subprocess.Popen[bytes]:
    """Start a process that kills itself at `failpoint`."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | {"GOALS_FAILPOINTS": failpoint},
    )


def heal(engine: Engine, amqp_url: str, lake: Path) -> None:
    """Run a relay and a consumer until everything is in the lake."""
    run_relay(engine, amqp_url, stop=all_published(engine), policy=RelayPolicy(batch=30))
    run_consumer(engine, amqp_url, Lake(lake), stop=all_processed(engine), policy=SOON)


@pytest.mark.parametrize("failpoint", RELAY_POINTS)
def test_relays_killed_there_lose_and_double_nothing(
    failpoint: Failpoint,
    database_url: str,
    outbox: Engine,
    amqp_url: str,
    channel: Any,
    tmp_path: Path,
) -> None:
    record_events(database_url, samples(EVENTS))

    relays = [start(RELAY, database_url, amqp_url, failpoint=failpoint) for _ in range(2)]
    exits = {relay.wait() for relay in relays}
    heal(outbox, amqp_url, tmp_path)

    assert exits == {-signal.SIGKILL}
    assert_lake_holds_every_event_once(outbox, tmp_path)


@pytest.mark.parametrize("failpoint", [*CONSUMER_POINTS, "sink.before_rename"])
def test_consumers_killed_there_lose_and_double_nothing(
    failpoint: Failpoint,
    database_url: str,
    outbox: Engine,
    amqp_url: str,
    channel: Any,
    tmp_path: Path,
) -> None:
    record_events(database_url, samples(EVENTS))
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    arguments = (database_url, amqp_url, str(tmp_path))

    consumers = [start(CONSUMER, *arguments, failpoint=failpoint) for _ in range(2)]
    exits = {consumer.wait() for consumer in consumers}
    heal(outbox, amqp_url, tmp_path)

    assert -signal.SIGKILL in exits
    assert_lake_holds_every_event_once(outbox, tmp_path)
