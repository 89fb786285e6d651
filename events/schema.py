"""The Arrow schema of each family: the envelope, the payload's own columns, the payload as JSON.

Version 1. A column's name has one type in the whole lake, so that one query reads every family; a
new field is a new nullable column; a changed type is refused when this module is imported.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

import pyarrow as pa

from db.batches import EventRow
from db.events import CATALOGUE

SCHEMA_VERSION: Final = 1

ENVELOPE: Final = (
    pa.field("id", pa.string(), nullable=False),
    pa.field("event_type", pa.string(), nullable=False),
    pa.field("user_id", pa.string()),
    pa.field("entity_type", pa.string()),
    pa.field("entity_id", pa.string()),
    pa.field("created_at", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("version", pa.int64()),
    pa.field("source", pa.string()),
)
DOCUMENTS: Final = (
    pa.field("payload", pa.string(), nullable=False),
    pa.field("metadata", pa.string()),
)
RESERVED: Final = frozenset(field.name for field in (*ENVELOPE, *DOCUMENTS)) | {"year", "month"}
"""Names that no payload column takes; a payload's `user_id` is the envelope's `entity_id`."""

INT64_LIMIT: Final = 2**63

_COLUMN_TYPES: Final[dict[Any, pa.DataType]] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    tuple[str, ...]: pa.list_(pa.string()),
}


def column_type(hint: Any) -> pa.DataType:
    """Return the Arrow type of a payload field's annotation, whether or not it allows None.

    Raises TypeError for an annotation that the catalogue does not promise.
    """
    if get_origin(hint) is UnionType:
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    if hint not in _COLUMN_TYPES:
        raise TypeError(f"no column type for a payload field of type {hint!r}")
    return _COLUMN_TYPES[hint]


def _payload_columns() -> dict[str, dict[str, pa.DataType]]:
    everywhere: dict[str, pa.DataType] = {}
    families: dict[str, dict[str, pa.DataType]] = {}
    for event_type, event in CATALOGUE.items():
        columns = families.setdefault(event_type.family, {})
        hints = get_type_hints(event)
        for field in fields(event):
            if field.name in RESERVED:
                continue
            found = column_type(hints[field.name])
            if everywhere.setdefault(field.name, found) != found:
                raise TypeError(f"{field.name} is {everywhere[field.name]} elsewhere, not {found}")
            columns[field.name] = found
    return families


PAYLOAD_COLUMNS: Final = _payload_columns()
"""Family → payload column → Arrow type."""


@cache
def schema_for(family: str) -> pa.Schema:
    """Return the schema of a family's files; an unknown family has no payload columns."""
    payload = [pa.field(name, kind) for name, kind in PAYLOAD_COLUMNS.get(family, {}).items()]
    about = {"goals.family": family, "goals.schema_version": str(SCHEMA_VERSION)}
    return pa.schema([*ENVELOPE, *payload, *DOCUMENTS], metadata=about)


def to_table(family: str, rows: Sequence[EventRow]) -> pa.Table:
    """Return `rows` as a table with the schema of `family`, in their order.

    A payload value that does not fit its column is null there: one odd event must not keep its
    neighbours out of the lake, and `payload` has it in full.
    """
    payloads = [_json_object(row.payload) for row in rows]
    origins = [_origin(row.metadata) for row in rows]
    columns: dict[str, Sequence[Any]] = {
        "id": [row.id for row in rows],
        "event_type": [row.event_type for row in rows],
        "user_id": [row.user_id for row in rows],
        "entity_type": [row.entity_type for row in rows],
        "entity_id": [row.entity_id for row in rows],
        "created_at": [row.created_at for row in rows],
        "version": [version for version, _ in origins],
        "source": [source for _, source in origins],
        "payload": [row.payload for row in rows],
        "metadata": [row.metadata for row in rows],
    }
    for name, kind in PAYLOAD_COLUMNS.get(family, {}).items():
        fit = _FITS[kind]
        columns[name] = [
            None if value is None else fit(value)
            for value in (payload.get(name) for payload in payloads)
        ]
    return pa.table(columns, schema=schema_for(family))


@lru_cache(maxsize=256)
def _origin(metadata: str | None) -> tuple[int | None, str | None]:
    """Return the `version` and the `source` that an event's metadata names."""
    document = _json_object(metadata)
    version, source = document.get("version"), document.get("source")
    return None if version is None else _fit_int(version), _fit_str(source)


def _json_object(document: str | None) -> dict[str, Any]:
    try:
        value = json.loads(document or "{}")
    except (ValueError, RecursionError):  # valid JSONB: 5,000 digits, or nested 10,000 deep
        return {}
    return value if isinstance(value, dict) else {}


def _fit_str(value: Any) -> str | None:
    return value if type(value) is str else None


def _fit_int(value: Any) -> int | None:
    return value if type(value) is int and -INT64_LIMIT <= value < INT64_LIMIT else None


def _fit_float(value: Any) -> float | None:
    if type(value) not in (int, float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _fit_bool(value: Any) -> bool | None:
    return value if type(value) is bool else None


def _fit_strings(value: Any) -> list[str] | None:
    return value if type(value) is list and all(type(item) is str for item in value) else None


_FITS: Final[dict[pa.DataType, Callable[[Any], Any]]] = {
    pa.string(): _fit_str,
    pa.int64(): _fit_int,
    pa.float64(): _fit_float,
    pa.bool_(): _fit_bool,
    pa.list_(pa.string()): _fit_strings,
}
