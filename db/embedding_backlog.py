"""The rows that wait for a vector of the present model: pending ones, then those of other models.

Each statement commits by itself on a connection that belongs to one filler at a time (an advisory
lock of its session): between reading texts and writing their vectors no transaction is open,
however long the embedding service takes. A text that changed meanwhile keeps waiting, and a row
that got its vector meanwhile keeps it: to write it twice costs a second place in the index.
"""

import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.base import utc_now
from db.embeddings import Vectors
from db.engine import Sessions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

COUNTED_AT_MOST: Final = 100_000
LOCK_KEY: Final = 1_735_352_686
"""What the fillers of a database take in turns."""


@dataclass(frozen=True)
class WaitingRow:
    """A row to embed; `model` is the one of its vector, the empty string where it has none."""

    id: str
    content: str
    content_hash: str | None
    model: str


@dataclass(frozen=True)
class ModelRows:
    """How many rows a model has; the pending ones have the empty model."""

    model: str
    rows: int


@dataclass(frozen=True)
class BacklogDepth:
    """How much waits, pending or with a vector of another model; each stops at 100,000."""

    pending: int
    of_other_models: int


_TRY_LOCK: Final = text("select pg_try_advisory_lock(:key)")
_UNLOCK: Final = text("select pg_advisory_unlock(:key)")

# Ranges, not `<>`, and in their order: each is a walk along the index on (model, id), whatever the
# planner believes of a table that was filled or emptied just now (a `exists` read all of it).
_IS_WAITING: Final = text("""
select (select id from embeddings where model < :model order by model, id limit 1) is not null
    or (select id from embeddings where model > :model order by model, id limit 1) is not null
""")
_DEPTH: Final = text("""
select (select count(*) from (
          select from embeddings where model = '' limit :most) pending),
       (select count(*) from (
          select from embeddings where model > '' and model < :model limit :most) before)
       + (select count(*) from (
            select from embeddings where model > :model limit :most) behind)
""")
_BY_MODEL: Final = text("select model, count(*) from embeddings group by model order by model")

_TAKE: Final = """
select id, content, content_hash, model
from embeddings
where {where} and id <> all(:without) and not (created_at > :since and created_at <= :now)
order by {order}
limit :limit
"""
_TAKES: Final[Sequence[TextClause]] = tuple(
    text(_TAKE.format(where=where, order=order))
    for where, order in (
        ("model <= '' and :model > ''", "model desc, id desc"),
        ("model > '' and model < :model", "model, id"),
        ("model > :model", "model, id"),
    )
)

_WRITE: Final = text("""
update embeddings set embedding = given.vector, model = :model
from unnest(

  cast(:ids as text[]), cast(:hashes as text[]), cast(:models as text[]), cast(:vectors as vector[])
) as given (id, content_hash, model, vector)
where embeddings.id = given.id and embeddings.model = given.model
  and embeddings.content_hash is not distinct from given.content_hash
returning embeddings.id
""")


class Backlog:
    """What waits for vectors of `model`, on a connection whose statements commit one by one."""

    def __init__(self, connection: AsyncConnection, model: str) -> None:
        self._connection = connection
        self._model = model

    async def is_empty(self) -> bool:
        """Tell whether every row has a vector of this model."""
        return not await self._connection.scalar(_IS_WAITING, {"model": self._model})

    async def depth(self) -> BacklogDepth:
        """Return how much waits."""
        values = {"model": self._model, "most": COUNTED_AT_MOST}
        return BacklogDepth(*(await self._connection.execute(_DEPTH, values)).one())

    async def take(
        self,
        limit: int,
        *,
        without: Collection[str] = (),
        only_pending: bool = False,
        settled_for: timedelta = timedelta(0),
    ) -> list[WaitingRow]:
        """Return up to `limit` rows whose id is not in `without`, alike in kind.

        Pending rows, the newest first; where there are none, unless `only_pending`, those of
        another model. What was written less than `settled_for` ago is left to its writer.
        """
        now = utc_now().replace(tzinfo=None)
        values = {
            "model": self._model,
            "limit": limit,
            "without": list(without),
            "since": now - settled_for,
            "now": now,
        }
        for statement in _TAKES[:1] if only_pending else _TAKES:
            rows = (await self._connection.execute(statement, values)).all()
            if rows:
                return [WaitingRow(*row) for row in rows]
        return []

    async def write(self, rows: Sequence[WaitingRow], vectors: "Sequence[Vector]") -> int:
        """Store the vectors of rows that are as they were taken; return how many those were."""
        values: dict[str, Any] = {
            "model": self._model,
            "ids": [row.id for row in rows],
            "hashes": [row.content_hash for row in rows],
            "models": [row.model for row in rows],
            "vectors": Vectors(vectors),
        }
        return len((await self._connection.execute(_WRITE, values)).all())

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Yield True where this connection fills alone until the end, False where another does."""
        key = {"key": LOCK_KEY}
        mine = bool(await self._connection.scalar(_TRY_LOCK, key))
        try:
            yield mine
        finally:
            if mine and not self._connection.invalidated:  # its lock went with a broken connection
                await self._unlock()

    async def _unlock(self) -> None:
        try:
            await self._connection.execute(_UNLOCK, {"key": LOCK_KEY})
        except BaseException:
            await self._connection.invalidate()  # or the pool would keep it, with the lock
            raise


@contextlib.asynccontextmanager
async def open_backlog(sessions: Sessions, model: str) -> AsyncIterator[Backlog]:
    """Yield the backlog on a connection of its own from the pool of `sessions`."""
    async with sessions() as session:
        connection = await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield Backlog(connection, model)


def read_depth(connection: Connection, model: str) -> BacklogDepth:
    """Return how much waits for vectors of `model`."""
    values = {"model": model, "most": COUNTED_AT_MOST}
    return BacklogDepth(*connection.execute(_DEPTH, values).one())


def count_by_model(connection: Connection) -> list[ModelRows]:
    """Return the rows of each model, the pending ones first."""
    return [ModelRows(*row) for row in connection.execute(_BY_MODEL)]
