"""A database that is frozen: it neither answers nor closes, and a statement would wait for ever.

The kernel of a stopped or lost machine keeps its connections open, and a cancellation goes the same
way as the statement. So whoever has waited for `PATIENCE` is looked after: where the same server
answers nobody new either, the socket is shut on our side, and the statement ends as it does when a
server dies. A statement that is slow, or waits for a lock, on a server that answers goes on.
"""

import asyncio
import logging
import os
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any, Final, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

log = logging.getLogger(__name__)

PATIENCE: Final = 1.5
"""Seconds that a statement waits before anybody asks whether its server still answers."""
PROBE: Final = 1.5
"""Seconds that the server has to answer somebody new."""
POLL: Final = 0.25
SILENT: Final = 1.0
"""Seconds for which nobody tries to connect to a server that was found frozen."""

SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
"""The first message of https://www.postgresql.org/docs/current/protocol-message-formats.html."""

Server = tuple[str, str]
"""Host and port as they were given."""

_waiting: "Final[dict[Connection, float]]" = {}
_silent: Final[dict[Server, float]] = {}


class Connection(psycopg.AsyncConnection[TupleRow]):
    """A connection of psycopg's whose waiting is watched while somebody is `watching`."""

    server: Server

    @classmethod
    async def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Connect as psycopg does; fail at once where the server was just found frozen."""
        given = conninfo_to_dict(conninfo) | options
        server = (str(given.get("host")), str(given.get("port")))
        if _silent.get(server, 0.0) > time.monotonic():
            raise psycopg.OperationalError("the database does not answer")
        connection = await super().connect(conninfo, **options)
        connection.server = server
        return connection

    async def wait(self, *given: Any, **options: Any) -> Any:
        """Wait as psycopg does."""
        _waiting[self] = time.monotonic()
        try:
            return await super().wait(*given, **options)
        finally:
            _waiting.pop(self, None)

    async def cancel_safe(self, *, timeout: float = PROBE) -> None:  # noqa: ASYNC109 - psycopg's own
        """Ask the server to cancel, as psycopg does for whoever gives up; as long as a probe."""
        await super().cancel_safe(timeout=min(timeout, PROBE))


@asynccontextmanager
async def watching() -> AsyncIterator[None]:
    """Look after whoever waits for a database, until the end of the block."""
    task = asyncio.create_task(_keep_watch(), name="database watch")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep_watch() -> None:
    answered: dict[Server, float] = {}
    while True:
        await asyncio.sleep(POLL)
        now = time.monotonic()
        late = now - PATIENCE
        stuck = {one.server: one for one, since in _waiting.items() if since < late}
        for server, one in stuck.items():
            if answered.get(server, 0.0) > late:
                continue
            if await answers(one.info.host, one.info.port):
                answered[server] = time.monotonic()
                continue
            _silent[server] = time.monotonic() + SILENT
            given_up = [
                waits for waits, since in _waiting.items() if waits.server == server and since < now
            ]
            for waits in given_up:
                _let_go(waits)
            log.warning("the database is frozen: %d statements are given up", len(given_up))


async def answers(host: str, port: int) -> bool:
    """Tell whether the server at a host, or in a folder with its socket, answers anybody.

    It is asked whether it speaks TLS, which every PostgreSQL answers with a letter before it looks
    at who asks and how many there are: one that is full, starts or stops has answered too.
    """
    try:
        async with asyncio.timeout(PROBE):
            if host.startswith("/"):
                reader, writer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
            else:
                reader, writer = await asyncio.open_connection(host, port)
            with closing(writer):
                writer.write(SSL_REQUEST)
                return bool(await reader.read(1))
    except (OSError, TimeoutError):
        return False


def _let_go(connection: Connection) -> None:
    """End what the connection waits for, as if the server had closed it."""
    if connection not in _waiting or connection.closed:
        return
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as its_socket:
        its_socket.shutdown(socket.SHUT_RDWR)
