"""What is under way and must not begin twice, held without a transaction.

A model talks for seconds, so no transaction can hold an operation meanwhile. PostgreSQL's advisory
locks of a session can: one connection of the process has them all, and with the process they go.
Nothing is lost where the connection breaks: whoever begins the same then writes nothing twice, for
`operations` has the last word.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from db.watch import Connection

_TAKE: Final = "select pg_try_advisory_lock(hashtextextended(%s, 1))"
_GIVE_BACK: Final = "select pg_advisory_unlock(hashtextextended(%s, 1))"


class UnderWay(Exception):
    """Somebody, in whatever process, is at this operation."""


class InFlight:
    """The operations that this process is at, on one connection, opened when it is needed."""

    def __init__(self, conninfo: str, *, connect_timeout: int) -> None:
        """Keep how to connect."""
        self._conninfo = conninfo
        self._connect_timeout = connect_timeout
        self._held: set[str] = set()
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None

    @asynccontextmanager
    async def hold(self, operation_id: str) -> AsyncIterator[None]:
        """Hold the operation to the end of the block.

        Raises UnderWay where it is held already, here or elsewhere; DBAPIError.
        """
        if operation_id in self._held:
            raise UnderWay(operation_id)
        self._held.add(operation_id)
        try:
            if not await self._ask(_TAKE, operation_id):
                raise UnderWay(operation_id)
            try:
                yield
            finally:
                await self._give_back(operation_id)
        finally:
            self._held.discard(operation_id)

    async def close(self) -> None:
        """Give everything back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _give_back(self, operation_id: str) -> None:
        try:
            await asyncio.shield(self._ask(_GIVE_BACK, operation_id))
        except DBAPIError:  # with the connection it has gone by itself
            await self.close()

    async def _ask(self, statement: str, operation_id: str) -> bool:
        """Return what the statement says; a connection that has died is replaced once."""
        async with self._turn:
            known = self._connection is not None
            try:
                return await self._say(statement, operation_id)
            except psycopg.Error as error:
                await self.close()
                if not known:
                    raise _as_sqlalchemy(error, statement) from error
            try:
                return await self._say(statement, operation_id)
            except psycopg.Error as error:
                await self.close()
                raise _as_sqlalchemy(error, statement) from error

    async def _say(self, statement: str, operation_id: str) -> bool:
        if self._connection is None:
            self._connection = await Connection.connect(
                self._conninfo,
                autocommit=True,
                prepare_threshold=0,
                connect_timeout=self._connect_timeout,
            )
        cursor = await self._connection.execute(statement, [operation_id])
        row = await cursor.fetchone()
        return bool(row and row[0])


def _as_sqlalchemy(error: psycopg.Error, sql: str) -> Exception:
    return DBAPIError.instance(sql, None, error, psycopg.Error, hide_parameters=True)
