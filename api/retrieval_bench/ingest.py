"""Rows a second into an empty table: ours, a bare COPY, and PGVectorStore; embedding aside."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC
from typing import Any, Final

import psycopg
from langchain_postgres import PGEngine, PGVectorStore
from pgvector.psycopg import register_vector
from psycopg.rows import TupleRow
from sqlalchemy.ext.asyncio import create_async_engine

from api.migrations import migrate
from api.retrieval_bench.goals import WORDS
from api.retrieval_bench.load import COPY, INDEXES, OWN_TABLE, TYPES, add_users, connect, make_row
from api.retrieval_bench.owners import Corpus
from api.retrieval_bench.plan import Plan, Site
from api.retrieval_bench.stores import make_table, own_store
from db.embedded import open_embedded
from db.embeddings import EmbeddingRow, copy_rows
from db.engine import Sessions, make_engine, make_sessions
from events.bench.figures import Figure

DATABASE: Final = "goals_bench_ingest"

Row = tuple[Any, ...]
Take = Callable[[], Awaitable[None]]


def measure_ingest(corpus: Corpus, plan: Plan, site: Site) -> list[Figure]:
    """Return the figures of every way to take `plan.ingest_rows` rows, in a database of its own."""
    with open_embedded(site.folder / "postgres", database=DATABASE) as url:
        migrate(url)
        with connect(url) as connection:
            connection.execute(f"drop table if exists {OWN_TABLE}")
            connection.execute("truncate users cascade")
            add_users(connection, len(corpus.sizes))
            rates = asyncio.run(_measure(url, connection, corpus=corpus, plan=plan, site=site))
    return [
        Figure(name=name, what=WORDS[name], unit="rows/s", values=tuple(values))
        for name, values in rates.items()
    ]


async def _measure(
    url: str, connection: psycopg.Connection[TupleRow], *, corpus: Corpus, plan: Plan, site: Site
) -> dict[str, list[float]]:
    rows = _sample(corpus, plan.ingest_rows)
    [(index, definition)] = [
        each for each in connection.execute(INDEXES).fetchall() if "hnsw" in each[1]
    ]
    pool, engine = create_async_engine(url), make_engine(url)
    stores = PGEngine.from_engine(pool)
    try:
        await make_table(stores, OWN_TABLE)
        store = await own_store(stores)
        sessions = make_sessions(engine)
        ours, copy, theirs = _Ours(sessions, rows), _Copy(url, rows), _Theirs(store, rows)
        ways: dict[str, tuple[str, Take]] = {
            "ingest.ours": (definition, ours),
            "ingest.copy": (definition, copy),
            "ingest.ours_bare": (f"drop index {index}", ours),
            "ingest.store": (f"truncate {OWN_TABLE}", theirs),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(plan.rounds):
            for name, (prepare, take) in list(ways.items())[:: 1 if number % 2 == 0 else -1]:
                site.announce(f"ingest, round {number + 1} of {plan.rounds}: {name}")
                connection.execute("truncate embeddings")
                connection.execute(f"drop index if exists {index}")
                connection.execute(definition)
                connection.execute(prepare.replace("CREATE INDEX", "create index if not exists"))
                started = time.perf_counter()
                await take()
                rates[name].append(len(rows) / (time.perf_counter() - started))
        return rates
    finally:
        await engine.dispose()
        await pool.dispose()


def _sample(corpus: Corpus, count: int) -> list[Row]:
    """Return rows from everywhere: neighbours of one owner would be near each other."""
    chosen = range(0, len(corpus.vectors), max(1, len(corpus.vectors) // count))[:count]
    owners = [int(owner) - 1 for owner in corpus.starts.searchsorted(chosen, side="right")]
    return [make_row(corpus, row, owner=owner) for row, owner in zip(chosen, owners, strict=True)]


class _Ours:
    """`copy_rows` in a transaction of the product's engine."""

    def __init__(self, sessions: Sessions, rows: Sequence[Row]) -> None:
        self._sessions = sessions
        self._rows = [
            EmbeddingRow._make((*row[:9], row[9].obj, row[10].replace(tzinfo=UTC))) for row in rows
        ]

    async def __call__(self) -> None:
        async with self._sessions.begin() as session:
            await copy_rows(session, self._rows)


class _Copy:
    """A binary COPY, and nothing else."""

    def __init__(self, url: str, rows: Sequence[Row]) -> None:
        self._url = url
        self._rows = rows

    async def __call__(self) -> None:
        with connect(self._url) as connection:
            register_vector(connection)
            with connection.cursor().copy(COPY) as copy:
                copy.set_types(TYPES)
                for row in self._rows:
                    copy.write_row(row)


class _Theirs:
    """`aadd_embeddings`, as PGVectorStore has it."""

    def __init__(self, store: PGVectorStore, rows: Sequence[Row]) -> None:
        self._store = store
        self._texts = [row[5] for row in rows]
        self._vectors = [row[7].tolist() for row in rows]
        self._metadatas = [
            {"user_id": row[1], "entity_type": row[2], "entity_id": row[3]} for row in rows
        ]

    async def __call__(self) -> None:
        await self._store.aadd_embeddings(self._texts, self._vectors, self._metadatas)
