"""The relay against a real broker: each event out, in order, whatever the broker does."""

import json
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from db import relay as claims
from db.batches import EventRow
from db.enums import EventType
from events.envelope import decode
from events.lake_folder import FolderLake
from events.publisher import Message, Publisher, Receipt
from events.relay import RelayPolicy, relay_once, run_relay, settle_in_order
from events.sink import flush
from events.topology import EXCHANGE, LAKE_QUEUE, BrokerUnavailable, declare_at
from tests.event_path import StopWhen, all_published, count, count_unpublished, take_all
from tests.event_samples import NOON, record_events, sample, samples
from tests.rabbitmq import BrokerMissing, start_private_node

LEASE = timedelta(minutes=1)


def event_ids(engine: Engine, condition: str = "true") -> list[str]:
    with engine.connect() as connection:
        found = connection.execute(text(f"select id from events where {condition} order by id"))
        return list(found.scalars())


def execute(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def claims_left(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("select count(*) from relay_claims")).scalar_one())


def delivered_ids(channel: Any) -> list[str]:
    return [decode(body).id for _, body in take_all(channel, LAKE_QUEUE)]


def make_row(number: int, entity_id: str) -> EventRow:
    return EventRow(
        id=f"evt_{number}",
        event_type="task.updated",
        user_id=None,
        entity_type="task",
        entity_id=entity_id,
        created_at=NOON,
        payload="{}",
        metadata=None,
    )


