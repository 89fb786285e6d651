"""The short rows: in each round each of them once, so that all meet the same machine."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from events.bench.amqp import SocketPublisher, encode_publish
from events.bench.broker import empty_queue
from events.bench.consume import consume_with_pika
from events.bench.database import add_users
from events.bench.figures import Figure
from events.bench.messages import make_message, make_rows
from events.bench.parquet import make_tables, write_with_pyarrow
from events.bench.plan import BLOCKING_SHARE, Plan, Site
from events.bench.publish import (
    publish_as_the_relay,
    publish_each_confirmed,
    publish_over_socket,
    publish_with_pika,
)
from events.bench.writes import OpenWrites, measure_writes
from events.publisher import WINDOW

Row = Callable[[int], Mapping[str, float]]
"""Measures one round, by its number, and returns its figures."""


@dataclass(frozen=True)
class Label:
    """What a figure is of, in words, and its unit."""

    what: str
    unit: str


LABELS: Final = {
    "publish.socket": Label("a bare socket, frames encoded before", "messages/s"),
    "publish.pika": Label("bare pika, the same window", "messages/s"),
    "publish.each_confirmed": Label("bare pika, a confirm each", "messages/s"),
    "publish.ours": Label("our publisher, in a relay's rounds", "messages/s"),
    "consume.pika": Label("bare pika, an ack each 1,000", "messages/s"),
    "write.pyarrow": Label("bare pyarrow, and fsync", "rows/s"),
}

WRITES: Final = {
    "request": "PATCH of a goal, in the application",
    "update": "begin, update_goal (the verb: one field), commit",
    "insert": "begin, insert a goal, commit",
}
"""What the edge's writes are in words."""


def measure_rounds(site: Site, plan: Plan, *, open_writes: OpenWrites) -> list[Figure]:
    """Return the figures of the short sections that `plan` has, one value for each round."""
    found: dict[str, list[float]] = {}
    labels = LABELS | _write_labels()
    with ExitStack() as stack:
        rows = _rows(site, plan, open_writes=open_writes, stack=stack)
        for number in range(plan.rounds):
            # Every other round in reverse: what one row leaves to the next is not always the same.
            for name, measure in rows[:: 1 if number % 2 == 0 else -1]:
                site.announce(f"round {number + 1} of {plan.rounds}: {name}")
                for figure, value in measure(number).items():
                    found.setdefault(figure, []).append(value)
    return [
        Figure(name=name, what=label.what, unit=label.unit, values=tuple(found[name]))
        for name, label in labels.items()
        if name in found
    ]


def _rows(
    site: Site, plan: Plan, *, open_writes: OpenWrites, stack: ExitStack
) -> list[tuple[str, Row]]:
    events = list(make_rows(plan.messages, at=datetime.now(UTC)))
    messages = [make_message(row) for row in events]
    few = messages[: max(1, len(messages) // BLOCKING_SHARE)]
    rows: list[tuple[str, Row]] = []

    def publishing(name: str, publish: Callable[[], float]) -> None:
        def measure(_number: int) -> Mapping[str, float]:
            empty_queue(site.amqp_url)
            return {name: publish()}

        rows.append((name, measure))

    if plan.has("publish"):
        url = site.amqp_url
        publishing("publish.socket", partial(publish_over_socket, url, messages))
        publishing("publish.pika", partial(publish_with_pika, url, messages))
        publishing("publish.each_confirmed", partial(publish_each_confirmed, url, few))
        publishing("publish.ours", partial(publish_as_the_relay, url, messages))
    if plan.has("consume"):
        encoded = [encode_publish(message) for message in messages]

        def consume(_number: int) -> Mapping[str, float]:
            empty_queue(site.amqp_url)
            with closing(SocketPublisher(site.amqp_url)) as publisher:
                publisher.publish(encoded, window=WINDOW)
            return {"consume.pika": consume_with_pika(site.amqp_url, len(encoded))}

        rows.append(("consume.pika", consume))
    if plan.has("parquet"):
        tables = make_tables(events)

        def write(number: int) -> Mapping[str, float]:
            folder = site.folder / f"bare-{number}"
            return {"write.pyarrow": write_with_pyarrow(folder, tables)}

        rows.append(("write.pyarrow", write))
    if plan.has("writes"):
        database = stack.enter_context(site.open_database())
        add_users(database)
        rows.append(("writes", lambda _number: _write(database, open_writes, commits=plan.commits)))
    return rows


def _write(database: str, open_writes: OpenWrites, *, commits: int) -> Mapping[str, float]:
    figures: dict[str, float] = {}
    for name, times in measure_writes(database, open_writes, commits=commits).items():
        figures[f"{name}.without"] = times.p50_without
        figures[f"{name}.with"] = times.p50_with
        figures[f"{name}s.without"] = times.rate_without
        figures[f"{name}s.with"] = times.rate_with
    return figures


def _write_labels() -> dict[str, Label]:
    labels = {}
    for name, what in WRITES.items():
        for how in ("without", "with"):
            labels[f"{name}.{how}"] = Label(f"{what}, {how} its event: p50 of one", "ms")
        for how in ("without", "with"):
            labels[f"{name}s.{how}"] = Label(f"{what}, {how} its event: eight at once", "commits/s")
    return labels
