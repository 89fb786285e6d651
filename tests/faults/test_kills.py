"""Two processes are killed with SIGKILL at each point while others write: the oracle I1 to I6.

What is written, in which portions it is carried, how long leases are and at which hit a process
dies comes from a seed. Those that come after must heal everything.
"""

import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine

from db.failpoints import FAILPOINTS, Failpoint
from tests.event_path import all_published, count_unpublished, wait_until
from tests.event_samples import record_events, samples
from tests.faults.carriers import Carrying, Role
from tests.faults.healing import UNFINISHED, UNFROZEN, assert_the_queue_has, carry_meanwhile, heal
from tests.faults.reader import open_reader
from tests.faults.tally import Tally
from tests.faults.writers import Mix, open_writers
from tests.lake_oracle import (
    assert_each_change_has_its_event,
    assert_lake_holds_every_event_once,
    assert_what_is_processed_is_in_its_file,
)

SEEDS: Final = (1, 2, 3)
DAILY: Final = {"relay.confirmed", "consumer.before_ack", "sink.before_rename", "sink.after_tx2"}
"""Where something dies in `make test` too: once behind each kind of step."""
VICTIMS: Final = 2
PLACES: Final[dict[str, tuple[Role, ...]]] = {
    "relay": ("relay",),
    "consumer": ("consumer",),
    "sink": ("worker", "consumer"),
    "compact": ("compaction",),
}
"""Who comes past the points whose names begin so."""
COMPANIONS: Final[dict[Role, tuple[Role, ...]]] = {
    "relay": ("consumer",),
    "consumer": ("relay",),
    "worker": (),
    "compaction": ("worker",),
}
"""Who runs beside the victims and is not killed."""


def cases() -> Iterator[Any]:
    """Yield every point × who comes past it × seed; a few are in the daily tests."""
    for failpoint in FAILPOINTS:
        for place, role in enumerate(PLACES.get(failpoint.split(".")[0], ())):
            for seed in SEEDS:
                daily = failpoint in DAILY and seed == SEEDS[0] and place == 0
                marks = [] if daily else [pytest.mark.faults]
                yield pytest.param(role, failpoint, seed, marks=marks)


@pytest.mark.parametrize(("role", "failpoint", "seed"), list(cases()))
def test_processes_killed_there_lose_and_double_nothing(
    role: Role,
    failpoint: Failpoint,
    seed: int,
    database_url: str,
    outbox: Engine,
    amqp_url: str,
    channel: Any,
    tmp_path: Path,
    tally: Tally,
) -> None:
    numbers = random.Random(f"{role} {failpoint} {seed}")
    carrying = Carrying.draw(numbers, database_url=database_url, amqp_url=amqp_url, lake=tmp_path)
    mix = Mix.draw(numbers)
    wanted = numbers.randint(50, 250)

    with open_reader(tmp_path) as unreadable:
        with carry_meanwhile(outbox, carrying, *COMPANIONS[role]):
            with open_writers(database_url, mix, seed=seed, wanted=wanted) as ledger:
                victims = [
                    carrying.start(role, failpoint, hits=seed, how="kill") for _ in range(VICTIMS)
                ]
                exits = [victim.wait() for victim in victims]
            if role == "consumer":
                wait_until(lambda: count_unpublished(outbox) == 0)
        assert_what_is_processed_is_in_its_file(outbox, tmp_path)
        if role == "consumer":
            assert_the_queue_has(UNFROZEN, outbox, channel)
        heal(outbox, carrying, role)
    tally.add(outbox, tmp_path, kills=exits.count(-signal.SIGKILL), unreadable=len(unreadable))

    assert exits == [-signal.SIGKILL] * VICTIMS
    assert unreadable == []
    assert_each_change_has_its_event(outbox, ledger.committed)
    assert_lake_holds_every_event_once(outbox, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("failpoint", ["consumer.delivered", "sink.before_tx2", "sink.after_tx2"])
def test_a_consumer_that_dies_has_acknowledged_nothing_that_it_did_not_finish(
    failpoint: Failpoint,
    database_url: str,
    outbox: Engine,
    amqp_url: str,
    channel: Any,
    tmp_path: Path,
    tally: Tally,
) -> None:
    carrying = Carrying(database_url=database_url, amqp_url=amqp_url, lake=tmp_path)
    record_events(database_url, samples(100))
    carrying.run("relay", outbox, stop=all_published(outbox))

    killed = carrying.start("consumer", failpoint, hits=3, how="kill").wait()

    assert killed == -signal.SIGKILL
    assert_the_queue_has(UNFINISHED, outbox, channel)
    heal(outbox, carrying, "consumer")
    tally.add(outbox, tmp_path, kills=1)
    assert_lake_holds_every_event_once(outbox, tmp_path)
