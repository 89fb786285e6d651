"""Rows of `embeddings` with vectors made by hand, written past the verbs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import EMBEDDING_DIMENSIONS

Vector = NDArray[np.float32]
MADE_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """One chunk; `model` is that of the call unless it is given."""

    entity_id: str
    vector: Vector
    content: str | None = None
    entity_type: str = "goal"
    chunk: int = 0
    model: str | None = None


def random_vector(seed: int) -> Vector:
    """Return a vector that depends on nothing but `seed`."""
    return np.random.default_rng(seed).standard_normal(EMBEDDING_DIMENSIONS).astype(np.float32)


def axis(*weights: float) -> Vector:
    """Return a vector with these first numbers and zeros behind: meaning by hand."""
    vector = np.zeros(EMBEDDING_DIMENSIONS, dtype=np.float32)
    vector[: len(weights)] = weights
    return vector


async def insert_rows(
    session: AsyncSession, user_id: str, rows: Sequence[Row], *, model: str
) -> None:
    """Store `rows` as the user's."""
    statement = text("""
        insert into embeddings
          (id, user_id, entity_type, entity_id, chunk, content, embedding, model, created_at)
        values (:id, :user_id, :entity_type, :entity_id, :chunk, :content, :vector, :model, :at)
    """)
    values = [
        {
            "id": new_id("emb"),
            "user_id": user_id,
            "entity_type": row.entity_type,
            "entity_id": row.entity_id,
            "chunk": row.chunk,
            "content": f"about {row.entity_id}" if row.content is None else row.content,
            "vector": row.vector,
            "model": model if row.model is None else row.model,
            "at": MADE_AT.replace(tzinfo=None),
        }
        for row in rows
    ]
    if values:
        await session.execute(statement, values)
