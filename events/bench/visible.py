"""From a commit to a file that readers see, one event at a time on an idle system."""

import os
import random
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from events.bench.broker import empty_queue
from events.bench.carriers import Carrier, Way, carrier, subscribed_sink
from events.bench.database import add_users, connect
from events.bench.figures import BenchFailed
from events.bench.messages import SEED, make_rows
from events.bench.plan import Plan, Site

LOOK_SECONDS: Final = 0.001
STALL_SECONDS: Final = 60.0
WARM_UP: Final = 2

_RECORD: Final = """
insert into events
    (id, event_type, user_id, entity_type, entity_id, payload, metadata, created_at)
values (%s, %s, %s, %s, %s, %s, %s, now() at time zone 'utc')
"""


def wait_for_files(site: Site, plan: Plan, *, lake: Path) -> list[float]:
    """Return for each commit the seconds from its end to its file in the tree.

    The commits come at random moments, each after the file of the one before.
    """
    empty_queue(site.amqp_url)
    chance = random.Random(SEED)  # noqa: S311 - moments are no secret
    pause = threading.Event()
    seconds = []
    with site.open_database() as url:
        add_users(url)
        way = Way(database_url=url, lake=lake, flush_seconds=plan.flush_seconds)
        with (
            subscribed_sink(site, way=way) as sink,
            carrier(site, "relay", way=way) as relay,
            closing(connect(url)) as connection,
        ):
            rows = make_rows(WARM_UP + plan.commits, at=datetime.now(UTC))
            for number, row in enumerate(rows):
                pause.wait(chance.uniform(0.0, plan.flush_seconds))
                there = _files(lake)
                about = (row.user_id, row.entity_type, row.entity_id, row.payload, row.metadata)
                connection.execute(_RECORD, (row.id, row.event_type, *about))
                waited = _wait_for_another(lake, there, carriers=(relay, sink))
                _check(connection, row.id)
                if number >= WARM_UP:
                    seconds.append(waited)
                    site.announce(f"visible: commit {len(seconds)} of {plan.commits}")
    return seconds


def _wait_for_another(
    lake: Path, there: frozenset[str], *, carriers: tuple[Carrier, Carrier]
) -> float:
    started = time.monotonic()
    tick = threading.Event()
    while _files(lake) == there:
        tick.wait(LOOK_SECONDS)
        if time.monotonic() - started > STALL_SECONDS:
            for each in carriers:
                each.check()
            raise BenchFailed(f"no file came within {STALL_SECONDS:.0f} s of a commit")
    return time.monotonic() - started


def _check(connection: Any, event_id: str) -> None:
    """Wait until PostgreSQL too says that this very event is in a file."""
    tick = threading.Event()
    deadline = time.monotonic() + STALL_SECONDS
    asked = "select processed_at is not null from events where id = %s"
    while connection.execute(asked, [event_id]).fetchone() != (True,):
        if time.monotonic() > deadline:
            raise BenchFailed("a file came that does not hold the committed event")
        tick.wait(LOOK_SECONDS)


def _files(lake: Path) -> frozenset[str]:
    """Return the names of the Parquet files in the tree that readers see."""
    names = set()
    folders = [str(lake / "events")]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.name.endswith(".parquet"):
                names.add(entry.name)
            elif entry.is_dir():
                folders.append(entry.path)
    return frozenset(names)
