"""langchain-postgres, as its documentation shows it: on our table and on one of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_postgres import Column, PGEngine, PGVectorStore
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from api.retrieval_bench.load import OWN_TABLE, row_number, user_id
from api.retrieval_bench.owners import Query
from api.retrieval_bench.plan import LIMIT, TASKS
from db.models import EMBEDDING_DIMENSIONS

UNASKED: Final = DeterministicFakeEmbedding(size=EMBEDDING_DIMENSIONS)
"""A store cannot be opened without a model; every vector is given here."""
METADATA: Final = ("user_id", "entity_type", "entity_id")


class Store:
    """A store that is asked for one owner's rows by its filter."""

    typed = False

    def __init__(self, store: PGVectorStore) -> None:
        self._store = store

    async def search(self, query: Query) -> Sequence[int]:
        """Search by meaning."""
        found = await self._store.asimilarity_search_by_vector(
            query.vector.tolist(), k=LIMIT, filter={"user_id": user_id(query.owner)}
        )
        return [row_number(each.metadata["entity_id"]) for each in found]


@asynccontextmanager
async def open_stores(url: str) -> AsyncIterator[dict[str, Store]]:
    """Yield the store on our table and the one on its own, which is made if it is missing."""
    pool = create_async_engine(url, pool_size=max(TASKS))
    engine = PGEngine.from_engine(pool)
    try:
        async with pool.connect() as connection:
            missing = not await has_table(connection, OWN_TABLE)
        if missing:
            await make_table(engine, OWN_TABLE)
        same = await PGVectorStore.create(
            engine,
            UNASKED,
            "embeddings",
            id_column="id",
            metadata_columns=list(METADATA),
            metadata_json_column="metadata",
        )
        yield {"store_same_table": Store(same), "store_own_table": Store(await own_store(engine))}
    finally:
        await pool.dispose()


async def own_store(engine: PGEngine, table: str = OWN_TABLE) -> PGVectorStore:
    """Return the store on a table that `make_table` has made."""
    return await PGVectorStore.create(
        engine,
        UNASKED,
        table,
        metadata_columns=list(METADATA),
    )


async def make_table(engine: PGEngine, table: str) -> None:
    """Make a table as langchain-postgres does: its own columns and ours as metadata; no index."""
    await engine.ainit_vectorstore_table(
        table,
        EMBEDDING_DIMENSIONS,
        metadata_columns=[Column(name, "varchar(50)", nullable=False) for name in METADATA],
    )


async def has_table(connection: AsyncConnection, table: str) -> Any:
    """Tell whether there is a table of that name."""
    return await connection.scalar(text("select to_regclass(:name) is not null"), {"name": table})
