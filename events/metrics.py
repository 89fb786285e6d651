"""What a process that carries events away counts, by Prometheus' rules.

The metrics belong to the process, as Prometheus means them: each is added to once a round or a
batch, not once a message. No label has a value that comes from a user or a message.
"""

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from db.batches import BatchFile
from db.events import CATALOGUE

if TYPE_CHECKING:
    from events.publisher import Receipt

Client = Literal["relay", "sink"]
Loop = Literal["relay", "sink", "worker"]
FAMILIES: Final = tuple(dict.fromkeys(event_type.family for event_type in CATALOGUE))
OTHER_FAMILY: Final = "other"

# Else every counter comes with a second series, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
EVENT_PATH: Final = CollectorRegistry()

PUBLISHED: Final = Counter(
    "goals_relay_published_events_total",
    "Events handed to the broker.",
    registry=EVENT_PATH,
)
CONFIRMED: Final = Counter(
    "goals_relay_confirmed_events_total",
    "Published events that the broker confirmed and a queue took.",
    registry=EVENT_PATH,
)
RETURNED: Final = Counter(
    "goals_relay_returned_events_total",
    "Published events that no queue takes; they are published again.",
    registry=EVENT_PATH,
)
UNCONFIRMED: Final = Counter(
    "goals_relay_unconfirmed_events_total",
    "Published events that the broker refused, or of which it said nothing by the deadline or by"
    " the end of the connection; they are published again.",
    registry=EVENT_PATH,
)
REPUBLISHED: Final = Counter(
    "goals_relay_republished_events_total",
    "Events that the broker had confirmed and no sink ever got; they are published again.",
    registry=EVENT_PATH,
)
PUBLISH_SECONDS: Final = Histogram(
    "goals_relay_publish_seconds",
    "Seconds from the first message of a round to its last confirm.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30),
    registry=EVENT_PATH,
)
CONNECTIONS: Final = Counter(
    "goals_broker_connections_total",
    "Connections opened to the broker; every one after the first is a reconnection.",
    ["client"],
    registry=EVENT_PATH,
)
FAILURES: Final = Counter(
    "goals_event_path_failures_total",
    "Rounds that ended because the broker, the database or the lake could not be used.",
    ["loop"],
    registry=EVENT_PATH,
)
DELIVERIES: Final = Counter(
    "goals_sink_deliveries_total",
    "Deliveries that the sink settled: their events are in Parquet, or they are dead letters.",
    registry=EVENT_PATH,
)
REDELIVERIES: Final = Counter(
    "goals_sink_redeliveries_total",
    "Deliveries that the broker had delivered before.",
    registry=EVENT_PATH,
)
DEAD_LETTERS: Final = Counter(
    "goals_sink_dead_letters_total",
    "Deliveries sent to the dead letters.",
    ["reason"],
    registry=EVENT_PATH,
)
FILES: Final = Counter(
    "goals_sink_files_total",
    "Parquet files put in place.",
    ["family"],
    registry=EVENT_PATH,
)
WRITTEN_BYTES: Final = Counter(
    "goals_sink_written_bytes_total",
    "Bytes of the Parquet files put in place.",
    ["family"],
    registry=EVENT_PATH,
)
WRITTEN_EVENTS: Final = Counter(
    "goals_sink_written_events_total",
    "Events in the Parquet files put in place.",
    ["family"],
    registry=EVENT_PATH,
)
WRITE_SECONDS: Final = Histogram(
    "goals_sink_batch_write_seconds",
    "Seconds from reading a batch's rows to its commit.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=EVENT_PATH,
)
BATCH_AGE: Final = Histogram(
    "goals_sink_batch_age_seconds",
    "Seconds from the oldest event of a batch to the batch's commit.",
    buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 90, 120, 300, 600, 1_800, 3_600, 21_600, 86_400),
    registry=EVENT_PATH,
)

REASONS: Final = {
    "json_invalid": "not_json",
    "id: no such event": "unknown_event",
    "id: no id of an event": "not_an_envelope",
    "message_id: no id of an event": "not_an_envelope",
    "type: not in the catalogue": "unknown_type",
    "dataschema: another type's or an unknown version": "unknown_version",
}
OTHER_REASON: Final = "other"
A_FIELD_IS_WRONG: Final = re.compile(r"([\w.]+: )?[a-z_]+")

# A series that begins at its first event hides that event from `rate`.
for _family in FAMILIES:
    for _counter in (FILES, WRITTEN_BYTES, WRITTEN_EVENTS):
        _counter.labels(family=_family)
for _reason in (*REASONS.values(), OTHER_REASON):
    DEAD_LETTERS.labels(reason=_reason)


def count_round(receipt: "Receipt", *, published: int, started: float) -> None:
    """Count what the broker said of `published` events, handed to it from the second `started`."""
    confirmed, returned = len(receipt.confirmed), len(receipt.returned)
    PUBLISHED.inc(published)
    CONFIRMED.inc(confirmed)
    RETURNED.inc(returned)
    UNCONFIRMED.inc(published - confirmed - returned)
    PUBLISH_SECONDS.observe(time.monotonic() - started)


def count_republished(events: int) -> None:
    """Count what a relay takes for lost."""
    REPUBLISHED.inc(events)


def count_connection(client: Client) -> None:
    """Count a connection to the broker."""
    CONNECTIONS.labels(client=client).inc()


def count_failure(loop: Loop) -> None:
    """Count a round that failed and is tried again."""
    FAILURES.labels(loop=loop).inc()


def count_dead_letter(why: str) -> None:
    """Count a dead letter under the class of `why`, the sentence that the log gets."""
    DELIVERIES.inc()
    envelope = "not_an_envelope" if A_FIELD_IS_WRONG.fullmatch(why) else OTHER_REASON
    DEAD_LETTERS.labels(reason=REASONS.get(why, envelope)).inc()


def count_file(family: str, file: BatchFile, *, oldest: datetime, started: float) -> None:
    """Count a file in place, its batch committed now.

    `oldest` is the `created_at` of its oldest event; `started` is the monotonic second at which
    the sink began to read its rows.
    """
    label = family if family in FAMILIES else OTHER_FAMILY
    FILES.labels(family=label).inc()
    WRITTEN_BYTES.labels(family=label).inc(file.bytes)
    WRITTEN_EVENTS.labels(family=label).inc(file.rows)
    WRITE_SECONDS.observe(time.monotonic() - started)
    BATCH_AGE.observe(max(0.0, (datetime.now(UTC) - oldest).total_seconds()))
