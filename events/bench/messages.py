"""Events as this service records them: every type of the catalogue in turn, about many entities."""

import json
import random
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from db.base import new_id
from db.batches import EventRow
from db.events import CATALOGUE, DomainEvent
from events.envelope import encode
from events.publisher import Message

USERS: Final = 100
ENTITIES: Final = 5_000
VARIANTS: Final = 40
SEED: Final = 3
PREFIXES: Final = {"user": "usr", "course": "crs", "goal": "gol", "task": "tsk"}

_WORDS: Final = (
    "escribir", "una", "API", "que", "valide", "los", "datos", "con", "pydantic", "y", "pruebas",
    "para", "cada", "error", "medir", "el", "tiempo", "de", "respuesta", "guardar", "sesión",
    "in", "PostgreSQL", "without", "losing", "events", "refactor", "módulo", "añadir", "retry",
)  # fmt: skip
_ENTITY: Final = "@" * 36


def user_ids() -> list[str]:
    """Return the ids of the learners whom the events are about."""
    return [f"usr_{number:032x}" for number in range(USERS)]


def make_rows(count: int, *, at: datetime) -> Iterator[EventRow]:
    """Yield `count` events of the same mix each time, with new ascending ids, all at `at`.

    Payloads have a few hundred bytes; most of the entities differ.
    """
    chance = random.Random(SEED)  # noqa: S311 - a repeatable mix is what is wanted
    templates = [
        [_template(event, chance) for _ in range(VARIANTS)] for event in CATALOGUE.values()
    ]
    users = user_ids()
    for number in range(count):
        event_type, entity_type, payload, metadata = chance.choice(
            templates[number % len(templates)]
        )
        user = chance.choice(users)
        prefix = PREFIXES.get(entity_type, "cs")
        entity = user if prefix == "usr" else f"{prefix}_{chance.randrange(ENTITIES):032x}"
        yield EventRow(
            id=new_id("evt"),
            event_type=event_type,
            user_id=user,
            entity_type=entity_type,
            entity_id=entity if _ENTITY in payload else None,
            created_at=at,
            payload=payload.replace(_ENTITY, entity),
            metadata=metadata,
        )


def make_message(row: EventRow) -> Message:
    """Return what a relay publishes for an event."""
    return Message(id=row.id, type=row.event_type, body=encode(row))


def _template(event: type[DomainEvent], chance: random.Random) -> tuple[str, str, str, str]:
    """Return type, entity type, payload and metadata (JSON); the entity's id is a placeholder."""
    hints = get_type_hints(event)
    values = {each.name: _value(each.name, hints[each.name], chance) for each in fields(event)}
    made = event(**values)
    entity_type, _ = made.entity
    payload = made.payload()
    about = "subject_id" if "subject_id" in payload else f"{entity_type}_id"
    if about in payload:
        payload[about] = _ENTITY
    metadata = {"source": "api", "version": event.version}
    return (
        event.type.value,
        entity_type,
        json.dumps(payload, ensure_ascii=False),
        json.dumps(metadata),
    )


def _value(name: str, hint: Any, chance: random.Random) -> Any:
    kind = hint
    if get_origin(hint) is UnionType:
        (kind,) = (part for part in get_args(hint) if part is not NoneType)
    if kind is bool:
        return chance.random() < 0.7
    if kind is int:
        return chance.randrange(2_000)
    if kind is float:
        return round(chance.random(), 3)
    if kind == tuple[str, ...]:
        return tuple(_id("tsk", chance) for _ in range(chance.randint(2, 5)))
    return _text(name, chance)


def _text(name: str, chance: random.Random) -> str:
    if name == "subject_type":
        return chance.choice(("goal", "task", "code_snapshot"))
    if name == "sha256":
        return f"{chance.getrandbits(256):064x}"
    if name.endswith("_id"):
        return _id(PREFIXES.get(name.removesuffix("_id"), "opr"), chance)
    lengths = {"title": (90, 170), "why": (120, 240), "detail": (150, 260), "file_path": (30, 80)}
    least, most = lengths.get(name, (6, 24))
    words = chance.choices(_WORDS, k=most)
    return " ".join(words)[: chance.randint(least, most)].strip()


def _id(prefix: str, chance: random.Random) -> str:
    return f"{prefix}_{chance.getrandbits(128):032x}"
