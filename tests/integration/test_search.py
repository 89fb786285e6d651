"""Vector search: the owner's own rows, all of them that there are, by both access paths."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import text

import db.embeddings
from db.embeddings import Embeddings
from db.engine import Sessions
from tools.users import get_or_create_user

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = "m"
Vector = np.ndarray[tuple[int], np.dtype[np.float32]]


def vector(seed: int) -> Vector:
    return np.random.default_rng(seed).standard_normal(1536).astype(np.float32)


async def store(
    sessions: Sessions, user: str, vectors: dict[str, Vector], *, model: str = MODEL
) -> None:
    async with sessions.begin() as session:
        for name, values in vectors.items():
            await Embeddings(session, user).upsert(
                "goal",
                name,
                chunk=0,
                content=f"title of {name}\nrest",
                content_hash=name,
                vector=values,
                model=model,
                meta=None,
                at=NOW,
            )


async def find(
    sessions: Sessions, user: str, query: Vector, *, limit: int, model: str = MODEL
) -> list[str]:
    async with sessions.begin() as session:
        rows = await Embeddings(session, user).nearest(
            query, model=model, entity_types=["goal", "task"], limit=limit
        )
    return [row.entity_id for row in rows]


def by_brute_force(vectors: dict[str, Vector], query: Vector, *, limit: int) -> list[str]:
    def distance(name: str) -> float:
        other = vectors[name]
        return 1 - float(query @ other) / float(np.linalg.norm(query) * np.linalg.norm(other))

    return sorted(vectors, key=distance)[:limit]


@pytest_asyncio.fixture
async def owners(sessions: Sessions) -> AsyncIterator[tuple[str, str]]:
    async with sessions.begin() as session:
        users = [
            (await get_or_create_user(session, username=name, now=NOW, source="tests")).id
            for name in ("ana", "bruno")
        ]
    yield users[0], users[1]


@pytest.mark.parametrize("exact_up_to", [4_000, 0])
async def test_the_nearest_rows_are_those_of_brute_force_on_both_paths(
    sessions: Sessions,
    owners: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    exact_up_to: int,
) -> None:
    ana, bruno = owners
    mine = {f"a{number}": vector(number) for number in range(60)}
    await store(sessions, ana, mine)
    await store(sessions, bruno, {f"b{number}": vector(1_000 + number) for number in range(60)})
    monkeypatch.setattr(db.embeddings, "EXACT_UP_TO_ROWS", exact_up_to)

    found = await find(sessions, ana, vector(5_000), limit=10)

    assert found == by_brute_force(mine, vector(5_000), limit=10)


@pytest.mark.parametrize("exact_up_to", [4_000, 0])
async def test_a_planted_nearest_neighbour_of_another_owner_is_never_found(
    sessions: Sessions,
    owners: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    exact_up_to: int,
) -> None:
    ana, bruno = owners
    query = vector(1)
    await store(sessions, ana, {f"a{number}": vector(10 + number) for number in range(5)})
    await store(sessions, bruno, {f"b{number}": query + vector(2) * 1e-3 for number in range(50)})
    monkeypatch.setattr(db.embeddings, "EXACT_UP_TO_ROWS", exact_up_to)

    found = await find(sessions, ana, query, limit=10)

    assert sorted(found) == ["a0", "a1", "a2", "a3", "a4"]


async def test_vectors_of_another_model_are_never_compared(
    sessions: Sessions, owners: tuple[str, str]
) -> None:
    ana, _ = owners
    await store(sessions, ana, {"old": vector(1)}, model="older")
    await store(sessions, ana, {"new": vector(2)})

    assert await find(sessions, ana, vector(1), limit=10) == ["new"]
    assert await find(sessions, ana, vector(1), limit=10, model="older") == ["old"]


@pytest.mark.parametrize(
    ("statement", "indexes"),
    [
        (
            db.embeddings._NEAREST_EXACT,
            {"idx_embeddings_user_id", "idx_embeddings_user_entity_type"},
        ),
        (db.embeddings._NEAREST_HNSW, {"idx_embeddings_vector_hnsw"}),
    ],
)
async def test_each_path_uses_its_own_index(
    sessions: Sessions, owners: tuple[str, str], statement: object, indexes: set[str]
) -> None:
    ana, bruno = owners
    await store(sessions, ana, {f"a{number}": vector(number) for number in range(30)})
    await store(sessions, bruno, {f"b{number}": vector(900 + number) for number in range(300)})
    async with sessions.begin() as session:
        await session.execute(text("analyze embeddings"))
        await session.execute(text("set local enable_seqscan = off"))
        await session.execute(text("set local enable_bitmapscan = off"))
        if "idx_embeddings_vector_hnsw" in indexes:
            await session.execute(text("set local enable_sort = off"))

        plan = await session.execute(
            text(f"explain {statement}"),
            {
                "query": vector(1),
                "user_id": ana,
                "model": MODEL,
                "entity_types": ["goal"],
                "limit": 10,
            },
        )

    used = {name for row in plan for name in re.findall(r"using (idx_\w+)", row[0])}
    assert used and used <= indexes
