"""What PostgreSQL knows about the outbox and the lake, asked when Prometheus asks.

One question at a time in a thread of its own: a scrape waits for it no longer than its patience,
whatever the database does, and answers with the rest.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from db import outbox_metrics
from db.engine import UNAVAILABLE
from db.outbox_metrics import COUNTED_AT_MOST, ManifestPart, OutboxDepth
from db.retry import reason
from events.metrics import FAMILIES

FRESH_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 5.0
THREAD: Final = "metrics"
REPLACED: Final = "replaced"
FROZEN: Final = "frozen"
STATES: Final = (FROZEN, "done", "compacting", REPLACED, "quarantined")

log = structlog.get_logger(__name__)


@dataclass
class _Answer:
    """What the database said, as far as it has; `done` when it says no more."""

    asked_at: float
    done: threading.Event = field(default_factory=threading.Event)
    depth: OutboxDepth | None = None
    manifest: Sequence[ManifestPart] | None = None
    pending_vectors: int | None = None


class DatabaseGauges(Collector):
    """The gauges of the outbox and the lake in the database at `url`; any thread may collect.

    An answer is good for `fresh_seconds`, also a failure: many scrapers are one question. Without
    an answer `goals_database_up` is 0 and the other gauges are missing.
    """

    def __init__(
        self,
        url: str,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._engine = outbox_metrics.make_scrape_engine(url)
        self._fresh_seconds = fresh_seconds
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._last: _Answer | None = None
        self._was_up = True

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges that the database answers for."""
        answer = self._ask()
        up = answer.depth is not None or answer.manifest is not None
        yield _gauge("goals_database_up", "1 where PostgreSQL answered this scrape, else 0.", up)
        if answer.depth is not None:
            yield from outbox_gauges(answer.depth)
        if answer.manifest is not None:
            yield from lake_gauges(answer.manifest)
        if answer.pending_vectors is not None:
            yield _gauge(
                "goals_embeddings_pending",
                "Texts that have no vector yet and are found by their words alone."
                f" Exact up to {COUNTED_AT_MOST}, where counting stops.",
                answer.pending_vectors,
            )

    def _ask(self) -> _Answer:
        with self._lock:
            answer = self._last
            if answer is None or self._is_over(answer):
                answer = self._last = _Answer(time.monotonic())
                threading.Thread(
                    target=self._read, args=(answer,), name=THREAD, daemon=True
                ).start()
        answer.done.wait(self._patience_seconds)
        return answer

    def _is_over(self, answer: _Answer) -> bool:
        # A question to a server that is stopped may have no end: then no second one is asked.
        fresh_until = answer.asked_at + self._fresh_seconds
        return answer.done.is_set() and time.monotonic() >= fresh_until

    def _read(self, answer: _Answer) -> None:
        try:
            with self._engine.connect() as connection:
                answer.depth = outbox_metrics.read_depth(connection)
                answer.manifest = outbox_metrics.read_manifest(connection)
                answer.pending_vectors = outbox_metrics.read_pending_vectors(connection)
            self._was_up = True
        except UNAVAILABLE as error:
            if self._was_up:
                log.warning("metrics.database_unavailable", reason=reason(error))
            self._was_up = False
        finally:
            answer.done.set()


def outbox_gauges(depth: OutboxDepth) -> Iterator[Metric]:
    """Yield what waits, and for how long, by whom it waits for."""
    waiting = GaugeMetricFamily(
        "goals_outbox_events_waiting",
        "Events not published yet (waiting_for relay); events whose file is not finished, also"
        " those written again or quarantined (sink)."
        f" Exact up to {COUNTED_AT_MOST}, where counting stops.",
        labels=["waiting_for"],
    )
    waiting.add_metric(["relay"], depth.relay_events)
    waiting.add_metric(["sink"], depth.sink_events)
    yield waiting
    age = GaugeMetricFamily(
        "goals_outbox_oldest_event_age_seconds",
        "Age of the first event, by id, that waits for a relay, or for its first file; 0 where none"
        " does. A quarantined event waits for nobody.",
        labels=["waiting_for"],
    )
    age.add_metric(["relay"], depth.relay_seconds)
    age.add_metric(["sink"], depth.sink_seconds)
    yield age


def lake_gauges(parts: Sequence[ManifestPart]) -> Iterator[Metric]:
    """Yield the batches by state, what is overdue of them, and the lake by family."""
    batches = GaugeMetricFamily(
        "goals_lake_batches", "Batches in the manifest by state.", labels=["state"]
    )
    for state in sorted({*STATES, *(part.state for part in parts)}):
        batches.add_metric([state], sum(part.batches for part in parts if part.state == state))
    yield batches

    frozen = [part for part in parts if part.state == FROZEN]
    yield _gauge(
        "goals_lake_oldest_unwritten_batch_age_seconds",
        "Age of the oldest frozen batch that has no file yet; 0 where there is none.",
        max((part.unwritten_seconds for part in frozen), default=0.0),
    )
    yield _gauge(
        "goals_lake_lease_overdue_seconds",
        "How long ago the first lease of a frozen batch ended; 0 where none has. It rises where no"
        " sink is left to take the batch over.",
        max((part.overdue_seconds for part in frozen), default=0.0),
    )

    held = [part for part in parts if part.state != REPLACED]
    yield _by_family(
        "goals_lake_files",
        "Files of the lake, as the manifest has them.",
        {part: part.files for part in held},
    )
    yield _by_family(
        "goals_lake_events", "Events in the files of the lake.", {part: part.rows for part in held}
    )
    yield _by_family(
        "goals_lake_bytes", "Size of the files of the lake.", {part: part.bytes for part in held}
    )


def _by_family(name: str, about: str, values: dict[ManifestPart, int]) -> Metric:
    gauge = GaugeMetricFamily(name, about, labels=["family"])
    for family in sorted({*FAMILIES, *(part.family for part in values)}):
        of_family = (value for part, value in values.items() if part.family == family)
        gauge.add_metric([family], sum(of_family))
    return gauge


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)
