"""Engines and sessions; plain parameters, no settings.

Every connection speaks UTC and carries what retrieval rests on: the `vector` type in binary form,
HNSW's iterative scan, and custom plans (a generic plan hides the owner's size from the planner).
A request's connections plan a statement once, as does what a session reads past its transaction
(`db/reads.py`): such statements leave the planner no choice. None is compiled: what the planner
believes of HNSW's cost would have it so.
"""

from typing import Any, Final, Self

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    AsyncSessionTransaction,
    async_sessionmaker,
    create_async_engine,
)

from db.fair_pool import FairPool
from db.in_flight import InFlight
from db.outbox import RecordingSession, has_to_send
from db.reads import READS, WRITES, Reads, is_alive
from db.watch import Connection

DRIVER: Final = "postgresql+psycopg"
CONNECT_TIMEOUT_SECONDS: Final = 3
READ_PATIENCE_SECONDS: Final = 5.0
_SEARCH_OPTIONS: Final = (
    "-c timezone=UTC -c jit=off -c hnsw.iterative_scan=relaxed_order -c hnsw.ef_search=300"
)
RETRIEVAL_OPTIONS: Final = f"{_SEARCH_OPTIONS} -c plan_cache_mode=force_custom_plan"
REQUEST_OPTIONS: Final = f"{_SEARCH_OPTIONS} -c plan_cache_mode=force_generic_plan"
UTC_OPTIONS: Final = "-c timezone=UTC"
LOG_OPTIONS: Final = (
    "-c timezone=UTC -c jit=off -c synchronous_commit=off -c plan_cache_mode=force_generic_plan"
)


class LightSession(AsyncSession):
    """A session that costs nothing where nothing is done in the database.

    Its transaction begins with what is first done in it; without any there is none to end.
    """

    def begin(self) -> AsyncSessionTransaction:
        """Return a block whose work is one transaction, committed at its end or rolled back."""
        return _LightTransaction(self)

    async def __aexit__(self, *raised: Any) -> None:
        """Close it, without a task of its own where it has no transaction."""
        if self.in_transaction():
            await super().__aexit__(*raised)
        else:
            self.sync_session.close()


class _LightTransaction(AsyncSessionTransaction):
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        session = self.session.sync_session
        begun = session.get_transaction()
        if begun is None and error is None and has_to_send(session):
            begun = session.begin()
        if begun is not None:
            self.sync_transaction = self._assign_proxied(begun)
            await super().__aexit__(kind, error, traceback)


Sessions = async_sessionmaker[AsyncSession]
UNAVAILABLE: Final = (DBAPIError, PoolTimeout)


def database_url(url: str) -> str:
    """Return `url` with our one driver, whatever the scheme says (`postgres://`, `postgresql://`).

    Raises ValueError where it is no PostgreSQL URL.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ValueError(f"not a PostgreSQL URL: it begins with {parsed.drivername}://")
    return parsed.set(drivername=DRIVER).render_as_string(hide_password=False)


def conninfo(url: str) -> str:
    """Return `url` as libpq reads it, for psycopg itself and for psql."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(
    url: str, *, pool_size: int = 10, pool_timeout: float = 5.0, options: str = RETRIEVAL_OPTIONS
) -> AsyncEngine:
    """Return an engine of `pool_size` connections; a caller waits `pool_timeout` s for one.

    `options` are PostgreSQL's for each connection: `REQUEST_OPTIONS` or `RETRIEVAL_OPTIONS`.
    """
    engine = create_async_engine(
        database_url(url),
        poolclass=FairPool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "options": options,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "async_creator_fn": Connection.connect,
        },
    )

    def _ping(connection: Any) -> bool:
        return is_alive(connection.driver_connection)

    engine.sync_engine.dialect.do_ping = _ping  # type: ignore[assignment,method-assign]  # what `pool_pre_ping` asks

    @event.listens_for(engine.sync_engine, "connect")
    def _register_vector(connection: Any, _record: Any) -> None:
        from pgvector.psycopg import register_vector_async

        connection.run_async(register_vector_async)

    return engine


def make_writes(url: str) -> Reads:
    """Return connections whose every statement is a commit that does not wait for the disk.

    It is for what may lose its last half second where PostgreSQL itself crashes.
    """
    return Reads(
        conninfo(url),
        options=LOG_OPTIONS,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        patience=READ_PATIENCE_SECONDS,
    )


def make_in_flight(url: str) -> InFlight:
    """Return what holds the operations that a process is at; it connects when it is needed."""
    return InFlight(conninfo(url), connect_timeout=CONNECT_TIMEOUT_SECONDS)


def make_sync_engine(url: str, *, pool_size: int = 2) -> Engine:
    """Return a blocking engine, for the processes that carry events away."""
    return create_engine(
        database_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"options": UTC_OPTIONS, "connect_timeout": CONNECT_TIMEOUT_SECONDS},
    )


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Return a factory of sessions; `async with sessions.begin()` is one transaction.

    What they read by `db.reads.read` has connections of its own, closed with the engine's.
    """
    url = engine.url.render_as_string(hide_password=False)
    writes = make_writes(url)
    reads = Reads(
        conninfo(url),
        options=REQUEST_OPTIONS,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        patience=READ_PATIENCE_SECONDS,
    )

    def _close(_engine: Any) -> None:
        reads.close()
        writes.close()

    event.listen(engine.sync_engine, "engine_disposed", _close)
    return async_sessionmaker(
        engine,
        class_=LightSession,
        expire_on_commit=False,
        sync_session_class=RecordingSession,
        info={READS: reads, WRITES: writes},
    )
