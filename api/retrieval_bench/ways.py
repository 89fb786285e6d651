"""The ways to search: ours as a request does, and what it is held against.

Every way is asked for the ten nearest rows of one owner and answers with their numbers.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import numpy as np
import psycopg
from pgvector.psycopg import register_vector_async

from api.retrieval_bench.load import MODEL, row_number, user_id
from api.retrieval_bench.owners import Corpus, Query
from api.retrieval_bench.plan import LIMIT, TASKS
from db.embedded import as_app
from db.engine import UTC_OPTIONS, Sessions, conninfo, make_engine, make_sessions
from db.retrieval import Retrieval, Scope
from db.tenancy import bind_tenant

_DEFAULT_HNSW: Final = """
select entity_id from embeddings where user_id = %s order by embedding <=> %s limit 10
"""
_EXACT: Final = """
select entity_id from embeddings where user_id = %s order by (embedding <=> %s) + 0 limit 10
"""


class Way(Protocol):
    """A way to search; `typed` says whether it asks for one type of entity only."""

    @property
    def typed(self) -> bool:
        """Tell whether it filters by the query's type."""

    async def search(self, query: Query) -> Sequence[int]:
        """Return the numbers of the rows that it finds, nearest first."""


class Ours:
    """`Retrieval.nearest` in a session of its own."""

    def __init__(self, sessions: Sessions, *, typed: bool) -> None:
        self._sessions = sessions
        self.typed = typed

    async def search(self, query: Query) -> Sequence[int]:
        """Search by meaning alone."""
        types = (query.entity_type,) if self.typed else ()
        async with self._sessions() as session:
            bind_tenant(session, user_id(query.owner))
            found = await Retrieval(session, user_id(query.owner)).nearest(
                query.vector, model=MODEL, entity_types=types, limit=LIMIT
            )
        return [row_number(each.entity_id) for each in found]


class Fused:
    """`Retrieval.search`, by meaning and words, in a session of its own."""

    typed = False

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def search(self, query: Query) -> Sequence[int]:
        """Search by meaning and by words."""
        async with self._sessions() as session:
            bind_tenant(session, user_id(query.owner))
            found = await Retrieval(session, user_id(query.owner)).search(
                query.text,
                query.vector,
                model=MODEL,
                scope=Scope(),
                limit=LIMIT,
                least_coverage=0.2,
            )
        return [row_number(each.entity_id) for each in found]


class Statement:
    """One statement on psycopg's own connections, the vector in binary form."""

    typed = False

    def __init__(self, idle: list[psycopg.AsyncConnection[Any]], statement: str | None) -> None:
        """Take `idle` connections from and back to the list; no statement is `select 1`."""
        self._idle = idle
        self._statement = statement

    async def search(self, query: Query) -> Sequence[int]:
        """Execute the statement."""
        connection = self._idle.pop()
        try:
            if self._statement is None:
                await (await connection.execute("select 1")).fetchall()
                return []
            values = (user_id(query.owner), query.vector)
            found = await (await connection.execute(self._statement, values)).fetchall()
        finally:
            self._idle.append(connection)
        return [row_number(each) for (each,) in found]


class NumpyScan:
    """The owner's rows in memory, side by side, multiplied by the query."""

    typed = False

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    async def search(self, query: Query) -> Sequence[int]:
        """Scan all rows and sort the best."""
        low, high = self._corpus.starts[query.owner], self._corpus.starts[query.owner + 1]
        similarities = self._corpus.vectors[low:high] @ query.vector
        many = min(LIMIT, len(similarities))
        best = np.argpartition(-similarities, many - 1)[:many]
        return (low + best[np.argsort(-similarities[best])]).tolist()  # type: ignore[no-any-return]  # numpy's own


@asynccontextmanager
async def open_ways(url: str, corpus: Corpus) -> AsyncIterator[dict[str, Way]]:
    """Yield every way by the name that its figures go by."""
    from api.retrieval_bench.stores import open_stores

    engine = make_engine(as_app(url), pool_size=max(TASKS))
    owners = make_engine(url, pool_size=max(TASKS))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(owners.dispose)
        sessions, unbound = make_sessions(engine), make_sessions(owners)
        idle = []
        for _ in range(max(TASKS)):
            connection = await psycopg.AsyncConnection.connect(
                conninfo(url), autocommit=True, prepare_threshold=0, options=UTC_OPTIONS
            )
            stack.push_async_callback(connection.close)
            await register_vector_async(connection)
            idle.append(connection)
        stores = await stack.enter_async_context(open_stores(url))
        yield {
            "select_1": Statement(idle, None),
            "numpy": NumpyScan(corpus),
            "ours": Ours(sessions, typed=False),
            "ours_typed": Ours(sessions, typed=True),
            "ours_unbound": Ours(unbound, typed=False),
            "fused": Fused(sessions),
            "fused_unbound": Fused(unbound),
            "exact": Statement(idle, _EXACT),
            "hnsw": Statement(idle, _DEFAULT_HNSW),
            **stores,
        }
