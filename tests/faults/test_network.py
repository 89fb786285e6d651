"""Connections that fall silent or are cut: noticed in bounded time, and tried again with patience.

A proxy stands before the broker and brings the fault when a certain frame passes.
"""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from events import topology
from events.consumer import run_consumer
from events.lake_folder import FolderLake
from events.relay import RelayPolicy, run_relay
from events.sink import FlushPolicy
from tests.event_path import PatientStop, StopWhen, all_processed, all_published
from tests.event_samples import record_events, samples
from tests.faults.proxy import ACK, CONNECT, PUBLISH, Fault, Proxy
from tests.lake_oracle import assert_lake_holds_every_event_once

SOON: Final = FlushPolicy(max_rows=40, max_age=timedelta(milliseconds=50))
HASTY: Final = RelayPolicy(batch=30, window=10, deadline_seconds=1.0)
EVENTS: Final = 54
TIMES: Final[dict[Fault, int]] = {"cut": 2, "silence": 1}
CONNECTIONS_AT_EACH_ATTEMPT: Final = 3
"""At most: to declare, to publish, to reconcile."""


@pytest.fixture
def proxy(amqp_url: str, channel: Any) -> Iterator[Proxy]:
    """Yield a proxy before the broker, whose topology is declared and empty."""
    with Proxy(amqp_url).running() as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("fault", "trigger"),
    [
        pytest.param("cut", CONNECT, id="cut at connect"),
        pytest.param("cut", PUBLISH, id="cut at publish"),
        pytest.param("cut", ACK, id="cut at confirm"),
        pytest.param("silence", PUBLISH, id="silent at publish"),
        pytest.param("silence", ACK, id="silent at confirm"),
    ],
)
@pytest.mark.faults
def test_a_relay_notices_and_publishes_everything_over_a_new_connection(
    fault: Fault,
    trigger: bytes,
    database_url: str,
    outbox: Engine,
    amqp_url: str,
    proxy: Proxy,
    tmp_path: Path,
) -> None:
    record_events(database_url, samples(EVENTS))
    times = TIMES[fault]
    proxy.arm(fault, trigger, times=times)

    with capture_logs() as logs:
        run_relay(outbox, proxy.url, stop=all_published(outbox), policy=HASTY)
    run_consumer(outbox, amqp_url, FolderLake(tmp_path), stop=all_processed(outbox), policy=SOON)

    happened = Counter(entry["event"] for entry in logs)
    assert proxy.faults == times
    assert happened["relay.unavailable"] == times
    assert proxy.connections <= CONNECTIONS_AT_EACH_ATTEMPT * (times + 1)
    assert_lake_holds_every_event_once(outbox, tmp_path)


@pytest.mark.parametrize(
    ("fault", "trigger"),
    [
        pytest.param("cut", CONNECT, id="cut at connect"),
        pytest.param("cut", ACK, id="cut at ack"),
        pytest.param("silence", ACK, id="silent at ack"),
    ],
)
@pytest.mark.faults
def test_a_consumer_notices_and_doubles_nothing_over_a_new_connection(
    fault: Fault,
    trigger: bytes,
    database_url: str,
    outbox: Engine,
    amqp_url: str,
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topology, "HEARTBEAT_SECONDS", 1)
    record_events(database_url, samples(EVENTS))
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    times = TIMES[fault]
    proxy.arm(fault, trigger, times=times)
    lake = FolderLake(tmp_path)

    with capture_logs() as logs:
        acknowledged = StopWhen(
            lambda: proxy.faults == times and topology.declare_at(amqp_url) == 0
        )
        run_consumer(outbox, proxy.url, lake, stop=acknowledged, policy=SOON)
        run_consumer(outbox, amqp_url, lake, stop=all_processed(outbox), policy=SOON)

    happened = Counter(entry["event"] for entry in logs)
    assert proxy.faults == times
    assert happened["consumer.unavailable"] >= times
    assert proxy.connections <= times + 1
    assert_lake_holds_every_event_once(outbox, tmp_path)


@pytest.mark.parametrize("role", ["relay", "consumer"])
@pytest.mark.faults
def test_a_broker_that_refuses_everyone_is_asked_less_and_less_often(
    role: str, database_url: str, outbox: Engine, proxy: Proxy, tmp_path: Path
) -> None:
    record_events(database_url, samples(1))
    proxy.arm("cut", CONNECT, times=1_000)
    began = time.monotonic()
    asked_often = PatientStop(lambda: proxy.connections >= 4)

    with capture_logs() as logs:
        if role == "relay":
            run_relay(outbox, proxy.url, stop=asked_often)
        else:
            run_consumer(outbox, proxy.url, FolderLake(tmp_path), stop=asked_often)

    waits = [entry["retry_seconds"] for entry in logs if "retry_seconds" in entry]
    assert time.monotonic() - began >= 0.25 + 0.5 + 1.0
    assert waits[:3] == sorted(waits[:3])
