"""Two of everything over one PostgreSQL and one RabbitMQ, one of each killed: every event once.

Two APIs take writes, two relays publish, two sinks write to one lake. In the middle of it an API, a
relay and a sink die, and nobody starts them again.
"""

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from tests.event_path import all_processed, count, wait_until
from tests.faults.test_run_kills import READY, ROOT, SECRET
from tests.lake_oracle import assert_lake_holds_every_event_once

pytestmark = pytest.mark.faults

BEFORE_THE_KILLS = 60
GOALS = 300
WRITERS = 4
PATIENCE = 150.0


@dataclass(frozen=True)
class Fleet:
    """What all processes are started with."""

    environment: dict[str, str]
    logs: Path

    @contextmanager
    def start(self, *arguments: str) -> Iterator["Started"]:
        """Start a process, and kill it at the end where it lives."""
        log = self.logs / f"{arguments[0]}-{uuid4().hex}.log"
        with log.open("wb") as writing:
            process = subprocess.Popen(
                [sys.executable, "-m", "api", *arguments],
                cwd=ROOT,
                env=self.environment,
                stderr=writing,
            )
        try:
            yield Started(process, log)
        finally:
            process.kill()
            process.wait()

    def token(self) -> str:
        """Return a learner's token."""
        done = subprocess.run(
            [sys.executable, "-m", "api", "token", "--user", "ana"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()[-1]


@dataclass(frozen=True)
class Started:
    """A process and what it says."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def wait_for(self, said: str) -> str:
        """Return what comes after `said` in the log, once it is there."""
        wait_until(
            lambda: said in self.log.read_text() or self.process.poll() is not None,
            patience=PATIENCE,
        )
        return self.log.read_text().split(said, 1)[1]

    @property
    def url(self) -> str:
        """Return where it listens."""
        return self.wait_for(READY).split()[0]


def make_goals(urls: list[str], token: str, titles: list[str], confirmed: list[str]) -> None:
    """Make goals in turn by each API; a write whose API dies is sent to the other, by its key."""
    for number, title in enumerate(titles):
        for attempt in range(len(urls)):
            request = urllib.request.Request(  # noqa: S310 - our own servers
                urls[(number + attempt) % len(urls)] + "/v1/goals",
                json.dumps({"title": title}).encode(),
                {
                    "Content-Type": "application/json",
                    "Authorization": f"Bearer {token}",
                    "Idempotency-Key": title,
                },
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - ours
                    assert answer.status == 201
                confirmed.append(title)
                break
            except urllib.error.HTTPError:
                raise
            except OSError:
                continue


def test_two_of_everything_carry_every_event_once_though_one_of_each_dies(
    database_url: str,
    app_url: str,
    amqp_url: str,
    channel: Any,
    outbox: Engine,
    tmp_path: Path,
) -> None:
    lake = tmp_path / "lake"
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    fleet = Fleet(
        {
            **kept,
            "DATABASE_URL": database_url,
            "DATABASE_APP_URL": app_url,
            "AMQP_URL": amqp_url,
            "GOALS_HOME": str(tmp_path),
            "GOALS_LAKE": str(lake),
            "GOALS_FLUSH_SECONDS": "0.5",
            "GOALS_CHAT": "scripted",
            "GOALS_EMBEDDINGS": "scripted",
            "GOALS_JWT_SECRET": SECRET,
        },
        tmp_path,
    )
    token = fleet.token()
    titles = [uuid4().hex for _ in range(GOALS)]
    confirmed: list[str] = []

    with ExitStack() as stack:
        first = {kind: stack.enter_context(fleet.start(*kind)) for kind in KINDS}
        second = {kind: stack.enter_context(fleet.start(*kind)) for kind in KINDS}
        urls = [each[SERVE].url for each in (first, second)]
        writers = [
            threading.Thread(
                target=make_goals, args=(urls, token, titles[number::WRITERS], confirmed)
            )
            for number in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        wait_until(lambda: len(confirmed) >= BEFORE_THE_KILLS, patience=PATIENCE)
        wait_until(lambda: count(outbox, "processed_at is not null") > 0, patience=PATIENCE)
        for victim in first.values():
            assert victim.process.poll() is None
            victim.process.kill()
        for writer in writers:
            writer.join()
        wait_until(all_processed(outbox).condition, patience=PATIENCE)
        survivors = [each.process.poll() for each in second.values()]

    with outbox.connect() as connection:
        stored = connection.exec_driver_sql("select title from goals").scalars().all()
    assert survivors == [None, None, None]
    assert sorted(confirmed) == sorted(titles)
    assert set(stored) == set(titles)
    assert count(outbox, "event_type = 'goal.created'") == len(stored)
    assert_lake_holds_every_event_once(outbox, lake)


SERVE = ("serve", "--port", "0")
KINDS = (SERVE, ("relay",), ("sink",))
