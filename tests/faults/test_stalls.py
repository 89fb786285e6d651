"""One of two is stopped at each point until its lease is over and its work is done: I4.

What it does when it is continued must change nothing.
"""

import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db.failpoints import FAILPOINTS, Failpoint
from tests.event_path import count, wait_until
from tests.event_samples import record_events, samples
from tests.faults.carriers import Carrying, Role
from tests.faults.healing import carry_meanwhile
from tests.faults.tally import Tally
from tests.faults.test_kills import COMPANIONS, PLACES
from tests.lake_oracle import assert_lake_holds_every_event_once

CARRIERS = ("relay", "consumer", "sink")
DAILY = {("worker", "sink.before_rename"), ("relay", "relay.claimed")}


def cases() -> Iterator[Any]:
    """Yield every point of relays and sinks × who comes past it; two are in the daily tests."""
    for failpoint in FAILPOINTS:
        family = failpoint.split(".")[0]
        for role in PLACES[family] if family in CARRIERS else ():
            marks = [] if (role, failpoint) in DAILY else [pytest.mark.faults]
            yield pytest.param(role, failpoint, marks=marks)


@pytest.mark.parametrize(("role", "failpoint"), list(cases()))
def test_one_that_is_stopped_past_its_lease_and_continued_changes_nothing(
    role: Role,
    failpoint: Failpoint,
    database_url: str,
    outbox: Engine,
    amqp_url: str,
    channel: Any,
    tmp_path: Path,
    tally: Tally,
) -> None:
    numbers = random.Random(f"{role} {failpoint}")
    carrying = Carrying.draw(numbers, database_url=database_url, amqp_url=amqp_url, lake=tmp_path)
    record_events(database_url, samples(numbers.randint(60, 120)))

    with (
        carry_meanwhile(outbox, carrying, *COMPANIONS[role]),
        carrying.start(role, failpoint, hits=1, how="stop") as stalled,
    ):
        stalled.wait_until_it_stops()
        with carry_meanwhile(outbox, carrying, role):
            wait_until(lambda: count(outbox, "processed_at is null") == 0)
        stalled.process.send_signal(signal.SIGCONT)
        code = stalled.wait()
    tally.add(outbox, tmp_path, stalls=1)

    assert code == 0
    assert_lake_holds_every_event_once(outbox, tmp_path)
