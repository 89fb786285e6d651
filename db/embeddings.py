"""What is stored of an entity's text and its vectors; `db/retrieval.py` searches it.

A chunk whose vector is not known yet is pending: its model is the empty string and its vector zero,
which no search by meaning sees (each names its model, and HNSW leaves zero vectors out under
cosine). Its words are found at once; `db/embedding_backlog.py` has the rest.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.types.array import ListBinaryDumper
from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import new_id
from db.models import EMBEDDING_DIMENSIONS
from db.reads import execute_later, make_statement, write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

PENDING: Final = ""
"""The model of a row that has no vector yet."""


class Vectors(list[Any]):
    """An array of vectors as a parameter, sent as PostgreSQL keeps it.

    A plain list goes as text: 1.5 ms of writing for each vector, and as much of reading.
    """


psycopg.adapters.register_dumper(Vectors, ListBinaryDumper)

_UPSERT = text("""
insert into embeddings
  (id, user_id, entity_type, entity_id, chunk,
   content, content_hash, embedding, model, metadata, created_at)
select id, :user_id, :entity_type, :entity_id, chunk,
       content, content_hash, embedding, model, metadata, :at
from unnest(
  cast(:ids as text[]), cast(:chunks as int[]), cast(:contents as text[]), cast(:hashes as text[]),
  cast(:vectors as vector[]), cast(:models as text[]), cast(:metas as jsonb[])
) as given (id, chunk, content, content_hash, embedding, model, metadata)
on conflict (entity_type, entity_id, chunk) do update set
  content = excluded.content, content_hash = excluded.content_hash, embedding = excluded.embedding,
  model = excluded.model, metadata = excluded.metadata, created_at = excluded.created_at
where embeddings.user_id = excluded.user_id
  and embeddings.content_hash is distinct from excluded.content_hash
returning chunk
""")

_DELETE_FROM_CHUNK = text("""
delete from embeddings
where user_id = :user_id and entity_type = :entity_type and entity_id = :entity_id
  and chunk >= :first
returning chunk
""")

_DELETE = text("""
delete from embeddings
where user_id = :user_id and entity_type = any(:entity_types) and entity_id = any(:entity_ids)
""")

# One row after the other, by its key: whoever else gives it a vector meanwhile gives it this one.
_GIVE: Final = make_statement("""
update embeddings set embedding = given.vector, model = :model
from unnest(
  :entity_types::text[], :entity_ids::text[], :chunks::int[], :hashes::text[], :vectors::vector[]
) as given (entity_type, entity_id, chunk, content_hash, vector)
where embeddings.entity_type = given.entity_type and embeddings.entity_id = given.entity_id
  and embeddings.chunk = given.chunk and embeddings.content_hash = given.content_hash
  and embeddings.user_id = :user_id and embeddings.model = ''
""")

_ADD: Final = make_statement("""
insert into embeddings
  (id, user_id, entity_type, entity_id, chunk,
   content, content_hash, embedding, model, metadata, created_at)
select id, :user_id::text, :entity_type::text, entity_id, chunk,
       content, content_hash, embedding, model, metadata, :at::timestamp
from unnest(
  :ids::text[], :entity_ids::text[], :chunks::int[], :contents::text[], :hashes::text[],
  :vectors::vector[], :models::text[], :metas::jsonb[]
) as given (id, entity_id, chunk, content, content_hash, embedding, model, metadata)
""")

_COPY: Final = """
copy embeddings (id, user_id, entity_type, entity_id, chunk,
                 content, content_hash, embedding, model, metadata, created_at)
from stdin (format binary)

