"""An empty database for a suite: an embedded PostgreSQL that is gone with the block."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from api.migrations import migrate
from db.embedded import open_embedded
from db.engine import Sessions, make_engine, make_sessions


@asynccontextmanager
async def open_empty_database() -> AsyncIterator[Sessions]:
    """Yield the sessions of a migrated PostgreSQL of its own; it takes two seconds to start."""
    with (
        tempfile.TemporaryDirectory(prefix="goals-", ignore_cleanup_errors=True) as folder,
        open_embedded(Path(folder) / "pg") as url,
    ):
        migrate(url)
        engine = make_engine(url)
        try:
            yield make_sessions(engine)
        finally:
            await engine.dispose()
