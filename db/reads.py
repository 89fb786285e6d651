"""Past the session: one statement without a transaction, on psycopg itself.

A search is one statement that reads. In a session it costs a ping, BEGIN and SQLAlchemy's way to
the driver, together more than the search of most learners. So a session that has not begun to work
with the database yet reads on connections of their own, which commit each statement and keep it
prepared under a generic plan: whoever writes such a statement chooses its access path. One
statement that writes is a transaction by itself, and goes the same way; its commit does not wait
for the disk. The session's tenant (`db/tenancy.py`) goes with the statement, in one message and one
transaction.
"""

import asyncio
import re
import select
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, SessionTransaction

from db.outbox import RecordingSession, Waiting, begin_waits, send, take_waiting, wait_to_send
from db.tenancy import SET_TENANT, tenant_of
from db.watch import Connection

READS: Final = "reads"
WRITES: Final = "writes"
CONNECTIONS: Final = 8

_BEGUN: Final = "begun"
_NAME: Final = re.compile(r"(?<![:\w]):([a-z_]+)")

Rows = list[TupleRow]


@dataclass(frozen=True)
class Statement:
    """SQL with numbered parameters, and the names of their values in that order."""

    sql: str
    names: tuple[str, ...]


def make_statement(sql: str) -> Statement:
    """Return `sql` with its parameters, written `:name`, numbered as PostgreSQL has them."""
    names = tuple(dict.fromkeys(_NAME.findall(sql)))
    return Statement(_NAME.sub(lambda found: f"${names.index(found[1]) + 1}", sql), names)


async def read(session: AsyncSession, statement: Statement, values: Mapping[str, Any]) -> Rows:
    """Return the rows of `statement`, which only reads; `values` may have more than it names.

    Where the session's transaction is under way in the database they are read in it, else outside
    of any. Raises DBAPIError and sqlalchemy's TimeoutError, as the session itself does.
    """
    parameters = [values[name] for name in statement.names]
    reads = _past(session, READS)
    if reads is None:
        return await execute(session, statement, values)
    return await reads.read(statement, parameters, tenant=tenant_of(session))


async def read_all(
    session: AsyncSession, statements: Sequence[Statement], values: Mapping[str, Any]
) -> list[Rows]:
    """Return what `read` returns for each statement, all of them in one message."""
    reads = _past(session, READS)
    if reads is None:
        return await execute_all(session, statements, values)
    return await reads.read_all(_filled(statements, values), tenant=tenant_of(session))


async def read_alone(
    sessions: async_sessionmaker[AsyncSession],
    statement: Statement,
    values: Mapping[str, Any],
    *,
    tenant: str,
) -> Rows:
    """Return the rows of `statement`, which only reads, as `tenant`, without opening a session.

    `sessions` are as `db.engine.make_sessions` makes them. Raises as `read` does.
    """
    reads: Reads = sessions.kw["info"][READS]
    parameters = [values[name] for name in statement.names]
    return await reads.read(statement, parameters, tenant=tenant)


async def write_alone(
    sessions: async_sessionmaker[AsyncSession], statement: Statement, values: Mapping[str, Any]
) -> Rows:
    """Return the rows of `statement`, which writes as nobody, without opening a session.

    It is committed as `write` does it past a session. Raises as `read` does.
    """
    writes: Reads = sessions.kw["info"][WRITES]
    return await writes.write(statement, [values[name] for name in statement.names])


async def write(session: AsyncSession, statement: Statement, values: Mapping[str, Any]) -> Rows:
    """Return the rows of `statement`, which writes; `values` may have more than it names.

    Where the session's transaction is under way in the database it is a part of that. Else it is
    committed when this returns, whatever becomes of the session; should PostgreSQL itself crash in
    the next half second, it may be as if it had never been. Raises as `read` does.
    """
    parameters = [values[name] for name in statement.names]
    writes = _past(session, WRITES)
    if writes is None:
        return await execute(session, statement, values)
    return await writes.write(statement, parameters, tenant=tenant_of(session))


