"""What a verb works with, bound by the edge."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from db import outbox
from db.embeddings import KnownVector
from db.events import DomainEvent

if TYPE_CHECKING:
    from tools.directory import Directory
    from tools.embedders import Embedder


def _own_tables() -> "Directory":
    from tools.directory import OWN_TABLES

    return OWN_TABLES


@dataclass(frozen=True)
class ToolContext:
    """One transaction of one user.

    The edge opens it and commits it; a verb never does. `now` is fixed for the transaction.
    `directory` knows users and courses. Where the edge has a list for vectors that are `known`, it
    stores them once the transaction is over: an insert into HNSW takes longer than everything else
    that is done to a row.
    """

    session: AsyncSession
    user_id: str
    embedder: "Embedder"
    now: datetime
    source: str
    known: list[KnownVector] | None = None
    directory: "Directory" = field(default_factory=_own_tables)

    def record(self, event: DomainEvent) -> None:
        """Record `event` in this transaction as this user's."""
        outbox.record(self.session, event, user_id=self.user_id, source=self.source, at=self.now)


OpenTools = Callable[[], AbstractAsyncContextManager[ToolContext]]
"""Open a transaction: `async with open_tools() as tools:` commits at the end, or rolls back."""
