import json
from datetime import UTC, datetime
from typing import Any

import pika
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.batches import EventRow
from db.enums import EventType
from db.events import CATALOGUE, DomainEvent
from events.envelope import PoisonMessage, decode, encode, read_id, times_returned
from tests.event_samples import NOON, TEXT, any_event, sample


def row_of(event: DomainEvent, **changes: Any) -> EventRow:
    entity_type, entity_id = event.entity
    row = EventRow(
        id="evt_018f",
        event_type=event.type.value,
        user_id=None,
        entity_type=entity_type,
        entity_id=entity_id,
        created_at=NOON,
        payload=json.dumps(event.payload()),
        metadata=json.dumps({"source": "api", "version": event.version}),
    )
    return row._replace(**changes)


def message(**changes: Any) -> bytes:
    """Return the message of a finished task with some attributes changed."""
    attributes = json.loads(encode(row_of(sample(EventType.TASK_COMPLETED))))
    return json.dumps(attributes | changes).encode()


def test_a_message_has_the_attributes_of_cloudevents() -> None:
    row = row_of(sample(EventType.TASK_COMPLETED), user_id="usr_1", entity_id="tsk_1")

    attributes = json.loads(encode(row))

    assert attributes == {
        "specversion": "1.0",
        "id": "evt_018f",
        "source": "/goals/api",
        "type": "task.completed",
        "subject": "task/tsk_1",
        "time": "2026-11-22T12:00:00.123456Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:goals:event:task.completed:1",
        "userid": "usr_1",
        "data": json.loads(row.payload),
    }


@given(
    event=any_event(),
    at=st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)),
    source=TEXT,
    user_id=st.none() | TEXT,
)
def test_what_is_encoded_is_decoded(
    event: DomainEvent, at: datetime, source: str, user_id: str | None
) -> None:
    about = json.dumps({"source": source, "version": event.version})
    row = row_of(event, created_at=at, user_id=user_id, metadata=about)

    envelope = decode(encode(row))

    assert envelope.id == row.id
    assert envelope.type == event.type
    assert envelope.version == event.version
    assert envelope.time == at
    assert envelope.userid == user_id
    assert envelope.data == json.loads(row.payload)


@pytest.mark.parametrize("metadata", [None, "[]", '{"version": "two"}'])
def test_an_event_with_odd_metadata_still_leaves(metadata: str | None) -> None:
    row = row_of(sample(EventType.SYSTEM_ERROR), metadata=metadata)

    envelope = decode(encode(row))

    assert (envelope.source, envelope.subject, envelope.version) == (
        "/goals/unknown",
        "system",
        1,
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "json_invalid"),
        (b"\xff\x00", "json_invalid"),
        (b"[" * 100_000, "json_invalid"),
        (b"[]", "model_type"),
        (message(specversion="0.3"), "specversion: literal_error"),
        (message(id=7), "id: string_type"),
        (message(id="evt_' or 1=1"), "id: no id of an event"),
        (message(id="evt_\0"), "id: no id of an event"),
        (message(time="yesterday"), "time: datetime_parsing"),
        (message(data="{}"), "data: dict_type"),
        (message(type="task.exploded"), "type: not in the catalogue"),
        (message(dataschema="urn:goals:event:task.completed:2"), "dataschema: "),
        (message(dataschema="urn:goals:event:task.started:1"), "dataschema: "),
    ],
)
def test_what_is_no_event_is_poison(body: bytes, why: str) -> None:
    with pytest.raises(PoisonMessage) as refused:
        decode(body)

    assert str(refused.value).startswith(why)


def test_every_type_of_the_catalogue_is_accepted() -> None:
    decoded = [decode(encode(row_of(sample(each)))).type for each in CATALOGUE]

    assert decoded == [each.value for each in CATALOGUE]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, 0),
        ({}, 0),
        ({"x-delivery-count": 3}, 3),
        ({"x-delivery-count": 1, "x-acquired-count": 4}, 4),
        ({"x-delivery-count": "many"}, 0),
    ],
)
def test_a_delivery_says_how_often_it_came_back(
    headers: dict[str, Any] | None, expected: int
) -> None:
    assert times_returned(pika.BasicProperties(headers=headers)) == expected


def test_a_message_names_its_event_without_being_read() -> None:
    assert read_id(pika.BasicProperties(message_id="evt_018f")) == "evt_018f"


@pytest.mark.parametrize("message_id", [None, "", "evt_\0", "goal_1"])
def test_a_message_that_names_no_event_is_poison(message_id: str | None) -> None:
    with pytest.raises(PoisonMessage):
        read_id(pika.BasicProperties(message_id=message_id))