async def execute(session: AsyncSession, statement: Statement, values: Mapping[str, Any]) -> Rows:
    """Return the rows of `statement`, a part of the session's transaction, which may begin so.

    What the session has not sent yet comes after it. A transaction that it begins is begun, and is
    its tenant's, in the same message. Raises DBAPIError.
    """
    [rows] = await execute_all(session, [statement], values)
    return rows


async def execute_all(
    session: AsyncSession, statements: Sequence[Statement], values: Mapping[str, Any]
) -> list[Rows]:
    """Return what `execute` returns for each statement, all of them in one message, in order."""
    with begin_waits(session):
        raw = await (await session.connection()).get_raw_connection()
    connection: Any = raw.driver_connection
    return await _execute(connection, _filled(statements, values), before=take_waiting(session))


async def execute_later(
    session: AsyncSession, statement: Statement, values: Mapping[str, Any]
) -> None:
    """Let `statement` be a part of the session's transaction, and tell nobody what it returns.

    It goes in one message with the next one of `execute` or with the COMMIT, and what is wrong with
    it is raised there. Unlike `execute` it keeps its place among the session's own statements. In a
    savepoint it goes now.
    """
    if not session.in_transaction():
        session.sync_session.begin()
    if session.new or session.dirty or session.deleted:
        await session.flush()
    if session.in_nested_transaction():
        await execute(session, statement, values)
        return
    wait_to_send(session, statement.sql, [values[name] for name in statement.names])


def is_past(session: AsyncSession) -> bool:
    """Tell whether `write` would now be a transaction of its own."""
    return _past(session, WRITES) is not None


def holds_connection(session: AsyncSession) -> bool:
    """Tell whether the session's transaction has begun in the database, and has a connection."""
    return _has_begun(session.sync_session)


def is_alive(connection: Any) -> bool:
    """Tell whether an idle connection of psycopg's is still open at its other end, without asking.

    A server that ends a connection says so, and a dying one's kernel does: then the socket can be
    read. A machine that is gone without a word is not noticed; a ping would wait for it as long.
    """
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


