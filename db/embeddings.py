"""All vector SQL: what is stored for an entity, and the nearest rows of one owner.

One HNSW index serves every owner, and a filter on the owner comes after it: with many owners the
planner's own choice returns too few rows, often none. So the caller picks the path: an exact scan
behind the btree on (user_id, entity_type) for a small owner, HNSW with iterative scan for a large
one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import bindparam

from db.base import new_id

EXACT_UP_TO_ROWS: Final = 4_000

_UPSERT = text("""
insert into embeddings
  (id, user_id, entity_type, entity_id, chunk,
   content, content_hash, embedding, model, metadata, created_at)
values
  (:id, :user_id, :entity_type, :entity_id, :chunk,
   :content, :content_hash, :embedding, :model, :meta, :at)
on conflict (entity_type, entity_id, chunk) do update set
  content = excluded.content, content_hash = excluded.content_hash, embedding = excluded.embedding,
  model = excluded.model, metadata = excluded.metadata, created_at = excluded.created_at
where embeddings.user_id = excluded.user_id
""").bindparams(bindparam("meta", type_=JSONB(none_as_null=True)))

_IS_CURRENT = text("""
select true from embeddings
where user_id = :user_id and entity_type = :entity_type and entity_id = :entity_id
  and chunk = :chunk and content_hash = :content_hash and model = :model
""")

_DELETE = text("""
delete from embeddings
where user_id = :user_id and entity_type = :entity_type and entity_id = :entity_id
""")

_COUNT_UP_TO = text("""
select count(*) from
  (select 1 from embeddings where user_id = :user_id limit :most) as owned
""")

_NEAREST_EXACT = text("""
select entity_type, entity_id, content, embedding <=> :query as distance
from embeddings
where user_id = :user_id and model = :model and entity_type = any(:entity_types)
order by (embedding <=> :query) + 0
limit :limit
""")

_NEAREST_HNSW = text("""
with nearest as materialized (
  select entity_type, entity_id, content, embedding <=> :query as distance
  from embeddings
  where user_id = :user_id and model = :model and entity_type = any(:entity_types)
  order by embedding <=> :query
  limit :limit
)
select * from nearest order by distance
""")


@dataclass(frozen=True)
class Nearest:
    """One row of a search; `distance` is the cosine distance, 0 to 2."""

    entity_type: str
    entity_id: str
    content: str
    distance: float


class Embeddings:
    """One owner's embeddings."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def is_current(
        self, entity_type: str, entity_id: str, *, chunk: int, content_hash: str, model: str
    ) -> bool:
        """Tell whether this very text is stored already, embedded by this very model."""
        found = await self._session.scalar(
            _IS_CURRENT,
            {
                "user_id": self._user_id,
                "entity_type": entity_type,
                "entity_id": entity_id,
                "chunk": chunk,
                "content_hash": content_hash,
                "model": model,
            },
        )
        return found is not None

    async def upsert(
        self,
        entity_type: str,
        entity_id: str,
        *,
        chunk: int,
        content: str,
        content_hash: str,
        vector: NDArray[np.float32],
        model: str,
        meta: dict[str, Any] | None,
        at: datetime,
    ) -> None:
        """Store one chunk's text and vector (1536 numbers) in place of what was there."""
        await self._session.execute(
            _UPSERT,
            {
                "id": new_id("emb"),
                "user_id": self._user_id,
                "entity_type": entity_type,
                "entity_id": entity_id,
                "chunk": chunk,
                "content": content,
                "content_hash": content_hash,
                "embedding": vector,
                "model": model,
                "meta": meta,
                "at": at.replace(tzinfo=None),
            },
        )

    async def delete(self, entity_type: str, entity_id: str) -> None:
        """Remove every chunk of an entity."""
        await self._session.execute(
            _DELETE,
            {"user_id": self._user_id, "entity_type": entity_type, "entity_id": entity_id},
        )

    async def nearest(
        self,
        vector: NDArray[np.float32],
        *,
        model: str,
        entity_types: Sequence[str],
        limit: int,
    ) -> list[Nearest]:
        """Return the `limit` rows nearest to `vector`, nearest first, of one model's vectors."""
        owned = await self._session.scalar(
            _COUNT_UP_TO, {"user_id": self._user_id, "most": EXACT_UP_TO_ROWS + 1}
        )
        statement = _NEAREST_EXACT if (owned or 0) <= EXACT_UP_TO_ROWS else _NEAREST_HNSW
        rows = await self._session.execute(
            statement,
            {
                "query": vector,
                "user_id": self._user_id,
                "model": model,
                "entity_types": list(entity_types),
                "limit": limit,
            },
        )
        return [Nearest(*row) for row in rows]
