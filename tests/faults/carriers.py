"""Processes that carry events away, to be killed or stopped: `python -m tests.faults.carriers`."""

import os
import random
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, Self

import psutil
from pydantic import TypeAdapter
from sqlalchemy import Engine

from db.engine import make_sync_engine
from db.failpoints import Failpoint
from events import topology
from events.care import LakeBusy
from events.compact import compact
from events.consumer import run_consumer
from events.lake_folder import FolderLake
from events.relay import RelayPolicy, run_relay
from events.sink import FlushPolicy
from events.worker import run_worker
from tests.event_path import PATIENCE_SECONDS, StopWhen, all_processed, wait_until

Role = Literal["relay", "consumer", "worker", "compaction"]

ROOT: Final = Path(__file__).resolve().parents[2]
LATER: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""A moment at which every month with events is closed."""


@dataclass(frozen=True, kw_only=True)
class Carrying:
    """Where events are carried from and to, and in which portions; a lease is in seconds."""

    database_url: str
    amqp_url: str
    lake: Path
    rows: int = 30
    window: int = 10
    max_age_seconds: float = 0.05
    lease_seconds: float = 0.0
    lost_after_seconds: float = 900.0

    @classmethod
    def draw(
        cls, random_numbers: random.Random, *, database_url: str, amqp_url: str, lake: Path
    ) -> "Carrying":
        """Return portions of any size, with leases that end at once, soon, or later."""
        return cls(
            database_url=database_url,
            amqp_url=amqp_url,
            lake=lake,
            rows=random_numbers.randint(15, 60),
            window=random_numbers.randint(1, 30),
            max_age_seconds=random_numbers.choice([0.0, 0.05]),
            lease_seconds=random_numbers.choice([0.0, 0.2, 1.0]),
        )

    def open_lake(self) -> FolderLake:
        """Return the lake, in its folder."""
        return FolderLake(self.lake)

    def run(self, role: Role, engine: Engine, *, stop: threading.Event) -> None:
        """Carry events in this `role` until `stop` is set."""
        lease = timedelta(seconds=self.lease_seconds)
        policy = FlushPolicy(max_rows=self.rows, max_age=timedelta(seconds=self.max_age_seconds))
        lake = self.open_lake()
        if role == "relay":
            lost_after = timedelta(seconds=self.lost_after_seconds)
            relaying = RelayPolicy(
                batch=self.rows,
                window=self.window,
                lease=lease,
                reconcile_every=lost_after,
                lost_after=lost_after,
            )
            run_relay(engine, self.amqp_url, stop=stop, policy=relaying)
        elif role == "consumer":
            run_consumer(engine, self.amqp_url, lake, stop=stop, policy=policy, lease=lease)
        elif role == "worker":
            run_worker(engine, lake, stop=stop, policy=policy, lease=lease)
        else:
            compact_until(stop, engine, lake)

    def start(
        self, role: Role, failpoint: Failpoint, *, hits: int, how: Literal["kill", "stop"]
    ) -> "Process":
        """Start a process in this `role` that is killed or stopped at a hit of `failpoint`.

        One that is only stopped ends when every event is processed.
        """
        return Process(
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.carriers", role, how],
                cwd=ROOT,
                env=os.environ | {"GOALS_FAILPOINTS": f"{failpoint}:{hits}:{how}"},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
        ).tell(ADAPTER.dump_json(self))


@dataclass(frozen=True)
class Process:
    """A process that was told what to carry."""

    process: subprocess.Popen[bytes]

    def tell(self, work: bytes) -> "Process":
        """Give the process its work."""
        assert self.process.stdin is not None
        self.process.stdin.write(work)
        self.process.stdin.close()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def wait_until_it_stops(self) -> None:
        """Wait until the process has stopped itself; one that ends instead is an error."""
        process = psutil.Process(self.process.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED or self._has_ended())
        assert self.process.returncode is None

    def _has_ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self) -> int:
        """Return the exit code; a process that does not end is killed, and an error."""
        try:
            return self.process.wait(2 * PATIENCE_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()


ADAPTER: Final = TypeAdapter(Carrying)


def compact_until(stop: threading.Event, engine: Engine, lake: FolderLake) -> None:
    """Compact every month, again and again, until `stop` is set."""
    while not stop.wait(0.02):
        try:
            compact(engine, lake, now=LATER)
        except LakeBusy:
            continue


def main() -> None:
    """Carry what standard input says."""
    role = TypeAdapter(Role).validate_python(sys.argv[1])
    carrying = ADAPTER.validate_json(sys.stdin.buffer.read())
    engine = make_sync_engine(carrying.database_url, pool_size=6)
    stop = StopWhen(lambda: False)
    if sys.argv[2] == "stop":  # the broker has back what this one holds when its heart stands still
        vars(topology)["HEARTBEAT_SECONDS"] = 1
        stop = all_processed(engine)
    carrying.run(role, engine, stop=stop)


if __name__ == "__main__":
    main()
