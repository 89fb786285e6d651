"""An event on the wire: CloudEvents 1.0, structured, in JSON.

The payload is already JSON text when it leaves PostgreSQL and goes into the envelope as it is: the
`cloudevents` library would parse and print it again for every event, so plain JSON it is.
"""

import json
import re
from datetime import UTC
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import quote

import pika
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from db.batches import EventRow
from db.enums import EventType
from db.events import CATALOGUE

CONTENT_TYPE: Final = "application/cloudevents+json"
DATA_SCHEMA: Final = "urn:goals:event:{type}:{version}"
SOURCE: Final = "/goals/{source}"
TYPES: Final = frozenset(each.value for each in EventType)
_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode
RETURN_COUNTERS: Final = ("x-delivery-count", "x-acquired-count")
AN_ID: Final = re.compile(r"evt_[0-9A-Za-z_-]{1,32}")


class PoisonMessage(Exception):
    """A message that no event of ours can be; the text says why, without quoting the message."""


class Envelope(BaseModel):
    """What a message says: attributes as CloudEvents 1.0 names them, `data` the payload.

    `source` is `/goals/<edge>`, `subject` is `<entity type>/<entity id>`, `dataschema` ends in the
    payload's version, `userid` is an extension: whose event it is.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str | None = None
    time: AwareDatetime
    datacontenttype: Literal["application/json"]
    dataschema: str
    userid: str | None = None
    data: dict[str, Any]

    @property
    def version(self) -> int:
        """Return the version of the payload."""
        return int(self.dataschema.rsplit(":", 1)[1])


def encode(row: EventRow) -> bytes:
    """Return the message of an event as UTF-8; attributes without a value are left out."""
    source, version = _origin(row.metadata)
    attributes = {
        "specversion": "1.0",
        "id": row.id,
        "source": source,
        "type": row.event_type,
        "subject": "/".join(part for part in (row.entity_type, row.entity_id) if part) or None,
        "time": row.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": DATA_SCHEMA.format(type=row.event_type, version=version),
        "userid": row.user_id,
    }
    present = {name: value for name, value in attributes.items() if value is not None}
    return f'{_to_json(present)[:-1]}, "data": {row.payload}}}'.encode()


@lru_cache(maxsize=256)
def _origin(metadata: str | None) -> tuple[str, int]:
    """Return an event's `source` and its payload's version; few edges write all metadata."""
    document = json.loads(metadata or "{}")
    about = document if isinstance(document, dict) else {}
    version = about.get("version")
    source = SOURCE.format(source=quote(str(about.get("source") or "unknown"), safe=""))
    return source, version if type(version) is int else 1


def times_returned(properties: pika.BasicProperties) -> int:
    """Return how often a delivery was handed back, as a quorum queue counts it; 0 at first.

    RabbitMQ 4.3 counts in two ways; a consumer that dies is in both.
    """
    counts = [(properties.headers or {}).get(name) for name in RETURN_COUNTERS]
    return max((count for count in counts if isinstance(count, int)), default=0)


def read_id(properties: pika.BasicProperties) -> str:
    """Return the event that a message is about, without reading the message.

    Raises PoisonMessage where its properties do not say.
    """
    event_id = properties.message_id or ""
    if AN_ID.fullmatch(event_id) is None:
        raise PoisonMessage("message_id: no id of an event")
    return event_id


def decode(body: bytes) -> Envelope:
    """Return what a message says.

    Raises PoisonMessage where it is not JSON, not such an envelope, of a type that the catalogue
    does not have, or of a version that it does not have yet.
    """
    try:
        envelope = Envelope.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PoisonMessage(f"{where}: {first['type']}".lstrip(": ")) from error
    if AN_ID.fullmatch(envelope.id) is None:
        raise PoisonMessage("id: no id of an event")
    if envelope.type not in TYPES:
        raise PoisonMessage("type: not in the catalogue")
    versions = range(1, CATALOGUE[EventType(envelope.type)].version + 1)
    if envelope.dataschema not in {
        DATA_SCHEMA.format(type=envelope.type, version=version) for version in versions
    }:
        raise PoisonMessage("dataschema: another type's or an unknown version")
    return envelope
