"""One run: the short rows in rounds, side by side, then the long ones."""

import os
import platform
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from events.bench.amqp import SocketPublisher
from events.bench.database import describe_server
from events.bench.drain import Drain, drain
from events.bench.figures import Figure, percentile
from events.bench.plan import Plan, Site
from events.bench.rounds import measure_rounds
from events.bench.visible import wait_for_files
from events.bench.writes import OpenWrites


def measure(site: Site, plan: Plan, *, open_writes: OpenWrites) -> list[Figure]:
    """Measure what `plan` has, on a lent broker, and return its figures.

    Raises BenchFailed where a measurement cannot be made.
    """
    figures = measure_rounds(site, plan, open_writes=open_writes)
    if plan.has("visible"):
        figures += _visible_figures(
            wait_for_files(site, plan, lake=site.folder / "lake-visible"),
            flush_seconds=plan.flush_seconds,
        )
    if plan.has("drain"):
        lake = site.folder / "lake-drain"
        figures += _drain_figures(drain(site, plan, events=plan.events, lake=lake))
    if plan.has("memory"):
        lake = site.folder / "lake-memory"
        figures += memory_figures(drain(site, plan, events=plan.memory_events, lake=lake))
    return figures


def describe(site: Site, server_url: str) -> dict[str, Any]:
    """Return what a figure depends on: the machine, the servers, the libraries."""
    with closing(SocketPublisher(site.amqp_url)) as publisher:
        rabbitmq = publisher.server.get("version")
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "filesystem": _filesystem(site.folder),
        "python": platform.python_version(),
        "rabbitmq": rabbitmq,
        **describe_server(server_url),
        **{name: version(name) for name in ("pika", "psycopg", "pyarrow", "sqlalchemy")},
    }


def _filesystem(folder: Path) -> str | None:
    """Return the kind of file system that `folder` is on: an fsync costs nothing on some."""
    kinds = {each.mountpoint: each.fstype for each in psutil.disk_partitions(all=True)}
    above = (str(each) for each in (folder.resolve(), *folder.resolve().parents))
    return next((kinds[each] for each in above if each in kinds), None)


def _one(name: str, what: str, *, unit: str, value: float) -> Figure:
    return Figure(name=name, what=what, unit=unit, values=(value,))


def _visible_figures(seconds: list[float], *, flush_seconds: float) -> list[Figure]:
    over = [(each - flush_seconds) * 1e3 for each in seconds]
    what = "commit → file in the tree, less the flush age"
    return [
        _one("visible.p50", f"{what}: p50", unit="ms", value=percentile(over, 0.5)),
        _one("visible.p99", f"{what}: p99", unit="ms", value=percentile(over, 0.99)),
        _one("visible.max", f"{what}: longest", unit="ms", value=max(over)),
    ]


def _drain_figures(done: Drain) -> list[Figure]:
    rate = done.events / done.seconds
    cpu = {"relay": done.relay_cpu, "sink": done.sink_cpu}
    return [
        _one("drain", "outbox → Parquet: all steps", unit="events/s", value=rate),
        _one("drain.arrived", "outbox → Parquet: there once", unit="events", value=done.arrived),
        *(
            _one(
                f"drain.{name}_cpu",
                f"outbox → Parquet: CPU of the {name}",
                unit="µs/event",
                value=seconds * 1e6 / done.events,
            )
            for name, seconds in cpu.items()
        ),
    ]


def memory_figures(done: Drain) -> list[Figure]:
    """Return what relay and sink weighed: at most, at a quarter of the events, at the end."""
    quarter = next(sample for sample in done.samples if sample.done >= done.events / 4)
    end = done.samples[-1]
    weights = {
        "relay": (max(each.relay for each in done.samples), quarter.relay, end.relay),
        "sink": (max(each.sink for each in done.samples), quarter.sink, end.sink),
    }
    return [
        _one(f"memory.{name}.{part}", f"memory of the {name}: {what}", unit="MB", value=value)
        for name, values in weights.items()
        for (part, what), value in zip(
            (("peak", "peak"), ("quarter", "at 25 %"), ("end", "at 100 %")), values, strict=True
        )
    ]
