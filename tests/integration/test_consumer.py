"""From the outbox through RabbitMQ to Parquet, by the oracle of the lake."""

import json
import random
from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from db import batches
from db.enums import EventType
from events.consumer import run_consumer
from events.lake_folder import FolderLake
from events.relay import run_relay
from events.sink import FlushPolicy
from events.topology import DEAD_LETTER_QUEUE, EXCHANGE, LAKE_QUEUE
from tests.event_path import StopWhen, all_processed, all_published, count, take_all, wait_until
from tests.event_samples import record_events, sample, samples
from tests.lake_oracle import assert_lake_holds_every_event_once, read_events

SOON = FlushPolicy(max_rows=40, max_age=timedelta(milliseconds=50))


def waiting(channel: Any, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def publish(channel: Any, body: bytes) -> None:
    channel.basic_publish(EXCHANGE, "task.completed", body)


def test_every_event_reaches_its_file_once(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    record_events(database_url, samples(200))
    run_relay(outbox, amqp_url, stop=all_published(outbox))

    run_consumer(outbox, amqp_url, lake, stop=all_processed(outbox), policy=SOON)

    assert waiting(channel, LAKE_QUEUE) == 0
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_what_has_arrived_is_written_when_the_consumer_is_told_to_stop(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    record_events(database_url, samples(27))
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    all_taken = StopWhen(lambda: waiting(channel, LAKE_QUEUE) == 0)

    run_consumer(outbox, amqp_url, lake, stop=all_taken)

    # What was on its way to the consumer comes back when the broker has seen it leave.
    finished = count(outbox, "processed_at is not null")
    wait_until(lambda: finished + waiting(channel, LAKE_QUEUE) == 27)


def test_duplicates_in_any_order_change_nothing(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    record_events(database_url, samples(54))
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    bodies = [body for _, body in take_all(channel, LAKE_QUEUE)] * 10
    random.Random(7).shuffle(bodies)
    for body in bodies:
        publish(channel, body)

    run_consumer(outbox, amqp_url, lake, stop=all_processed(outbox), policy=SOON)
    before = {event["id"]: event["parquet_path"] for event in read_events(outbox)}
    record_events(database_url, [sample(EventType.TASK_COMPLETED)])  # behind all duplicates
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    run_consumer(outbox, amqp_url, lake, stop=all_processed(outbox), policy=SOON)

    after = {event["id"]: event["parquet_path"] for event in read_events(outbox)}
    assert before.items() <= after.items()
    assert waiting(channel, LAKE_QUEUE) == 0
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_poison_is_dead_lettered_as_it_came_and_its_neighbours_arrive(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    record_events(database_url, [sample(EventType.TASK_COMPLETED)] * 40)
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    bodies = [body for _, body in take_all(channel, LAKE_QUEUE)]
    good = json.loads(bodies[0])
    poison = [
        b"\xff not JSON \x00",
        json.dumps(good | {"id": "evt_nobody_knows"}).encode(),
        json.dumps(good | {"type": "task.exploded"}).encode(),
        json.dumps(good | {"dataschema": "urn:goals:event:task.completed:99"}).encode(),
    ]
    for number, body in enumerate(bodies):
        publish(channel, body)
        for bad in poison[number // 10 : number // 10 + 1] if number % 10 == 9 else []:
            publish(channel, bad)

    with capture_logs() as logs:
        run_consumer(
            outbox,
            amqp_url,
            lake,
            stop=StopWhen(lambda: waiting(channel, DEAD_LETTER_QUEUE) == 4),
            policy=SOON,
        )

    dead = [body for _, body in take_all(channel, DEAD_LETTER_QUEUE)]
    assert Counter(dead) == Counter(poison)
    assert len([entry for entry in logs if entry["event"] == "consumer.dead_letter"]) == 4
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_what_another_sink_froze_is_left_to_its_lease(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    record_events(database_url, samples(27))
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    ids = [event["id"] for event in read_events(outbox)]
    with outbox.begin() as connection:
        frozen = batches.freeze_ids(connection, ids, lease=timedelta(minutes=5))
    drained = StopWhen(lambda: waiting(channel, LAKE_QUEUE) == 0)

    run_consumer(outbox, amqp_url, lake, stop=drained, policy=SOON)
    meanwhile = count(outbox, "processed_at is not null")
    with outbox.begin() as connection:
        connection.execute(text("update parquet_batches set lease_until = created_at"))
    run_consumer(outbox, amqp_url, lake, stop=all_processed(outbox), policy=SOON)

    assert (len(frozen), meanwhile) == (7, 0)
    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_consumer_subscribes_again_when_its_queue_is_deleted(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    record_events(database_url, samples(27))
    deleted: list[bool] = []

    def delete_then_wait() -> bool:
        if not deleted and count(outbox, "processed_at is null") == 0:
            channel.queue_delete(LAKE_QUEUE)
            deleted.append(True)
        return bool(deleted) and any(entry["event"] == "consumer.unavailable" for entry in logs)

    run_relay(outbox, amqp_url, stop=all_published(outbox))
    with capture_logs() as logs:
        run_consumer(outbox, amqp_url, lake, stop=StopWhen(delete_then_wait), policy=SOON)

    assert_lake_holds_every_event_once(outbox, lake.root)


def test_a_lake_that_cannot_be_written_keeps_the_deliveries_until_it_can(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any, lake: FolderLake
) -> None:
    record_events(database_url, samples(27))
    run_relay(outbox, amqp_url, stop=all_published(outbox))
    lake.root.write_text("in the way")

    def clear_the_way() -> bool:
        if lake.root.is_file() and any("Lake" in str(entry.get("reason")) for entry in logs):
            lake.root.unlink()
        return count(outbox, "processed_at is null") == 0

    with capture_logs() as logs:
        run_consumer(outbox, amqp_url, lake, stop=StopWhen(clear_the_way), policy=SOON)

    assert waiting(channel, LAKE_QUEUE) == 0
    assert waiting(channel, DEAD_LETTER_QUEUE) == 0
    assert_lake_holds_every_event_once(outbox, lake.root)
