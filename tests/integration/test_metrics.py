"""What Prometheus reads, on a real PostgreSQL and RabbitMQ."""

import asyncio
import json
import socket
import threading
import urllib.request
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from api.app import create_app
from api.metrics import metrics_exposed
from api.settings import Settings
from db import batches, manifest, outbox_metrics
from db.engine import make_sync_engine
from db.enums import EventType
from events.consumer import run_consumer
from events.gauges import DatabaseGauges
from events.lake import Lake
from events.metrics import FAMILIES
from events.publisher import Publisher
from events.relay import RelayPolicy, relay_once, run_relay
from events.sink import FlushPolicy, flush
from events.topology import DEAD_LETTER_QUEUE, EXCHANGE, LAKE_QUEUE, BrokerUnavailable
from events.worker import run_worker
from tests.database import connect
from tests.event_path import (
    StopWhen,
    all_processed,
    all_published,
    count,
    take_all,
    wait_until,
)
from tests.event_samples import record_events, sample, samples
from tests.scrapes import Scrape, parse, scrape
from tests.service import Learner, Service
from tools.errors import SetupError

SOON = FlushPolicy(max_rows=40, max_age=timedelta(milliseconds=50))
NO_BROKER = "amqp://guest:guest@127.0.0.1:1/%2F"


