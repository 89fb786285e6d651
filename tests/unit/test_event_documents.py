"""The documents for other services say what the messages are."""

import json
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from db.batches import EventRow
from db.enums import EventType
from events.documents import ASYNCAPI, FOLDER, make_documents
from events.envelope import encode
from tests.event_samples import NOON, sample

DOCUMENTS = make_documents()


def test_the_committed_documents_are_those_of_the_catalogue() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.json")}

    assert committed == DOCUMENTS, "run `.venv/bin/python -m events.documents`"


def test_every_event_type_has_a_schema_and_a_message() -> None:
    messages = json.loads(DOCUMENTS[ASYNCAPI])["components"]["messages"]

    assert set(messages) == {each.value for each in EventType}
    for name in messages:
        assert f"{name}.v1.schema.json" in DOCUMENTS


def test_a_message_of_each_type_fits_its_document() -> None:
    registry: Registry[Any] = Registry().with_resources(
        (name, DRAFT202012.create_resource(json.loads(text)))
        for name, text in DOCUMENTS.items()
        if name != ASYNCAPI
    )
    messages = json.loads(DOCUMENTS[ASYNCAPI])["components"]["messages"]

    for event_type in EventType:
        validator = Draft202012Validator(messages[event_type.value]["payload"], registry=registry)
        message = json.loads(encode(row_of(event_type)))
        assert list(validator.iter_errors(message)) == []
        message["data"].pop(next(iter(message["data"])))
        assert list(validator.iter_errors(message)) != []


def row_of(event_type: EventType) -> EventRow:
    event = sample(event_type)
    entity_type, entity_id = event.entity
    return EventRow(
        id="evt_1",
        event_type=event_type.value,
        user_id="usr_1",
        entity_type=entity_type,
        entity_id=entity_id,
        created_at=NOON,
        payload=json.dumps(event.payload()),
        metadata=json.dumps({"source": "api", "version": event.version}),
    )
