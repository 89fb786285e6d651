"""LangGraph's checkpoints: none is looked for where a run begins, one is kept where it ends."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from db.checkpoints import Checkpoint, keep_behind, keep_checkpoint
from db.engine import UNAVAILABLE, UTC_OPTIONS, conninfo, make_writes
from db.reads import is_alive
from db.tenancy import SET_TENANT
from tools.when_quiet import WhenQuiet

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

CONNECTIONS: Final = 4
_user: Final = ContextVar[str]("user")

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def open_checkpoints(url: str) -> AsyncIterator[Any]:
    """Yield LangGraph's saver over a pool that notices dead connections.

    A checkpoint waits for the disk only where the caller is told to come back to it and nothing
    is committed after it: see `agent.run.LAST_WRITE`. LangGraph's own way writes them one at a
    time, in several messages and a thread; there are as many as there are requests. What nobody
    goes on from is written behind the answer, when it is quiet, and what is left of it at the end
    of the block.
    """
    from langgraph.checkpoint.base import get_serializable_checkpoint_metadata
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg import AsyncRawCursor

    from agent.run import BEGINS, LAST_WRITE, NEW_RUN, ONE_SHOT

    writes = make_writes(url)

    async def keep_ended(ended: Sequence[Callable[[], Checkpoint]]) -> None:
        try:
            await keep_behind(writes, [make() for make in ended])
        except UNAVAILABLE as error:
            reason = type(error).__name__
            log.warning("checkpoints of %d ended runs were not kept: %s", len(ended), reason)

    later = WhenQuiet(keep_ended, "checkpoints")

    class RunSaver(AsyncPostgresSaver):
        """Looks for no checkpoint where a run has just begun, and keeps one in one statement.

        Everything is read and written as the run's user, and their id kept by the columns' default.
        """

        @contextlib.asynccontextmanager
        async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[Any]:
            """Yield a cursor of one transaction, which is the user's."""
            async with super()._cursor(pipeline=True) as cursor:
                await AsyncRawCursor(cursor.connection).execute(SET_TENANT, [_user.get()])
                yield cursor

        async def aget_tuple(self, config: Any) -> Any:
            """Return the checkpoint, None where there is none."""
            if config["configurable"].get(NEW_RUN):
                return None
            _user.set(_user_of(config))
            return await super().aget_tuple(config)

        async def asettle(self) -> None:
            """Keep at once the checkpoints of runs that have ended."""
            await later.finish()

        async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
            """Keep a checkpoint, and return the configuration that names it."""
            if _never_began(config):
                return config
            _user.set(_user_of(config))
            if config["configurable"].get(LAST_WRITE):
                return await super().aput(config, checkpoint, metadata, new_versions)
            named = config["configurable"]
            make = partial(self._checkpoint, config, checkpoint, metadata, new_versions)
            if not named.get(ONE_SHOT):
                await keep_checkpoint(writes, make())
            elif not later.add(make):
                log.warning("the checkpoint of an ended run was not kept: too many wait")
            here = {
                "thread_id": named["thread_id"],
                "checkpoint_ns": named["checkpoint_ns"],
                "checkpoint_id": checkpoint["id"],
            }
            return {"configurable": here}

        def _checkpoint(
            self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any
        ) -> Checkpoint:
            """Return what is stored, in the form in which LangGraph reads it."""
            named, values = config["configurable"], checkpoint["channel_values"]
            apart = {name for name, value in values.items() if not _is_plain(value)}
            plain = {name: value for name, value in values.items() if name not in apart}
            return Checkpoint(
                operation_id=values.get("operation_id", ""),
                user_id=_user_of(config),
                thread_id=named["thread_id"],
                space=named["checkpoint_ns"],
                checkpoint_id=checkpoint["id"],
                parent_id=named.get("checkpoint_id"),
                checkpoint={**checkpoint, "channel_values": plain},
                metadata=get_serializable_checkpoint_metadata(config, metadata),
                blobs=self._dump_blobs(
                    named["thread_id"],
                    named["checkpoint_ns"],
                    {name: values[name] for name in apart},
                    {name: new for name, new in new_versions.items() if name in apart},
                ),
            )

        async def aput_writes(self, config: Any, *given: Any, **named: Any) -> None:
            """Keep what a step has written before its checkpoint."""
            if _never_began(config):
                return
            _user.set(_user_of(config))
            await super().aput_writes(config, *given, **named)

    def _never_began(config: Any) -> bool:
        start: asyncio.Future[Any] | None = config["configurable"].get(BEGINS)
        return start is not None and (start.cancelled() or not start.done())

    try:
        async with _open_pool(url) as pool:
            saver = RunSaver(pool)
            yield saver
            await saver.asettle()
    finally:
        writes.close()


def _open_pool(url: str) -> "AsyncConnectionPool[Any]":
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    return AsyncConnectionPool(
        conninfo(url),
        min_size=0,
        max_size=CONNECTIONS,
        timeout=5.0,
        max_waiting=50,
        open=False,
        check=_check_alive,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "row_factory": dict_row,
            "options": UTC_OPTIONS,
        },
    )


def _user_of(config: Any) -> str:
    """Return whose run a configuration is of: `agent.run` has written it there."""
    user_id: str = config["metadata"]["user_id"]
    return user_id


def _is_plain(value: Any) -> bool:
    """Tell whether LangGraph keeps a channel's value in the checkpoint itself."""
    return value is None or isinstance(value, str | int | float | bool)


async def _check_alive(connection: Any) -> None:
    """Raise OperationalError where an idle connection has ended."""
    from psycopg import OperationalError

    if not is_alive(connection):
        raise OperationalError("the server has ended this connection")
