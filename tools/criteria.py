"""A goal's validation criteria: stored as `{"criteria": [text], "ids": [id]}`, in one order."""

import hashlib
from collections.abc import Sequence
from typing import Any

from db.base import new_id
from tools.schemas import Criterion


def read_criteria(stored: dict[str, Any] | None) -> list[Criterion]:
    """Return the criteria of a row; one stored without an id gets the same one each time."""
    texts: list[str] = (stored or {}).get("criteria", [])
    ids: list[str] = (stored or {}).get("ids", [])
    if len(ids) != len(texts):
        ids = [_derived_id(number, text) for number, text in enumerate(texts)]
    return [
        Criterion(id=criterion_id, text=text) for criterion_id, text in zip(ids, texts, strict=True)
    ]


def write_criteria(texts: Sequence[str], *, previous: Sequence[Criterion]) -> dict[str, Any] | None:
    """Return what is stored for `texts`; a text that was there before keeps its id."""
    if not texts:
        return None
    free = list(previous)
    ids: list[str] = []
    for text in texts:
        kept = next((criterion for criterion in free if criterion.text == text), None)
        if kept is not None:
            free.remove(kept)
        ids.append(kept.id if kept is not None else new_id("crt"))
    return {"criteria": list(texts), "ids": ids}


def _derived_id(number: int, text: str) -> str:
    return f"crt_{hashlib.sha256(f'{number} {text}'.encode()).hexdigest()[:32]}"
