"""`goals bench events` as a person starts it, with next to nothing to measure."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from events.bench.figures import GOALS
from events.topology import (
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    EXCHANGE,
    LAKE_QUEUE,
    declare,
)
from tests.e2e.conftest import GOALS as PROGRAM

NEXT_TO_NOTHING = ("--messages", "100", "--commits", "2", "--rounds", "1")


@pytest.fixture
def environment(amqp_url: str, tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOALS_")}
    folder = tempfile.mkdtemp(prefix="goals-home-", dir=tmp_path)
    return clean | {"AMQP_URL": amqp_url, "GOALS_HOME": folder}


@pytest.fixture
def broker(amqp_url: str) -> Iterator[Any]:
    """Yield a connection to a broker that has nothing of ours."""
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        for queue in (LAKE_QUEUE, DEAD_LETTER_QUEUE):
            channel.queue_delete(queue)
        for exchange in (EXCHANGE, DEAD_LETTER_EXCHANGE):
            channel.exchange_delete(exchange)
        yield connection


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "bench", "events", *arguments],
        env=environment,
        cwd=environment["GOALS_HOME"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ours_in(broker: Any) -> list[str]:
    """Return which of our exchanges and queues the broker has."""
    found = []
    looks = [("exchange_declare", EXCHANGE), ("exchange_declare", DEAD_LETTER_EXCHANGE)]
    looks += [("queue_declare", LAKE_QUEUE), ("queue_declare", DEAD_LETTER_QUEUE)]
    for look, name in looks:
        try:
            getattr(broker.channel(), look)(name, passive=True)
        except ChannelClosedByBroker:
            continue
        found.append(name)
    return found


@pytest.mark.faults
def test_a_small_run_measures_everything_and_leaves_the_broker_as_it_was(
    environment: dict[str, str], broker: Any
) -> None:
    process = start(environment, "--json", "--events", "500", *NEXT_TO_NOTHING)
    said, progress = process.communicate(timeout=120)

    assert process.returncode == 0, progress
    report = json.loads(said)
    figures = {figure["name"]: figure["median"] for figure in report["figures"]}
    compared = {(goal["figure"], goal["over"]) for goal in report["goals"]}
    assert figures["drain.arrived"] == 500
    assert {name for name, value in figures.items() if value <= 0} <= {"visible.p50"}
    assert compared == {
        (goal.figure, goal.over) for goal in GOALS if not goal.figure.startswith("memory")
    }
    assert report["environment"]["fsync"] == "on"
    assert report["environment"]["rabbitmq"]
    assert report["parameters"]["events"] == 500
    assert ours_in(broker) == []


def test_a_broker_in_use_is_left_alone(environment: dict[str, str], broker: Any) -> None:
    declare(broker.channel())

    process = start(environment)
    said, errors = process.communicate(timeout=120)

    assert process.returncode == 1
    assert said == ""
    assert errors.splitlines()[-1].startswith("goals: the broker of AMQP_URL is in use: ")
    assert "Traceback" not in errors
    assert len(ours_in(broker)) == 4


@pytest.mark.faults
def test_an_interrupted_run_leaves_the_broker_as_it_was(
    environment: dict[str, str], broker: Any
) -> None:
    process = start(environment, "--only", "publish", "--messages", "100", "--rounds", "100000")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("round 2 "):
            break

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert process.returncode != 0
    assert "Traceback" not in errors
    assert ours_in(broker) == []


@pytest.mark.parametrize(
    ("section", "says"), [("speed", "no section speed"), ("memory", "needs --memory-events")]
)
def test_a_section_that_cannot_be_measured_is_a_mistake_of_usage(
    environment: dict[str, str], section: str, says: str
) -> None:
    process = start(environment, "--only", section)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert says in errors


def test_a_broker_that_is_missing_is_one_clear_line(environment: dict[str, str]) -> None:
    process = start(environment | {"AMQP_URL": "amqp://127.0.0.1:1/"})
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert errors.splitlines() == [errors.strip()]
    assert errors.startswith("goals: the broker of AMQP_URL does not answer: ")
