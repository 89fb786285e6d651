"""From a full outbox to the lake: how fast, with how much CPU and memory."""

import threading
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from events.bench.broker import empty_queue
from events.bench.carriers import Carrier, Way, carrier, subscribed_sink
from events.bench.database import connect, count_done, has_unprocessed, load
from events.bench.figures import BenchFailed
from events.bench.messages import make_rows
from events.bench.parquet import count_arrived
from events.bench.plan import Plan, Site

POLL_SECONDS: Final = 0.1
STALL_SECONDS: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a process weighed (MB) when so many events were done."""

    done: int
    relay: float
    sink: float


@dataclass(frozen=True, kw_only=True)
class Drain:
    """A drained outbox: `seconds` from the relay's start, CPU seconds, and what it weighed.

    `arrived` is the number of different events in the lake.
    """

    events: int
    arrived: int
    seconds: float
    relay_cpu: float
    sink_cpu: float
    samples: tuple[Sample, ...]


def drain(site: Site, plan: Plan, *, events: int, lake: Path) -> Drain:
    """Load `events` into an outbox, then start relay and sink; wait until all are in `lake`.

    The sink has subscribed before the clock starts; the relay's start is part of the time. Raises
    BenchFailed where not every event arrived exactly once.
    """
    empty_queue(site.amqp_url)
    with site.open_database() as url:
        load(
            url,
            make_rows(events, at=datetime.now(UTC)),
            announce=lambda loaded: site.announce(f"drain: {loaded} of {events} events loaded"),
        )
        way = Way(database_url=url, lake=lake, flush_seconds=plan.drain_flush_seconds)
        with subscribed_sink(site, way=way) as sink:
            used = sink.cpu_seconds()
            started = time.monotonic()
            with carrier(site, "relay", way=way) as relay:
                samples = _watch(site, url, events=events, carriers=(relay, sink))
                seconds = time.monotonic() - started
                relay_cpu, sink_cpu = relay.cpu_seconds(), sink.cpu_seconds() - used
    rows, arrived = count_arrived(lake)
    if (rows, arrived) != (events, events):
        raise BenchFailed(f"{events} events, but {rows} rows and {arrived} ids in the lake")
    return Drain(
        events=events,
        arrived=arrived,
        seconds=seconds,
        relay_cpu=relay_cpu,
        sink_cpu=sink_cpu,
        samples=samples,
    )


def _watch(
    site: Site, url: str, *, events: int, carriers: tuple[Carrier, Carrier]
) -> tuple[Sample, ...]:
    """Look at the manifest and the processes until every event is processed."""
    relay, sink = carriers
    samples: list[Sample] = []
    tick = threading.Event()
    moved = time.monotonic()
    with closing(connect(url)) as connection:
        while True:
            done = count_done(connection)
            if not samples or done > samples[-1].done:
                moved = time.monotonic()
                site.announce(f"drain: {done} of {events} events in the lake")
            samples.append(Sample(done=done, relay=relay.megabytes(), sink=sink.megabytes()))
            if done >= events and not has_unprocessed(connection):
                return tuple(samples)
            for each in carriers:
                each.check()
                if time.monotonic() - moved > STALL_SECONDS:
                    raise BenchFailed(
                        f"nothing moved for {STALL_SECONDS:.0f} s; "
                        f"goals {each.name} last said: {each.last_words()}"
                    )
            tick.wait(POLL_SECONDS)