class Reads:
    """At most `CONNECTIONS` connections to one database, each opened when it is first needed."""

    def __init__(self, conninfo: str, *, options: str, connect_timeout: int, patience: float):
        """Keep how to connect; a caller waits `patience` seconds for a connection."""
        self._conninfo = conninfo
        self._options = options
        self._connect_timeout = connect_timeout
        self._patience = patience
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[Connection] = []

    def __del__(self) -> None:
        """Close what a statement has put back behind the last `close`."""
        self.close()

    @property
    def in_use(self) -> int:
        """Return how many connections somebody uses."""
        return CONNECTIONS - self._turns._value

    @property
    def waiting(self) -> int:
        """Return how many wait for a connection."""
        return len(self._turns._waiters or ())

    async def write(
        self, statement: Statement, parameters: list[Any], *, tenant: str | None = None
    ) -> Rows:
        """Return the rows of `statement`, executed once at most, as `tenant`."""
        async with self._connection() as connection:
            [rows] = await _execute(connection, [(statement.sql, parameters)], tenant=tenant)
        return rows

    async def write_together(
        self, statement: Statement, several: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> None:
        """Execute `statement` with the values of several tenants, in one message and transaction.

        Raises DBAPIError; then none of it was done.
        """
        messages: list[Waiting] = []
        for tenant, values in several:
            messages += [
                (SET_TENANT, (tenant,)),
                (statement.sql, [values[name] for name in statement.names]),
            ]
        async with self._connection() as connection:
            try:
                async with connection.pipeline():
                    await send(connection, messages)
            except psycopg.Error as error:
                raise _as_sqlalchemy(error, statement.sql) from error

    async def read(
        self, statement: Statement, parameters: list[Any], *, tenant: str | None = None
    ) -> Rows:
        """Return the rows of `statement`, of those that `tenant` may see."""
        [rows] = await self.read_all([(statement.sql, parameters)], tenant=tenant)
        return rows

    async def read_all(
        self, statements: Sequence[Waiting], *, tenant: str | None = None
    ) -> list[Rows]:
        """Return the rows of each statement, of those that `tenant` may see, in one message.

        An idle connection may have died since: its message is sent once more, on a new one.
        """
        async with self._turn():
            if self._idle:
                connection, idle = self._idle.pop(), self._idle
                try:
                    return await _execute(connection, statements, tenant=tenant)
                except DBAPIError:
                    if not connection.closed:
                        raise
                    self.close()  # the others will have died with it
                finally:
                    self._put_back(connection, idle)
            connection, idle = await self._connect(), self._idle
            try:
                return await _execute(connection, statements, tenant=tenant)
            finally:
                self._put_back(connection, idle)

    def close(self) -> None:
        """Close what is idle, and soon what is in use; afterwards it may be used again."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.pgconn.finish()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """Yield a connection that was open a moment ago."""
        async with self._turn():
            while self._idle and not is_alive(self._idle[-1]):
                self.close()  # the others will have died with it
            if self._idle:
                connection, idle = self._idle.pop(), self._idle
            else:
                connection, idle = await self._connect(), self._idle
            try:
                yield connection
            finally:
                self._put_back(connection, idle)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError as error:
            raise PoolTimeout("every connection for reading is busy") from error
        try:
            yield
        finally:
            self._turns.release()

    async def _connect(self) -> Connection:
        try:
            connection = await Connection.connect(
                self._conninfo,
                autocommit=True,
                prepare_threshold=0,
                cursor_factory=psycopg.AsyncRawCursor,
                options=self._options,
                connect_timeout=self._connect_timeout,
            )
        except psycopg.Error as error:
            raise _as_sqlalchemy(error, "connect") from error
        try:
            from pgvector.psycopg import register_vector_async

            await register_vector_async(connection)
        except BaseException as error:
            connection.pgconn.finish()  # nobody else knows of it
            if isinstance(error, psycopg.Error):
                raise _as_sqlalchemy(error, "connect") from error
            raise
        return connection

    def _put_back(self, connection: Connection, idle: list[Connection]) -> None:
        """Keep `connection` if it waits for a statement and nobody has closed the others since."""
        waits = connection.pgconn.transaction_status == TransactionStatus.IDLE
        if waits and idle is self._idle:
            idle.append(connection)
        else:
            connection.pgconn.finish()


def _filled(statements: Sequence[Statement], values: Mapping[str, Any]) -> list[Waiting]:
    return [(one.sql, [values[name] for name in one.names]) for one in statements]


async def _execute(
    connection: Connection,
    statements: Sequence[Waiting],
    *,
    tenant: str | None = None,
    before: Sequence[Waiting] = (),
) -> list[Rows]:
    """Return the rows of each statement, all in one message with what comes before them.

    Out of a transaction that message, the tenant first, is one.
    """
    cursors = [psycopg.AsyncRawCursor(connection) for _ in statements]
    first = before if tenant is None else ((SET_TENANT, (tenant,)), *before)
    try:
        if not first and len(statements) == 1:
            await cursors[0].execute(*statements[0])
        else:
            async with connection.pipeline():
                await send(connection, first)
                for cursor, (sql, parameters) in zip(cursors, statements, strict=True):
                    await cursor.execute(sql, parameters)
        return [await cursor.fetchall() if cursor.description else [] for cursor in cursors]
    except psycopg.Error as error:
        raise _as_sqlalchemy(error, statements[-1][0]) from error


def _as_sqlalchemy(error: psycopg.Error, sql: str) -> Exception:
    return DBAPIError.instance(sql, None, error, psycopg.Error, hide_parameters=True)


def _past(session: AsyncSession, name: str) -> Reads | None:
    """Return the session's own connections of this name, None where its transaction has begun."""
    reads = session.info.get(name)
    if not isinstance(reads, Reads) or _has_begun(session.sync_session):
        return None
    return reads


@event.listens_for(RecordingSession, "after_begin")
def _remember(session: Session, _transaction: SessionTransaction, _connection: Any) -> None:
    session.info[_BEGUN] = session.get_transaction()


def _has_begun(session: Session) -> bool:
    begun = session.info.get(_BEGUN)
    return begun is not None and begun is session.get_transaction()
