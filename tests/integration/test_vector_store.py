"""The embeddings as a PGVectorStore: the same dense top-k as ours, one owner's, read only."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from langchain_postgres import PGVectorStore
from sqlalchemy import text

from db.engine import Sessions
from db.retrieval import Retrieval
from tests.embedded_rows import Row, insert_rows, random_vector
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.indexing import ENTITY_TYPES
from tools.users import get_or_create_user
from tools.vector_store import open_vector_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EMBEDDER = Embedder(SCRIPTED_MODEL, ScriptedEmbeddings())


@pytest_asyncio.fixture
async def owners(sessions: Sessions) -> tuple[str, str]:
    """Return two users: ana has 40 rows, bruno 200 that are nearer to everything."""
    async with sessions.begin() as session:
        ana, bruno = [
            (await get_or_create_user(session, username=name, now=NOW, source="tests")).id
            for name in ("ana", "bruno")
        ]
        mine = [
            Row(f"a{n}", vector=random_vector(n), entity_type=("goal", "task")[n % 2], chunk=n % 3)
            for n in range(40)
        ]
        pending = Row("pending", vector=random_vector(1), model="")
        other_model = Row("old", vector=random_vector(1), model="older")
        await insert_rows(session, ana, [*mine, pending, other_model], model=SCRIPTED_MODEL)
        planted = [Row(f"b{n}", vector=random_vector(n % 40) + 1e-3) for n in range(200)]
        await insert_rows(session, bruno, planted, model=SCRIPTED_MODEL)
    return ana, bruno


@pytest_asyncio.fixture
async def store(database_url: str, owners: tuple[str, str]) -> AsyncIterator[PGVectorStore]:
    """Yield ana's store."""
    async with open_vector_store(database_url, user_id=owners[0], embedder=EMBEDDER) as store:
        yield store


@pytest.mark.parametrize("limit", [1, 5, 20, 100])
async def test_the_dense_top_k_is_the_one_of_retrieval(
    sessions: Sessions, owners: tuple[str, str], store: PGVectorStore, limit: int
) -> None:
    query = random_vector(1_000)
    async with sessions.begin() as session:
        ours = await Retrieval(session, owners[0]).nearest(
            query, model=SCRIPTED_MODEL, entity_types=ENTITY_TYPES, limit=limit
        )

    theirs = await store.asimilarity_search_with_score_by_vector(query.tolist(), k=limit)

    assert [(one.metadata["entity_id"], one.metadata["chunk"]) for one, _ in theirs] == [
        (one.entity_id, one.chunk) for one in ours
    ]
    assert np.allclose([distance for _, distance in theirs], [one.distance for one in ours])
    assert len(ours) == min(limit, 40)


async def test_a_text_is_searched_by_the_model_that_made_the_rows(
    sessions: Sessions, owners: tuple[str, str], store: PGVectorStore
) -> None:
    [vector] = await EMBEDDER.embed_documents(["Guardar contraseñas"])
    async with sessions.begin() as session:
        await insert_rows(session, owners[0], [Row("jwt", vector=vector)], model=SCRIPTED_MODEL)

    [found] = await store.asimilarity_search("guardar contraseñas", k=1)

    assert found.metadata == {
        "entity_type": "goal",
        "entity_id": "jwt",
        "chunk": 0,
        "model": SCRIPTED_MODEL,
    }


@pytest.mark.parametrize(
    "asked",
    [
        {"entity_type": "goal"},
        {"entity_id": {"$like": "%"}},
        {"$or": [{"entity_id": {"$like": "b%"}}, {"entity_id": {"$like": "a%"}}]},
        {"$or": [{"user_id": {"$exists": True}}, {"model": {"$exists": True}}]},
        {"$not": {"user_id": "nobody"}},
    ],
)
async def test_no_filter_of_the_caller_reaches_past_the_owner(
    store: PGVectorStore, asked: dict[str, Any]
) -> None:
    vector = random_vector(1).tolist()

    near = await store.asimilarity_search_by_vector(vector, k=300, filter=asked)
    varied = await store.amax_marginal_relevance_search_by_vector(vector, k=20, filter=asked)
    got = await store.aget(where=asked)

    ids = [one.metadata["entity_id"] for one in (*near, *varied)]
    ids += [one["entity_id"] for one in got["metadatas"]]
    assert ids
    assert [one for one in ids if not one.startswith("a")] == []


async def test_asking_for_another_owner_finds_nothing(
    owners: tuple[str, str], store: PGVectorStore
) -> None:
    assert await store.asimilarity_search("x", k=10, filter={"user_id": owners[1]}) == []


async def test_another_owners_chunk_is_not_given_by_its_id(
    sessions: Sessions, owners: tuple[str, str], store: PGVectorStore
) -> None:
    async with sessions.begin() as session:
        ids = {
            name: await session.scalar(
                text("select id from embeddings where entity_id = :name"), {"name": name}
            )
            for name in ("a1", "b1", "pending")
        }

    got = await store.aget_by_ids([*ids.values()])

    assert [one.metadata["entity_id"] for one in got] == ["a1"]
    assert await store.aget_by_ids([]) == []


async def test_nothing_can_be_written_through_it(store: PGVectorStore) -> None:
    writes = (
        store.aadd_texts(["x"]),
        store.aadd_embeddings(["x"], [[0.0] * 1536]),
        store.adelete(["x"]),
        store.adrop_vector_index("idx_embeddings_vector_hnsw"),
        store.areindex("idx_embeddings_vector_hnsw"),
    )

    for write in writes:
        with pytest.raises(NotImplementedError, match="read only"):
            await write


async def test_its_connections_search_like_ours(store: PGVectorStore) -> None:
    async with store._engine._pool.connect() as connection:
        settings = [
            await connection.scalar(text(f"show {name}"))
            for name in ("hnsw.iterative_scan", "hnsw.ef_search", "plan_cache_mode", "timezone")
        ]

    assert settings == ["relaxed_order", "300", "force_custom_plan", "UTC"]
