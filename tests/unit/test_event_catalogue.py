"""The event catalogue: what every recorded fact promises."""

import json
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given

from db.enums import EventType
from db.events import CATALOGUE, DomainEvent, TaskCompleted
from tests.event_samples import any_event, sample


def test_every_event_type_has_one_class() -> None:
    types = set(EventType)

    assert set(CATALOGUE) == types
    assert len(set(CATALOGUE.values())) == len(types) == 27


def test_there_are_seven_families() -> None:
    families = {event_type.family for event_type in EventType}

    assert families == {"user", "course", "goal", "task", "code", "ai", "system"}


@pytest.mark.parametrize("event_type", list(EventType))
def test_an_event_knows_its_type_and_what_it_is_about(event_type: EventType) -> None:
    event = sample(event_type)

    entity_type, _ = event.entity

    assert event.type == event_type
    assert event.version == 1
    assert 0 < len(entity_type) <= 50


def test_the_payload_of_a_completed_task_is_the_one_in_the_data_model() -> None:
    event = TaskCompleted(
        task_id="tsk_ghi789", title="Implementar endpoint /login", validation_score=0.95
    )

    expected = {
        "task_id": "tsk_ghi789",
        "title": "Implementar endpoint /login",
        "validation_score": 0.95,
    }
    assert event.payload() == expected
    assert event.entity == ("task", "tsk_ghi789")


@given(any_event())
def test_a_payload_is_json_with_every_field(event: DomainEvent) -> None:
    payload = event.payload()

    assert json.loads(json.dumps(payload, allow_nan=False)) == payload
    assert list(payload) == [field.name for field in fields(event)]


def test_a_recorded_fact_cannot_be_changed() -> None:
    event = sample(EventType.TASK_COMPLETED)

    with pytest.raises(FrozenInstanceError):
        event.title = "another"  # type: ignore[attr-defined]  # the assignment is what is refused
