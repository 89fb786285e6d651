"""Relay and sink as real processes: started, watched, stopped."""

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import psutil

from events.bench.broker import has_consumer
from events.bench.figures import BenchFailed
from events.bench.plan import Site

STOP_SECONDS: Final = 30.0
START_SECONDS: Final = 60.0
MEGABYTE: Final = 1_000_000

CarrierName = Literal["relay", "sink"]


@dataclass(frozen=True, kw_only=True)
class Way:
    """What events are carried from and to, and how long they may wait for company."""

    database_url: str
    lake: Path
    flush_seconds: float


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """A running process of ours, and the file that has its words."""

    name: CarrierName
    process: subprocess.Popen[bytes]
    meter: psutil.Process
    log: Path

    def check(self) -> None:
        """Raise BenchFailed where the process has ended."""
        if self.process.poll() is not None:
            raise BenchFailed(f"goals {self.name} ended: {self.last_words()}")

    def last_words(self) -> str:
        """Return the last line that it wrote."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "without a word"

    def megabytes(self) -> float:
        """Return its resident memory in MB (10^6 bytes)."""
        return float(self.meter.memory_info().rss) / MEGABYTE

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used, in seconds."""
        times = self.meter.cpu_times()
        return float(times.user + times.system)


@contextlib.contextmanager
def carrier(site: Site, name: CarrierName, *, way: Way) -> Iterator[Carrier]:
    """Start `goals relay` or `goals sink`, and stop it at the end of the block."""
    log = site.folder / f"{name}.log"
    with log.open("wb") as words:
        process = subprocess.Popen(
            [*site.program, name],
            # A folder without a `.env`: nothing but these settings counts.
            cwd=site.folder,
            env={
                **site.environment,
                "DATABASE_URL": way.database_url,
                "AMQP_URL": site.amqp_url,
                "GOALS_LAKE": str(way.lake),
                "GOALS_FLUSH_SECONDS": str(way.flush_seconds),
            },
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
        )
    try:
        yield Carrier(name=name, process=process, meter=psutil.Process(process.pid), log=log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def subscribed_sink(site: Site, *, way: Way) -> Iterator[Carrier]:
    """Start `goals sink` and yield it when it has subscribed. Raises BenchFailed."""
    with carrier(site, "sink", way=way) as sink:
        deadline = time.monotonic() + START_SECONDS
        tick = threading.Event()
        while not has_consumer(site.amqp_url):
            sink.check()
            if time.monotonic() > deadline:
                raise BenchFailed(f"goals sink did not subscribe: {sink.last_words()}")
            tick.wait(0.1)
        yield sink