"""
_COPY_TYPES: Final = (
    *("text", "text", "text", "text", "int4", "text", "text", "vector", "text", "jsonb"),
    "timestamp",
)


@dataclass(frozen=True)
class StoredChunk:
    """One chunk to store; `vector` is None where it is pending, else one of `model`."""

    content: str
    content_hash: str
    vector: "Vector | None"
    model: str
    metadata: dict[str, Any] | None


class KnownVector(NamedTuple):
    """The vector of a chunk that is stored as pending; `vector` has 1536 numbers."""

    entity_type: str
    entity_id: str
    chunk: int
    content_hash: str
    vector: "Vector"


@cache
def _no_vector() -> "Vector":
    import numpy as np

    return np.zeros(EMBEDDING_DIMENSIONS, dtype=np.float32)


def _stored(chunk: StoredChunk) -> "Vector":
    return _no_vector() if chunk.vector is None else chunk.vector


class EmbeddingRow(NamedTuple):
    """A whole row of `embeddings`: `vector` has 1536 numbers, `created_at` is aware."""

    id: str
    user_id: str
    entity_type: str
    entity_id: str
    chunk: int
    content: str
    content_hash: str
    vector: "Vector"
    model: str
    metadata: dict[str, Any] | None
    created_at: datetime


class Embeddings:
    """One owner's embeddings."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def save(
        self, entity_type: str, entity_id: str, chunks: Sequence[StoredChunk], *, at: datetime
    ) -> int:
        """Let the entity have these chunks, numbered from 0, in two statements.

        A chunk with the content hash that its row has already is left as it is, whatever its model;
        the others are written and those behind the last are deleted. Returns how many rows changed.
        """
        entity = {
            "user_id": self._user_id,
            "entity_type": entity_type,
            "entity_id": entity_id,
        }
        gone = await self._session.execute(_DELETE_FROM_CHUNK, entity | {"first": len(chunks)})
        written = await self._session.execute(
            _UPSERT,
            entity
            | {
                "ids": [new_id("emb") for _ in chunks],
                "chunks": list(range(len(chunks))),
                "at": at.replace(tzinfo=None),
                **_columns(chunks),
            },
        )
        return len(gone.all()) + len(written.all())

    async def add(
        self,
        entity_type: str,
        chunks: Mapping[str, Sequence[StoredChunk]],
        *,
        at: datetime,
    ) -> None:
        """Store the chunks of entities that are new, by their ids, in one statement for all.

        It goes with the transaction's next statement or its COMMIT (`db.reads.execute_later`).
        It is no COPY: PostgreSQL has none for whoever row level security binds.
        """
        rows = [
            (entity_id, number, chunk)
            for entity_id, its_chunks in chunks.items()
            for number, chunk in enumerate(its_chunks)
        ]
        values = {
            "user_id": self._user_id,
            "entity_type": entity_type,
            "ids": [new_id("emb") for _ in rows],
            "entity_ids": [entity_id for entity_id, _, _ in rows],
            "chunks": [number for _, number, _ in rows],
            "at": at.replace(tzinfo=None),
            **_columns([chunk for _, _, chunk in rows]),
        }
        await execute_later(self._session, _ADD, values)

    async def give(self, known: Sequence[KnownVector], *, model: str) -> None:
        """Give pending chunks their vectors of `model`; one whose text has changed keeps waiting.

        Before the session's transaction has begun this is a commit of its own, which does not wait
        for the disk: what it loses waits again.
        """
        entity_types, entity_ids, chunks, hashes, vectors = zip(*known, strict=True)
        values = {
            "user_id": self._user_id,
            "model": model,
            "entity_types": list(entity_types),
            "entity_ids": list(entity_ids),
            "chunks": list(chunks),
            "hashes": list(hashes),
            "vectors": Vectors(vectors),
        }
        await write(self._session, _GIVE, values)

    async def delete(self, entity_types: Collection[str], entity_ids: Collection[str]) -> None:
        """Remove every chunk of the entities of these types and ids."""
        await self._session.execute(
            _DELETE,
            {
                "user_id": self._user_id,
                "entity_types": list(entity_types),
                "entity_ids": list(entity_ids),
            },
        )


def _columns(chunks: Sequence[StoredChunk]) -> dict[str, list[Any]]:
    return {
        "contents": [chunk.content for chunk in chunks],
        "hashes": [chunk.content_hash for chunk in chunks],
        "vectors": Vectors(map(_stored, chunks)),
        "models": [PENDING if c.vector is None else c.model for c in chunks],
        "metas": [c.metadata if c.metadata is None else Jsonb(c.metadata) for c in chunks],
    }


async def copy_rows(
    connection: AsyncSession | AsyncConnection[Any], rows: Iterable[EmbeddingRow]
) -> int:
    """Load whole rows, of any owners, by binary COPY in the open transaction; return their number.

    For what is embedded already, by a role that sees all rows. Raises psycopg.Error where a row is
    there already (then none of them is), or its owner is not.
    """
    driver = await _driver_of(connection)
    if driver.adapters.types.get("vector") is None:
        from pgvector.psycopg import register_vector_async

        await register_vector_async(driver)
    count = 0
    async with driver.cursor().copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for row in rows:
            metadata = None if row.metadata is None else Jsonb(row.metadata)
            at = row.created_at.replace(tzinfo=None)
            await copy.write_row((*row[:9], metadata, at))
            count += 1
    return count


async def _driver_of(connection: AsyncSession | AsyncConnection[Any]) -> AsyncConnection[Any]:
    if isinstance(connection, AsyncConnection):
        return connection
    raw = await (await connection.connection()).get_raw_connection()
    driver = raw.driver_connection
    assert isinstance(driver, AsyncConnection), "the engine's driver is psycopg"
    return driver
