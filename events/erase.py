"""Forget a user: in PostgreSQL, and in every file of the lake.

The events are found by `user_id` (and those about the user's own row by `entity_id`) while the user
is still there: deleting the user alone sets `user_id` to NULL, and nothing leads to them any more.
So one transaction deletes both and freezes the batches that held them again; any sink can finish
the rest, should this process die.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy import Engine

from db import erasure, manifest
from db.failpoints import hit
from events.care import open_care, refuse_lost_lake
from events.compact import finish_interrupted
from events.lake import Lake, batch_path
from events.sink import LEASE, store

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ErasureReport:
    """How many events and checkpoints went, and which files were rewritten without the events."""

    events: int
    files: tuple[str, ...]
    checkpoints: int


def erase_user(engine: Engine, lake: Lake, *, user_id: str) -> ErasureReport:
    """Delete a user with all their rows and events, and rewrite the files that held these.

    The files keep their names, and the rows of others; one may be left with no rows. The quarantine
    is emptied: nobody can tell what a damaged file holds. A user who is gone is no error. Raises
    LakeBusy, LakeUnavailable (also, with nothing changed, where the lake has none of the files that
    it should: the user's rows are elsewhere) or sqlalchemy's DBAPIError.
    """
    with open_care(engine):
        refuse_lost_lake(engine, lake)
        finish_interrupted(engine, lake)
        for path in lake.quarantined():
            lake.remove(path)
        with engine.begin() as connection:
            checkpoints = erasure.delete_checkpoints(connection, user_id)
            events, held = manifest.erase_user(connection, user_id, lease=LEASE)
            checkpoints += erasure.delete_checkpoints(connection, user_id)  # come meanwhile
        hit("erase.rows_gone")
        for batch in held:
            store(engine, lake, batch=batch)
    files = tuple(sorted(str(batch_path(batch)) for batch in held))
    log.info("lake.user_erased", events=events, files=len(files))
    return ErasureReport(events=events, files=files, checkpoints=checkpoints)
