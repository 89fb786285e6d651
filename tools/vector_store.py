"""One owner's rows of `embeddings` as a LangChain `PGVectorStore`, for programs that want one.

The product searches by `db/retrieval.py`; this is a view to read by. What it cannot do, because
`PGVectorStore` writes the statement: choose the access path by the owner's size (the planner
chooses, under the same settings as ours), search by words, or put chunks of one entity together.
What it cannot prevent: whoever holds the object holds its connections too. The owner's filter binds
what a caller can *ask*, not what a program can do; a database role does that.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NoReturn

from langchain_core.documents import Document
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.async_vectorstore import AsyncPGVectorStore
from sqlalchemy.ext.asyncio import create_async_engine

from db.engine import CONNECT_TIMEOUT_SECONDS, RETRIEVAL_OPTIONS, database_url
from db.models import Embedding
from tools.embedders import Embedder
from tools.indexing import ENTITY_TYPES

CONNECTIONS: Final = 4
METADATA: Final = ("entity_type", "entity_id", "chunk", "model")

Filter = dict[str, Any]


@contextlib.asynccontextmanager
async def open_vector_store(
    url: str,
    *,
    user_id: str,
    embedder: Embedder,
    entity_types: Sequence[str] = ENTITY_TYPES,
) -> AsyncIterator[PGVectorStore]:
    """Yield the vectors that `embedder` made of `user_id`'s rows, to search; its methods are async.

    A document is a chunk; its metadata are `entity_type`, `entity_id`, `chunk` and `model`, its
    score a cosine distance (0 to 2). A caller's filter narrows the owner's and never widens it.
    """
    engine = create_async_engine(
        database_url(url),
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        # No `register_vector` here: this store reads vectors as text.
        connect_args={"options": RETRIEVAL_OPTIONS, "connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )
    try:
        pool = PGEngine.from_engine(engine)
        rows = await OwnersRows.create(
            pool,
            embedder.embeddings,
            Embedding.__tablename__,
            id_column="id",
            metadata_columns=list(METADATA),
            metadata_json_column=None,
        )
        assert isinstance(rows, OwnersRows)
        rows.only = [
            {"entity_type": {"$in": list(entity_types)}},
            {"model": embedder.model},
            {"user_id": user_id},
        ]
        # Its own `create` makes rows without an owner. Should the key be renamed, this fails.
        key = getattr(PGVectorStore, "_PGVectorStore__create_key")  # noqa: B009 - mypy knows it not
        yield PGVectorStore(key, pool, rows)
    finally:
        await engine.dispose()


class OwnersRows(AsyncPGVectorStore):
    """The rows that every statement of a store is bound to; nothing until `only` is set."""

    only: list[Filter]

    async def asimilarity_search_with_score_by_vector(
        self,
        embedding: list[float],
        k: int | None = None,
        filter: Filter | None = None,  # noqa: A002 - the library's name
        **_unused: Any,
    ) -> list[tuple[Document, float]]:
        """Return the nearest of the owner's chunks, nearest first."""
        found = await super().asimilarity_search_with_score_by_vector(
            embedding, k=k, filter=self._owned(filter)
        )
        return sorted(found, key=lambda one: one[1])  # an iterative HNSW scan is not quite

    async def amax_marginal_relevance_search_with_score_by_vector(
        self,
        embedding: list[float],
        k: int | None = None,
        fetch_k: int | None = None,
        lambda_mult: float | None = None,
        filter: Filter | None = None,  # noqa: A002 - the library's name
        **_unused: Any,
    ) -> list[tuple[Document, float]]:
        """Return near chunks of the owner's that differ from each other."""
        return await super().amax_marginal_relevance_search_with_score_by_vector(
            embedding,
            k=k,
            fetch_k=fetch_k or self.fetch_k,
            lambda_mult=lambda_mult,
            filter=self._owned(filter),
        )

    async def aget(
        self,
        ids: Sequence[str] | None = None,
        where: Filter | None = None,
        limit: int | None = None,
        offset: int | None = None,
        where_document: Filter | None = None,
        include: list[str] | None = None,
        **_unused: Any,
    ) -> dict[str, Any]:
        """Return chunks of the owner's."""
        return await super().aget(
            ids,
            self._owned(where),
            limit=limit,
            offset=offset,
            where_document=where_document,
            include=include,
        )

    async def aget_by_ids(self, ids: Sequence[str]) -> list[Document]:
        """Return those of these chunks that are the owner's."""
        got = await self.aget(list(ids)) if ids else {"ids": [], "documents": [], "metadatas": []}
        return [
            Document(page_content=content, metadata=metadata, id=found)
            for found, content, metadata in zip(
                got["ids"], got["documents"], got["metadatas"], strict=True
            )
        ]

    def _owned(self, asked: Filter | None) -> Filter:
        return {"$and": [*([] if asked is None else [asked]), *self.only]}

    async def _refuse(self, *_arguments: Any, **_named: Any) -> NoReturn:
        raise NotImplementedError("this store is read only: rows are written by the verbs")

    aadd_embeddings = aadd_texts = aadd_documents = adelete = _refuse
    aapply_vector_index = aapply_hybrid_search_index = adrop_vector_index = areindex = _refuse