def test_every_event_is_published_once_in_order_under_its_type(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    record_events(database_url, samples(100))
    # Entities of their own: what shares one waits for its turn.
    execute(outbox, "update events set entity_id = id")

    run_relay(outbox, amqp_url, stop=all_published(outbox), policy=RelayPolicy(batch=30, window=7))

    messages = take_all(channel, LAKE_QUEUE)
    assert [decode(body).id for _, body in messages] == event_ids(outbox)
    assert [key for key, _ in messages] == [json.loads(body)["type"] for _, body in messages]
    assert claims_left(outbox) == 0


def test_any_other_service_can_bind_its_own_queue(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, EXCHANGE, "ai.*")
    record_events(database_url, samples(27))

    run_relay(outbox, amqp_url, stop=all_published(outbox))

    assert sorted(key for key, _ in take_all(channel, queue)) == [
        "ai.feedback_generated",
        "ai.goal_suggested",
        "ai.validation_completed",
    ]


def test_what_no_queue_takes_stays_and_goes_out_when_the_topology_is_back(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    record_events(database_url, samples(10))
    publisher = Publisher(amqp_url)
    channel.queue_delete(LAKE_QUEUE)

    unroutable = relay_once(outbox, publisher, policy=RelayPolicy())
    still_waiting = count_unpublished(outbox, unclaimed=True)
    declare_at(amqp_url)
    healed = relay_once(outbox, publisher, policy=RelayPolicy())
    publisher.close()

    assert (unroutable.published, unroutable.returned, still_waiting) == (0, 10, 10)
    assert healed.published == 10
    assert delivered_ids(channel) == event_ids(outbox)


def test_a_relay_declares_a_deleted_queue_again(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    record_events(database_url, samples(10))
    rounds = iter([False, False])

    def delete_the_queue_then_wait() -> bool:
        if next(rounds, None) is False:
            channel.queue_delete(LAKE_QUEUE)
            record_events(database_url, samples(5))
        return count_unpublished(outbox) == 0

    run_relay(outbox, amqp_url, stop=StopWhen(delete_the_queue_then_wait))

    assert count_unpublished(outbox) == 0
    assert set(delivered_ids(channel)) <= set(event_ids(outbox))
    assert len(event_ids(outbox)) == 20


def test_an_exchange_that_is_gone_ends_the_connection_and_nothing_is_marked(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    record_events(database_url, samples(10))
    publisher = Publisher(amqp_url)
    channel.exchange_delete(EXCHANGE)

    with pytest.raises(BrokerUnavailable, match="NOT_FOUND"):
        relay_once(outbox, publisher, policy=RelayPolicy())
    publisher.close()

    assert count_unpublished(outbox, unclaimed=True) == 10


@pytest.mark.faults
def test_the_outbox_drains_after_the_broker_was_away(
    database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    try:
        nodes = [start_private_node(tmp_path / "node")]
    except BrokerMissing as missing:
        pytest.skip(str(missing))
    url = nodes[0].url
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    steps = iter(["first", "down", "still down", "up"])
    record_events(database_url, samples(20))

    def take_the_broker_away_and_back() -> bool:
        if count_unpublished(outbox):
            if len(nodes) == 1 and count(outbox, "true") == 40 and next(steps) == "up":
                nodes.append(start_private_node(tmp_path / "node", port=port))
            return False
        if count(outbox, "true") == 20:
            nodes[0].stop()
            record_events(database_url, samples(20))
            return False
        return True

    with capture_logs() as logs:
        run_relay(outbox, url, stop=StopWhen(take_the_broker_away_and_back))
    waiting = declare_at(url)
    nodes[-1].stop()

    happened = Counter(entry["event"] for entry in logs)
    assert happened["relay.unavailable"] >= 2
    assert happened["relay.recovered"] == 1
    assert waiting >= 40


def test_two_relays_share_the_outbox_without_publishing_anything_twice(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    record_events(database_url, samples(1_000))
    execute(outbox, "update events set entity_id = 'task_' || (hashtext(id) % 50)")
    relays = [
        threading.Thread(
            target=run_relay,
            args=(outbox, amqp_url),
            kwargs={"stop": all_published(outbox), "policy": RelayPolicy(batch=40)},
        )
        for _ in range(2)
    ]

    for relay in relays:
        relay.start()
    for relay in relays:
        relay.join()

    published = delivered_ids(channel)
    assert sorted(published) == event_ids(outbox)
    for entity in range(-49, 50):
        of_one = event_ids(outbox, f"entity_id = 'task_{entity}' and entity_type = 'task'")
        assert [each for each in published if each in set(of_one)] == of_one


def test_a_relay_passes_over_the_entities_that_another_one_is_publishing(
    database_url: str, outbox: Engine
) -> None:
    record_events(database_url, [sample(EventType.TASK_STARTED), sample(EventType.TASK_COMPLETED)])
    with outbox.begin() as connection:
        first = claims.claim(connection, 1, lease=LEASE)

    with outbox.begin() as connection:
        meanwhile = claims.claim(connection, 10, lease=LEASE)
    with outbox.begin() as connection:
        claims.settle(connection, first, published=[first.rows[0].id])
    with outbox.begin() as connection:
        afterwards = claims.claim(connection, 10, lease=LEASE)

    assert meanwhile.rows == ()
    assert [row.event_type for row in (*first.rows, *afterwards.rows)] == [
        "task.started",
        "task.completed",
    ]


def test_a_claim_that_expired_is_given_to_the_next_and_refused_to_the_first(
    database_url: str, outbox: Engine
) -> None:
    record_events(database_url, samples(3))
    with outbox.begin() as connection:
        stalled = claims.claim(connection, 10, lease=timedelta(0))

    with outbox.begin() as connection:
        taken_over = claims.claim(connection, 10, lease=LEASE)
    ids = [row.id for row in taken_over.rows]
    with outbox.begin() as connection:
        of_the_first = claims.settle(connection, stalled, published=ids)
        of_the_next = claims.settle(connection, taken_over, published=ids)

    assert taken_over.rows == stalled.rows
    assert (of_the_first, of_the_next) == (0, 3)


def test_a_refused_event_holds_back_the_later_ones_of_its_entity() -> None:
    rows = [make_row(1, "a"), make_row(2, "b"), make_row(3, "a"), make_row(4, "b")]
    receipt = Receipt(
        confirmed=frozenset({"evt_2", "evt_3", "evt_4"}), returned=frozenset(), lost=None
    )

    settled = settle_in_order(rows, receipt)

    assert settled == {"evt_2", "evt_4"}


def test_no_transaction_is_open_while_the_broker_is_waited_for(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    open_transactions: list[int] = []

    class Watched(Publisher):
        def publish(self, messages: Any, *, deadline_seconds: float) -> Receipt:
            with outbox.connect() as connection:
                query = (
                    "select count(*) from pg_stat_activity where state like 'idle in%'"
                    " and datname = current_database()"
                )
                open_transactions.append(connection.execute(text(query)).scalar_one())
            return super().publish(messages, deadline_seconds=deadline_seconds)

    record_events(database_url, samples(3))
    publisher = Watched(amqp_url)
    relay_once(outbox, publisher, policy=RelayPolicy())
    publisher.close()

    assert open_transactions == [0]


def test_a_broker_that_does_not_confirm_is_left_at_the_deadline(
    amqp_url: str, channel: Any
) -> None:
    publisher = Publisher(amqp_url)
    messages = [Message(id=f"evt_{n}", type="task.started", body=b"x" * 1000) for n in range(2000)]

    receipt = publisher.publish(messages, deadline_seconds=0.0)

    assert receipt.lost == "no confirm within 0.0 s"
    assert len(receipt.confirmed) < len(messages)


def test_what_a_sink_took_without_a_broker_is_not_published_later(
    database_url: str, outbox: Engine, tmp_path: Path
) -> None:
    record_events(database_url, samples(27))

    flush(outbox, FolderLake(tmp_path))
    with outbox.begin() as connection:
        left = claims.claim(connection, 100, lease=LEASE)

    assert left.rows == ()


def test_what_a_broker_lost_is_published_again_unless_it_only_waits(
    database_url: str, outbox: Engine, amqp_url: str, channel: Any
) -> None:
    record_events(database_url, samples(10))
    at_once = RelayPolicy(lost_after=timedelta(0), reconcile_every=timedelta(0))
    run_relay(outbox, amqp_url, stop=all_published(outbox), policy=at_once)
    rounds = iter(range(3))

    run_relay(outbox, amqp_url, stop=StopWhen(lambda: next(rounds, None) is None), policy=at_once)
    while_waiting = delivered_ids(channel)  # the broker loses them: nobody has seen them
    seen_again = StopWhen(lambda: declare_at(amqp_url) >= 10)
    run_relay(outbox, amqp_url, stop=seen_again, policy=at_once)

    assert while_waiting == event_ids(outbox)
    assert set(delivered_ids(channel)) == set(event_ids(outbox))
