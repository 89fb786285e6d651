"""Those that carry on after a fault, and what must hold before they do."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import Engine, TextClause, text

from events.care import LakeBusy
from events.compact import compact
from events.envelope import decode
from events.topology import LAKE_QUEUE
from tests.event_path import count, wait_until
from tests.faults.carriers import LATER, Carrying, Role

PUBLISHED = "select event_id from outbox where published_at is not null"
UNFINISHED = text(PUBLISHED)
UNFROZEN = text(f"{PUBLISHED} and batch_id is null")


@contextlib.contextmanager
def carry_meanwhile(engine: Engine, carrying: Carrying, *roles: Role) -> Iterator[None]:
    """Carry events in these `roles`, each in a thread, until the block ends."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(roles) or 1) as pool:
        running = [pool.submit(carrying.run, role, engine, stop=stop) for role in roles]
        try:
            yield
        finally:
            stop.set()
            for each in running:
                each.result()


def heal(engine: Engine, carrying: Carrying, role: Role) -> None:
    """Carry everything to the lake, by the way that those in this `role` belong to."""
    by_broker: tuple[Role, ...] = ("relay", "consumer")
    with carry_meanwhile(engine, carrying, *(by_broker if role in by_broker else ("worker",))):
        wait_until(lambda: count(engine, "processed_at is null") == 0)
    if role == "compaction":
        wait_until(lambda: compacted(engine, carrying))


def compacted(engine: Engine, carrying: Carrying) -> bool:
    """Compact every month; False where the lock of one that died is still held."""
    try:
        compact(engine, carrying.open_lake(), now=LATER)
    except LakeBusy:
        return False
    return True


def assert_the_queue_has(which: TextClause, engine: Engine, channel: Any) -> None:
    """Check that the broker has back what no dead consumer may have acknowledged.

    That is what is `UNFINISHED`, or with several consumers what is `UNFROZEN`: what one has frozen
    is another's to acknowledge, and whoever comes later finds it in PostgreSQL.

    The broker takes a moment to see that they are, and to have their messages back in the queue.
    """
    with engine.connect() as connection:
        unfinished = set(connection.execute(which).scalars())
    found: set[str] = set()

    def has_all() -> bool:
        found.update(get_ids(channel))
        return unfinished <= found

    try:
        wait_until(has_all)
    finally:  # once: each return of a message counts against it
        channel.basic_nack(0, multiple=True, requeue=True)


def get_ids(channel: Any) -> Iterator[str]:
    """Yield the ids of the events that wait in the lake's queue; they stay unacknowledged."""
    while True:
        method, _, body = channel.basic_get(LAKE_QUEUE)
        if method is None:
            return
        yield decode(body).id