def waiting(channel: Any, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def gauges(database_url: str) -> Scrape:
    """Ask the database now."""
    return scrape(DatabaseGauges(database_url))


async def read_metrics(service: Service) -> Scrape:
    async with service.client() as client:
        response = await client.get("/metrics")
    assert response.status_code == 200
    return parse(response.text)


def test_each_step_from_the_outbox_to_parquet_is_counted(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: Lake
) -> None:
    record_events(database_url, samples(54))
    before = scrape()

    run_relay(outbox, amqp_url, stop=all_published(outbox))
    run_consumer(outbox, amqp_url, lake, stop=all_processed(outbox), policy=SOON)

    after, now = scrape(), gauges(database_url)
    grown = after.since(before)
    assert grown["goals_relay_published_events_total"] == 54
    assert grown["goals_relay_confirmed_events_total"] == 54
    assert grown["goals_broker_connections_total"] == 2
    assert grown["goals_sink_deliveries_total"] == 54
    assert grown["goals_sink_written_events_total"] == 54
    assert grown["goals_relay_publish_seconds_count"] >= 1
    files = grown["goals_sink_files_total"]
    assert files >= len(FAMILIES)
    assert grown["goals_sink_batch_write_seconds_count"] == files
    assert grown["goals_sink_batch_age_seconds_count"] == files
    assert "goals_relay_returned_events_total" not in grown
    assert "goals_sink_dead_letters_total" not in grown
    assert sum(now.value("goals_lake_files", family=family) for family in FAMILIES) == files
    assert now.value("goals_lake_batches", state="done") == files
    for family in FAMILIES:
        written = "goals_sink_written_bytes_total"
        grown_bytes = after.value(written, family=family) - before.value(written, family=family)
        assert now.value("goals_lake_bytes", family=family) == grown_bytes > 0
        of_family = f"event_type::text like '{family}.%'"
        assert now.value("goals_lake_events", family=family) == count(outbox, of_family)


def test_what_no_queue_takes_and_what_is_not_confirmed_are_counted_apart(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    record_events(database_url, samples(10))
    publisher = Publisher(amqp_url)
    channel.queue_delete(LAKE_QUEUE)
    before = scrape()

    relay_once(outbox, publisher, policy=RelayPolicy())
    between = scrape()
    channel.exchange_delete(EXCHANGE)
    with pytest.raises(BrokerUnavailable):
        relay_once(outbox, publisher, policy=RelayPolicy())
    after = scrape()
    publisher.close()

    assert between.since(before) == {
        "goals_relay_published_events_total": 10,
        "goals_relay_returned_events_total": 10,
        "goals_relay_publish_seconds_count": 1,
    }
    assert after.since(between) == {
        "goals_relay_published_events_total": 10,
        "goals_relay_unconfirmed_events_total": 10,
        "goals_relay_publish_seconds_count": 1,
    }


def test_dead_letters_are_counted_by_their_class(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: Lake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    good = json.loads(take_all(channel, LAKE_QUEUE)[0][1])
    poison = {
        "not_json": b"\xff not JSON \x00",
        "not_an_envelope": b'{"id": "evt_1"}',
        "unknown_event": json.dumps(good | {"id": "evt_nobody_knows"}).encode(),
        "unknown_type": json.dumps(good | {"type": "task.exploded"}).encode(),
        "unknown_version": json.dumps(
            good | {"dataschema": "urn:goals:event:task.completed:99"}
        ).encode(),
    }
    for body in poison.values():
        channel.basic_publish(EXCHANGE, "task.completed", body)
    before = scrape()

    all_dead = StopWhen(lambda: waiting(channel, DEAD_LETTER_QUEUE) == len(poison))
    run_consumer(outbox, amqp_url, lake, stop=all_dead, policy=SOON)

    after, name = scrape(), "goals_sink_dead_letters_total"
    for reason in poison:
        assert after.value(name, reason=reason) - before.value(name, reason=reason) == 1
    assert after.since(before)[name] == len(poison)
    assert after.since(before)["goals_sink_deliveries_total"] == len(poison)


def test_redeliveries_are_counted(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: Lake
) -> None:
    record_events(database_url, samples(10))
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    tags = [channel.basic_get(LAKE_QUEUE)[0].delivery_tag for _ in range(3)]
    channel.basic_nack(tags[-1], multiple=True, requeue=True)
    before = scrape()

    run_consumer(outbox, amqp_url, lake, stop=all_processed(outbox), policy=SOON)

    grown = scrape().since(before)
    assert grown["goals_sink_redeliveries_total"] == 3
    assert grown["goals_sink_deliveries_total"] == 10


def test_what_the_broker_lost_is_counted_when_it_is_published_again(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    record_events(database_url, samples(10))
    at_once = RelayPolicy(lost_after=timedelta(0), reconcile_every=timedelta(0))
    run_relay(outbox, amqp_url, stop=all_published(outbox), policy=at_once)
    before = scrape()

    channel.queue_purge(LAKE_QUEUE)
    run_relay(
        outbox, amqp_url, stop=StopWhen(lambda: waiting(channel, LAKE_QUEUE) >= 10), policy=at_once
    )

    assert scrape().since(before)["goals_relay_republished_events_total"] >= 10


@pytest.mark.parametrize("loop", ["relay", "sink", "worker"])
def test_a_round_that_fails_is_counted_by_its_loop(loop: str, tmp_path: Path, lake: Lake) -> None:
    nowhere = make_sync_engine(f"postgresql://nobody@/none?host={tmp_path}")
    before = scrape()
    failed = StopWhen(lambda: "goals_event_path_failures_total" in scrape().since(before))

    if loop == "relay":
        run_relay(nowhere, NO_BROKER, stop=failed)
    elif loop == "sink":
        run_consumer(nowhere, NO_BROKER, lake, stop=failed)
    else:
        run_worker(nowhere, lake, stop=failed)

    assert scrape().value("goals_event_path_failures_total", loop=loop) >= 1
    assert scrape().since(before).keys() == {"goals_event_path_failures_total"}


def test_depth_and_age_show_who_is_waited_for(
    database_url: str, outbox: Engine, lake: Lake
) -> None:
    record_events(database_url, samples(27))
    with outbox.begin() as connection:
        connection.execute(text("update events set created_at = created_at - interval '1 hour'"))

    recorded = gauges(database_url)
    with outbox.begin() as connection:
        frozen = batches.freeze(connection, 20, lease=timedelta(0))
    abandoned = gauges(database_url)
    flush(outbox, lake)
    stored = gauges(database_url)

    depth, age = "goals_outbox_events_waiting", "goals_outbox_oldest_event_age_seconds"
    found = [
        [each.value(depth, waiting_for=who) for who in ("relay", "sink")]
        for each in (recorded, abandoned, stored)
    ]
    assert found == [[27, 27], [7, 27], [0, 0]]
    assert 3_600 <= recorded.value(age, waiting_for="relay") < 3_700
    assert 3_600 <= abandoned.value(age, waiting_for="sink") < 3_700
    assert stored.value(age, waiting_for="sink") == stored.value(age, waiting_for="relay") == 0
    assert recorded.value("goals_lake_batches", state="frozen") == 0
    assert abandoned.value("goals_lake_batches", state="frozen") == len(frozen)
    assert abandoned.value("goals_lake_lease_overdue_seconds") > 0
    assert abandoned.value("goals_lake_oldest_unwritten_batch_age_seconds") > 0
    assert stored.value("goals_lake_lease_overdue_seconds") == 0
    assert stored.value("goals_lake_oldest_unwritten_batch_age_seconds") == 0


def test_what_is_quarantined_is_counted_and_has_no_age(
    database_url: str, outbox: Engine, lake: Lake
) -> None:
    record_events(database_url, samples(1))
    with outbox.begin() as connection:
        batches.freeze(connection, 1, lease=timedelta(0))
        connection.execute(text("update parquet_batches set state = 'quarantined'"))

    found = gauges(database_url)

    assert found.value("goals_lake_batches", state="quarantined") == 1
    assert found.value("goals_outbox_events_waiting", waiting_for="sink") == 1
    assert found.value("goals_outbox_oldest_event_age_seconds", waiting_for="sink") == 0


def test_what_is_written_again_is_counted_and_does_not_hide_what_waits(
    database_url: str, outbox: Engine, lake: Lake
) -> None:
    record_events(database_url, samples(27))
    flush(outbox, lake)
    with outbox.begin() as connection:
        done = [entry.batch for entry in manifest.entries(connection)]
        for batch in done:
            manifest.refreeze(connection, batch, lease=timedelta(minutes=1))
    rewriting = gauges(database_url)

    record_events(database_url, samples(1))
    with outbox.begin() as connection:
        connection.execute(text("update events set created_at = now() - interval '1 hour'"))
    waiting_too = gauges(database_url)

    age = "goals_outbox_oldest_event_age_seconds"
    assert rewriting.value("goals_outbox_events_waiting", waiting_for="sink") == 27
    assert rewriting.value("goals_outbox_events_waiting", waiting_for="relay") == 0
    assert rewriting.value(age, waiting_for="sink") == 0
    assert 3_600 <= waiting_too.value(age, waiting_for="sink") < 3_700


def test_counting_stops_at_its_limit(
    database_url: str, outbox: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_metrics, "COUNTED_AT_MOST", 20)
    record_events(database_url, samples(27))
    with outbox.begin() as connection:
        batches.freeze(connection, 5, lease=timedelta(minutes=1))

    found = gauges(database_url)

    waits = [
        found.value("goals_outbox_events_waiting", waiting_for=who) for who in ("relay", "sink")
    ]
    assert waits == [20, 20]


def test_a_scrape_never_reads_the_whole_table(database_url: str, outbox: Engine) -> None:
    with outbox.begin() as connection:
        connection.execute(
            text(
                "insert into events (id, event_type, payload) "
                "select 'evt_' || n, 'user.login', '{}' from generate_series(1, 20000) n"
            )
        )
        connection.execute(text("update outbox set published_at = now() where event_id < 'evt_2'"))

    engine = outbox_metrics.make_scrape_engine(database_url)
    with engine.connect() as connection:
        plan = connection.execute(text(f"explain {outbox_metrics.DEPTH.text}"), {"limit": 100_000})
        lines = "\n".join(plan.scalars())

    assert "Seq Scan on events" not in lines
    assert "Seq Scan on outbox" not in lines
    assert "Sort" not in lines
    assert "idx_outbox_unpublished" in lines


def test_a_locked_table_ends_a_scrape_soon_and_leaves_no_connection(
    database_url: str, outbox: Engine
) -> None:
    asked = DatabaseGauges(database_url, fresh_seconds=0.0)
    with connect(database_url) as other, other.transaction():
        other.execute("lock table events in access exclusive mode")
        during = scrape(asked)
    after = scrape(asked)

    assert during.value("goals_database_up") == 0
    assert after.value("goals_database_up") == 1
    left = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and backend_type = 'client backend'"
    )
    with connect(database_url) as other:
        # A backend is listed for a moment after its client has closed the connection.
        wait_until(lambda: other.execute(left).fetchone() == (0,))


def test_many_scrapers_at_once_are_one_question(database_url: str, outbox: Engine) -> None:
    asked = DatabaseGauges(database_url)
    found: list[Scrape] = []
    record_events(database_url, samples(3))

    scrapers = [threading.Thread(target=lambda: found.append(scrape(asked))) for _ in range(8)]
    for scraper in scrapers:
        scraper.start()
    for scraper in scrapers:
        scraper.join()
    record_events(database_url, samples(3))
    found.append(scrape(asked))

    depths = [each.value("goals_outbox_events_waiting", waiting_for="sink") for each in found]
    assert depths == [3] * 9


async def test_the_api_answers_prometheus_without_a_token_and_without_user_data(
    ana: Learner, service: Service
) -> None:
    await ana.make("goals", title="canary title")

    async with service.client() as client:
        response = await client.get("/metrics")
        openapi = (await client.get("/openapi.json")).json()

    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = parse(response.text)
    assert found.value("goals_database_up") == 1
    assert found.value("goals_outbox_events_waiting", waiting_for="relay") == 2
    assert "canary" not in response.text
    assert ana.id not in response.text
    assert "/metrics" not in openapi["paths"]


async def test_the_api_shows_what_the_sink_beside_it_counts(
    database_url: str, service: Service, lake: Lake
) -> None:
    await asyncio.to_thread(record_events, database_url, samples(27))
    before = await read_metrics(service)
    outbox = make_sync_engine(database_url)

    def carry() -> None:
        run_worker(outbox, lake, stop=StopWhen(lambda: True))
        outbox.dispose()

    await asyncio.to_thread(carry)

    after = await read_metrics(service)
    assert after.since(before)["goals_sink_written_events_total"] == 27


async def test_the_api_answers_prometheus_without_its_database(
    service: Service, tmp_path: Path
) -> None:
    lost = replace(service.services, database_url=f"postgresql://nobody@/none?host={tmp_path}")

    found = await read_metrics(Service(create_app(lost), lost))

    assert found.value("goals_database_up") == 0
    assert found.has("goals_sink_files_total")


async def test_without_a_broker_the_api_is_ready_and_the_age_rises(
    ana: Learner, database_url: str, service: Service
) -> None:
    outbox = make_sync_engine(database_url)
    before = scrape()

    def fail_to_publish() -> None:
        failed = StopWhen(lambda: "goals_event_path_failures_total" in scrape().since(before))
        run_relay(outbox, NO_BROKER, stop=failed)
        outbox.dispose()

    await ana.make("goals", title="Sin bróker")
    await asyncio.to_thread(fail_to_publish)
    first = await read_metrics(service)
    ready = await ana.client.get("/readyz")
    later = await asyncio.to_thread(gauges, database_url)

    age = "goals_outbox_oldest_event_age_seconds"
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})
    assert first.value("goals_outbox_events_waiting", waiting_for="relay") == 2
    assert 0 < first.value(age, waiting_for="relay") < later.value(age, waiting_for="relay")


def test_a_worker_answers_prometheus_on_its_port_until_it_stops(database_url: str) -> None:
    settings = Settings(_env_file=None, GOALS_METRICS_PORT=0)

    with capture_logs() as logs, metrics_exposed(settings, database_url):
        url = f"http://127.0.0.1:{logs[0]['port']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as response:
            found = parse(response.read().decode())

    assert found.value("goals_database_up") == 1
    assert found.has("goals_relay_confirmed_events_total")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=10)


def test_without_a_port_a_worker_does_not_listen(database_url: str) -> None:
    with capture_logs() as logs, metrics_exposed(Settings(_env_file=None), database_url):
        pass

    assert logs == []


@pytest.mark.parametrize("host", ["127.0.0.1", "not-an-address.invalid"])
def test_an_address_that_cannot_be_had_is_one_clear_sentence(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(_env_file=None, GOALS_METRICS_PORT=port, GOALS_METRICS_HOST=host)

        with (
            pytest.raises(SetupError, match="GOALS_METRICS_PORT") as refused,
            metrics_exposed(settings, "postgresql://nobody@/none"),
        ):
            raise AssertionError("it listens")

    assert str(port) in str(refused.value)
    assert "\n" not in str(refused.value)
