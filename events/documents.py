"""The documents for other services: a JSON Schema for each event, and one AsyncAPI document.

They are generated from the catalogue: `python -m events.documents` writes `docs/events/` again.
"""

import json
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from db.events import CATALOGUE, DomainEvent
from events.envelope import CONTENT_TYPE, DATA_SCHEMA, Envelope
from events.topology import EXCHANGE

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "events"
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
ASYNCAPI: Final = "asyncapi.json"


def make_documents() -> dict[str, str]:
    """Return each file's name in `docs/events/` and its text."""
    documents = {
        f"{event.type.value}.v{event.version}.schema.json": _payload_schema(event)
        for event in CATALOGUE.values()
    }
    documents["envelope.schema.json"] = {
        "$schema": DRAFT,
        **TypeAdapter(Envelope).json_schema(),
    }
    documents[ASYNCAPI] = _asyncapi()
    return {name: _text(document) for name, document in documents.items()}


def write_documents(folder: Path = FOLDER) -> None:
    """Write every document to `folder`, and remove what is not one of them any more."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = make_documents()
    for path in folder.glob("*.json"):
        if path.name not in documents:
            path.unlink()
    for name, text in documents.items():
        (folder / name).write_text(text)


def _payload_schema(event: type[DomainEvent]) -> dict[str, Any]:
    schema = TypeAdapter(event).json_schema(mode="serialization")
    return {
        "$schema": DRAFT,
        "$id": DATA_SCHEMA.format(type=event.type.value, version=event.version),
        **schema,
        "title": event.type.value,
        "description": _first_line(event),
        "additionalProperties": True,
    }


def _asyncapi() -> dict[str, Any]:
    names = {event.type.value: event for event in CATALOGUE.values()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "AI Goals Tracker: events",
            "version": "1",
            "description": "Every change and every decision of the agent, as CloudEvents 1.0 in "
            "structured JSON. Bind a queue of your own to the topic exchange; the routing key is "
            "the event's type.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "events": {
                "address": "{type}",
                "parameters": {"type": {"enum": list(names)}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
                "bindings": {
                    "amqp": {
                        "is": "routingKey",
                        "exchange": {
                            "name": EXCHANGE,
                            "type": "topic",
                            "durable": True,
                            "autoDelete": False,
                        },
                    }
                },
            }
        },
        "operations": {
            "publish": {"action": "send", "channel": {"$ref": "#/channels/events"}},
        },
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "summary": _first_line(event),
                    "contentType": CONTENT_TYPE,
                    "payload": {
                        "allOf": [
                            {"$ref": "envelope.schema.json"},
                            {
                                "type": "object",
                                "properties": {
                                    "type": {"const": name},
                                    "data": {"$ref": f"{name}.v{event.version}.schema.json"},
                                },
                            },
                        ]
                    },
                }
                for name, event in names.items()
            }
        },
    }


def _first_line(event: type[DomainEvent]) -> str:
    return (event.__doc__ or "").strip().splitlines()[0]


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write_documents()
