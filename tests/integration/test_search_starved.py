"""A large owner whom HNSW fails: it gives up before it meets their rows, or ends far from them."""

from datetime import datetime

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray
from pgvector.psycopg import register_vector
from sqlalchemy import text

import db.retrieval
from db.engine import Sessions, conninfo
from db.retrieval import Retrieval, Scope
from tools.indexing import ENTITY_TYPES, GOAL

MODEL = "m"
OTHERS, MINE = 400, 30
SCATTERED = 150
NARROW_MINDED = "set local hnsw.ef_search = 1"
AT = datetime(2026, 1, 1)
GIVE_UP_EARLY = "set local hnsw.max_scan_tuples = 1; set local hnsw.ef_search = 10"
# So few rows would be sorted; with a hundred thousand the planner comes to HNSW by itself.
TO_HNSW = "set local enable_sort = off"


def axis(number: int) -> NDArray[np.float32]:
    unit = np.zeros(1536, dtype=np.float32)
    unit[number] = 1.0
    return unit


@pytest.fixture
def crowded(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put 400 rows of another owner beside the query, and 30 of mine far from it."""
    monkeypatch.setattr(db.retrieval, "EXACT_UP_TO_ROWS", 0)
    noise = np.random.default_rng(1).standard_normal((OTHERS + MINE, 1536)).astype(np.float32)
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        register_vector(connection)
        for number, each in enumerate(noise):
            owner, centre = ("other", axis(0)) if number < OTHERS else ("mine", axis(1))
            connection.execute(
                "insert into users (id, email, username, hashed_password)"
                " values (%(id)s, %(id)s, %(id)s, '!') on conflict do nothing",
                {"id": owner},
            )
            connection.execute(
                "insert into embeddings (id, user_id, entity_type, entity_id, content, embedding,"
                " model, created_at) values (%s, %s, %s, %s, 'nota', %s, %s, %s)",
                [f"emb{number}", owner, GOAL, f"{owner}{number}", centre + 0.001 * each, MODEL, AT],
            )
        connection.execute("analyze embeddings")


@pytest.mark.usefixtures("crowded")
async def test_nearest_is_exact_where_hnsw_gives_up(sessions: Sessions) -> None:
    async with sessions() as session:
        for setting in (*GIVE_UP_EARLY.split(";"), TO_HNSW):
            await session.execute(text(setting))

        found = await Retrieval(session, "mine").nearest(
            axis(0), model=MODEL, entity_types=ENTITY_TYPES, limit=10
        )

    assert len({each.entity_id for each in found if each.entity_id.startswith("mine")}) == 10


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("words", ["nota", "nada"])
async def test_search_is_exact_where_hnsw_gives_up(sessions: Sessions, words: str) -> None:
    async with sessions() as session:
        for setting in (*GIVE_UP_EARLY.split(";"), TO_HNSW):
            await session.execute(text(setting))

        found = await Retrieval(session, "mine").search(
            words, axis(0), model=MODEL, scope=Scope(entity_types=ENTITY_TYPES), limit=10
        )

    assert len(found) == 10
    assert all(each.similarity is not None for each in found)


@pytest.fixture
def scattered(database_url: str, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.float32]:
    """Store 150 rows of one owner and return their vectors, which have nothing in common."""
    monkeypatch.setattr(db.retrieval, "EXACT_UP_TO_ROWS", 0)
    rows = np.random.default_rng(1).standard_normal((SCATTERED, 1536)).astype(np.float32)
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        register_vector(connection)
        connection.execute(
            "insert into users (id, email, username, hashed_password) values ('mine', '', '', '!')"
        )
        for number, row in enumerate(rows):
            connection.execute(
                "insert into embeddings (id, user_id, entity_type, entity_id, content, embedding,"
                " model, created_at) values (%s, 'mine', %s, %s, 'nota', %s, %s, %s)",
                [f"emb{number}", GOAL, f"{number}", row, MODEL, AT],
            )
        connection.execute("analyze embeddings")
    return rows


async def test_search_is_exact_where_hnsw_ends_far_from_the_query(
    sessions: Sessions, scattered: NDArray[np.float32]
) -> None:
    queries = np.random.default_rng(2).standard_normal((40, 1536)).astype(np.float32)
    found = []
    async with sessions() as session:
        for setting in (NARROW_MINDED, TO_HNSW):
            await session.execute(text(setting))

        for query in queries:
            [nearest] = await Retrieval(session, "mine").nearest(
                query, model=MODEL, entity_types=ENTITY_TYPES, limit=1
            )
            found.append(int(nearest.entity_id))

    lengths = np.linalg.norm(scattered, axis=1)
    assert found == np.argmax(queries @ scattered.T / lengths, axis=1).tolist()
