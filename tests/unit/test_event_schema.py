"""Arrow schemas of the lake: one for each family, and payloads that survive the way out."""

import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from db.batches import EventRow
from db.enums import EventType
from db.events import DomainEvent
from events.schema import PAYLOAD_COLUMNS, RESERVED, column_type, schema_for, to_table
from tests.event_samples import NOON, any_event, sample

STORED_TYPES = {
    "ai_generated": "bool",
    "based_on": "list<item: string>",
    "changed": "list<item: string>",
    "code": "string",
    "code_snapshot_id": "string",
    "course_id": "string",
    "detail": "string",
    "estimated_hours": "double",
    "file_path": "string",
    "findings": "int64",
    "goal_id": "string",
    "graph_version": "string",
    "input_tokens": "int64",
    "kind": "string",
    "language": "string",
    "lines": "int64",
    "model": "string",
    "operation_id": "string",
    "output_tokens": "int64",
    "passed": "bool",
    "priority": "string",
    "progress_percentage": "double",
    "prompt_version": "string",
    "retrieved": "list<item: string>",
    "runs_failed": "int64",
    "runs_passed": "int64",
    "sha256": "string",
    "status": "string",
    "subject_id": "string",
    "subject_type": "string",
    "task_id": "string",
    "task_type": "string",
    "title": "string",
    "username": "string",
    "validation_score": "double",
    "why": "string",
}
"""The columns of files that were written: one may be added, none may change its type."""


def row_of(event: DomainEvent, *, payload: str | None = None, at: datetime = NOON) -> EventRow:
    """Return `event` as the manifest reads it; `payload` replaces its JSON."""
    entity_type, entity_id = event.entity
    return EventRow(
        id="evt_1",
        event_type=event.type.value,
        user_id="usr_1",
        entity_type=entity_type,
        entity_id=entity_id,
        created_at=at,
        payload=json.dumps(event.payload()) if payload is None else payload,
        metadata='{"source": "test", "version": 1}',
    )


def only_row(event: DomainEvent, *, payload: str | None = None) -> dict[str, Any]:
    """Return `event` as a row of its family's table."""
    table = to_table(event.type.family, [row_of(event, payload=payload)])
    (row,) = table.to_pylist()
    return dict(row)


@pytest.mark.parametrize("event_type", list(EventType))
def test_every_event_type_fits_the_schema_of_its_family(event_type: EventType) -> None:
    event = sample(event_type)

    row = only_row(event)

    payload = event.payload()
    assert json.loads(row["payload"]) == payload
    assert {name: row[name] for name in payload if name not in RESERVED} == {
        name: value for name, value in payload.items() if name not in RESERVED
    }


def test_a_stored_column_never_changes_its_type() -> None:
    now = {name: str(kind) for family in PAYLOAD_COLUMNS.values() for name, kind in family.items()}

    assert {name: now.get(name) for name in STORED_TYPES} == STORED_TYPES


@pytest.mark.parametrize("family", sorted(PAYLOAD_COLUMNS))
def test_a_schema_is_envelope_then_payload_columns_then_documents(family: str) -> None:
    schema = schema_for(family)

    envelope = ["id", "event_type", "user_id", "entity_type", "entity_id", "created_at"]
    names = [*envelope, "version", "source", *PAYLOAD_COLUMNS[family], "payload", "metadata"]
    assert schema.names == names
    assert schema.field("created_at").type == pa.timestamp("us", tz="UTC")
    assert all(schema.field(name).nullable for name in PAYLOAD_COLUMNS[family])


def test_a_users_id_in_the_payload_is_found_as_the_entity() -> None:
    event = sample(EventType.USER_LOGIN)

    row = only_row(event)

    assert row["entity_id"] == event.payload()["user_id"]
    assert row["user_id"] == "usr_1"


@given(any_event())
def test_any_payload_becomes_equal_columns_and_equal_json(event: DomainEvent) -> None:
    payload = event.payload()

    row = only_row(event)

    assert json.loads(row["payload"]) == payload
    typed = {name: row[name] for name in payload if name not in RESERVED}
    assert typed == {name: value for name, value in payload.items() if name not in RESERVED}


@pytest.mark.parametrize(
    "odd",
    [
        '{"title": 5}',
        '{"lines": 9223372036854775808}',
        '{"lines": true}',
        '{"passed": 1}',
        '{"validation_score": 1' + "0" * 400 + "}",
        '{"validation_score": 1' + "0" * 5000 + "}",
        '{"retrieved": ["a", 1]}',
        "[]",
        "null",
        "[" * 9_000 + "]" * 9_000,
    ],
    ids=lambda odd: str(odd[:30]),
)
@pytest.mark.parametrize(
    "event_type", [EventType.CODE_SUBMITTED, EventType.AI_VALIDATION_COMPLETED]
)
def test_a_value_that_does_not_fit_is_null_and_stays_in_the_json(
    event_type: EventType, odd: str
) -> None:
    row = only_row(sample(event_type), payload=odd)

    assert row["payload"] == odd
    assert {row[name] for name in PAYLOAD_COLUMNS[event_type.family]} == {None}


def test_a_family_that_this_version_does_not_know_keeps_its_envelope_and_json() -> None:
    rows = [row_of(sample(EventType.TASK_STARTED))]

    table = to_table("badge", rows)

    assert table.num_rows == 1
    assert table.column("payload").to_pylist() == [rows[0].payload]


def test_a_payload_field_of_a_type_without_a_column_is_refused() -> None:
    with pytest.raises(TypeError, match="no column type"):
        column_type(dict[str, int])
