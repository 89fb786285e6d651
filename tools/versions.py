"""Versions of what callers see: a strong ETag is the hash of the representation's very bytes."""

import base64
import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from tools.errors import VersionConflict

Out = TypeVar("Out", bound=BaseModel)
CHANGED: Final = "it has changed since you read it: read it again, then decide"


@dataclass(frozen=True)
class IfMatch:
    """What a caller believes to change: one of these versions, or (None) any at all."""

    tags: frozenset[str] | None

    def require(self, current: BaseModel) -> None:
        """Raise VersionConflict where what is stored now is none of the versions named."""
        if self.tags is not None and make_etag(as_json(current)) not in self.tags:
            raise VersionConflict(CHANGED)


ANY_VERSION: Final = IfMatch(None)


def as_json(out: BaseModel) -> bytes:
    """Return the bytes that callers get of `out`."""
    return out.__pydantic_serializer__.to_json(out)


def make_etag(body: bytes) -> str:
    """Return the strong entity tag, with its quotes, of a representation."""
    digest = hashlib.sha256(body).digest()[:18]
    return f'"{base64.urlsafe_b64encode(digest).decode()}"'


def as_stored(value: Any) -> Any:
    """Return a JSON value as PostgreSQL's `jsonb` gives it back.

    Shorter keys come first, then by their bytes; a whole number that needs an exponent loses its
    fraction, and zero its sign.
    """
    if isinstance(value, dict):
        return {key: as_stored(value[key]) for key in sorted(value, key=_jsonb_order)}
    if isinstance(value, list | tuple):
        return [as_stored(item) for item in value]
    if isinstance(value, float):
        written = json.dumps(value)
        return int(Decimal(written)) if "e+" in written else value + 0.0
    return value


def as_read(out: Out) -> Out:
    """Return what was just written as it will be read: its JSON columns as they are stored."""
    changes = {
        name: as_stored(value)
        for name, value in out
        if isinstance(value, dict) or (isinstance(value, list) and _is_plain(value))
    }
    return out.model_copy(update=changes) if changes else out


def _is_plain(values: list[Any]) -> bool:
    return not any(isinstance(value, BaseModel) for value in values)


def _jsonb_order(key: str) -> tuple[int, bytes]:
    encoded = key.encode()
    return len(encoded), encoded
