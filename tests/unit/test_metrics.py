"""The metrics themselves: names, labels, classes, and a database that does not answer."""

import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from structlog.testing import capture_logs

from api.metrics import make_registry
from db.batches import BatchFile
from db.outbox_metrics import ManifestPart, OutboxDepth
from events import gauges, metrics
from events.envelope import PoisonMessage, decode
from events.gauges import DatabaseGauges, lake_gauges, outbox_gauges
from tests.bounds import NOT_FOR_EVER
from tests.scrapes import scrape

LABELS = {"client", "family", "le", "loop", "reason", "state", "waiting_for"}
UNITS = ("_total", "_seconds", "_bytes", "_up", "_waiting", "_batches", "_files", "_events")
FILE = BatchFile(path="events/x.parquet", rows=7, bytes=1_000, sha256="0")


@pytest.fixture
def stalled_server() -> Iterator[socket.socket]:
    """Yield a listening socket on which nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


class Answered(Collector):
    """The gauges of a database that has answered."""

    def collect(self) -> Iterator[Metric]:
        """Yield them all."""
        depth = OutboxDepth(relay_events=2, relay_seconds=9.5, sink_events=3, sink_seconds=99.5)
        yield from outbox_gauges(depth)
        yield from lake_gauges(
            [
                make_part(family="task", state="done", batches=5, files=5, rows=50, bytes=500),
                make_part(family="task", state="replaced", batches=2, files=2, rows=20, bytes=200),
                make_part(family="user", state="frozen", batches=1, unwritten_seconds=4.5),
            ]
        )


def make_part(
    *,
    family: str,
    state: str,
    batches: int,
    files: int = 0,
    rows: int = 0,
    bytes: int = 0,  # noqa: A002 - the column's name
    unwritten_seconds: float = 0.0,
) -> ManifestPart:
    return ManifestPart(
        family=family,
        state=state,
        batches=batches,
        files=files,
        rows=rows,
        bytes=bytes,
        overdue_seconds=0.0,
        unwritten_seconds=unwritten_seconds,
    )


def test_names_and_labels_are_as_prometheus_wants_them() -> None:
    registry = CollectorRegistry()
    registry.register(metrics.EVENT_PATH)
    registry.register(Answered())

    families = list(text_string_to_metric_families(generate_latest(registry).decode()))

    names = [f"{each.name}_total" if each.type == "counter" else each.name for each in families]
    assert len(names) == len(set(names)) >= 20
    for name, family in zip(names, families, strict=True):
        assert re.fullmatch(r"goals_[a-z_]+", name)
        assert name.endswith(UNITS)
        assert name.endswith("_total") == (family.type == "counter")
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert set(sample.labels) <= LABELS


def test_every_value_of_a_label_is_known_beforehand() -> None:
    families = {*metrics.FAMILIES, metrics.OTHER_FAMILY}
    reasons = {*metrics.REASONS.values(), metrics.OTHER_REASON}

    metrics.count_dead_letter("userid of ana@example.com: canary")
    metrics.count_file("canary", FILE, oldest=datetime.now(UTC), started=monotonic())
    found = scrape().samples

    values = {value for _, labels in found for name, value in labels if name != "le"}
    assert values <= families | reasons | {"relay", "sink", "worker"}
    assert "canary" not in str(values)


@pytest.mark.parametrize("family", metrics.FAMILIES)
def test_a_family_has_its_series_before_its_first_file(family: str) -> None:
    assert scrape().value("goals_sink_files_total", family=family) >= 0.0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff", "not_json"),
        (b"{}", "not_an_envelope"),
        (b"[]", "not_an_envelope"),
        (b'{"specversion": "1.0", "data": 7}', "not_an_envelope"),
    ],
)
def test_what_is_wrong_with_a_message_is_one_of_a_few_classes(body: bytes, reason: str) -> None:
    before = scrape().value("goals_sink_dead_letters_total", reason=reason)

    with pytest.raises(PoisonMessage) as refused:
        decode(body)
    metrics.count_dead_letter(str(refused.value))

    assert scrape().value("goals_sink_dead_letters_total", reason=reason) == before + 1


def test_the_age_of_a_batch_is_that_of_its_oldest_event_and_never_negative() -> None:
    before = scrape()

    for age in (timedelta(seconds=100), timedelta(days=-1)):
        metrics.count_file("task", FILE, oldest=datetime.now(UTC) - age, started=monotonic())

    after = scrape()
    grown = {
        bound: after.value("goals_sink_batch_age_seconds_bucket", le=bound)
        - before.value("goals_sink_batch_age_seconds_bucket", le=bound)
        for bound in ("0.5", "90.0", "120.0")
    }
    assert grown == {"0.5": 1, "90.0": 1, "120.0": 2}
    assert after.since(before)["goals_sink_written_bytes_total"] == 2_000


def test_what_a_compaction_replaced_is_no_part_of_the_lake() -> None:
    found = scrape(Answered())

    assert found.value("goals_lake_files", family="task") == 5
    assert found.value("goals_lake_events", family="task") == 50
    assert found.value("goals_lake_bytes", family="task") == 500
    assert found.value("goals_lake_bytes", family="ai") == 0
    assert found.value("goals_lake_batches", state="replaced") == 2
    assert found.value("goals_lake_oldest_unwritten_batch_age_seconds") == 4.5


def test_without_a_database_a_scrape_answers_with_the_rest(tmp_path: Path) -> None:
    registry = make_registry(f"postgresql://nobody@/none?host={tmp_path}")

    with capture_logs() as logs:
        found = [scrape(registry) for _ in range(2)][1]

    assert found.value("goals_database_up") == 0
    assert not found.has("goals_outbox_events_waiting")
    assert not found.has("goals_lake_files")
    assert found.has("goals_relay_confirmed_events_total")
    assert found.has("process_resident_memory_bytes")
    assert [entry["event"] for entry in logs] == ["metrics.database_unavailable"]


def test_a_database_that_never_answers_is_asked_once_and_not_waited_for(
    stalled_server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.outbox_metrics.CONNECT_SECONDS", 2 * int(NOT_FOR_EVER))
    port = stalled_server.getsockname()[1]
    asked = DatabaseGauges(
        f"postgresql://nobody@127.0.0.1:{port}/none", fresh_seconds=0.0, patience_seconds=0.05
    )

    began = monotonic()
    found = [scrape(asked).value("goals_database_up") for _ in range(3)]
    took = monotonic() - began

    assert found == [0, 0, 0]
    assert took < NOT_FOR_EVER
    stalled_server.accept()[0].close()
    stalled_server.setblocking(False)
    with pytest.raises(BlockingIOError):
        stalled_server.accept()
    for thread in threading.enumerate():
        if thread.name == gauges.THREAD:
            thread.join(10)
