"""Find the row that kills its sink, among thousands, without losing the others.

A batch whose holders died while they made its file is dealt out into parts, again and again, until
the poison is alone; the parts without it become files like any others. It costs a death each time,
so there are more than two parts. A batch of one that goes on killing is set aside.
"""

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import Engine

from db import quarantine
from db.batches import Batch
from events.lake import Lake, batch_path

DEATHS_TO_SPLIT: Final = 2
DEATHS_TO_SET_ASIDE: Final = 3
PARTS: Final = 8

log = structlog.get_logger(__name__)


def isolate(engine: Engine, lake: Lake, *, batch: Batch, lease: timedelta) -> list[Batch]:
    """Return what is to be written in place of `batch`, in this order, by its holder: the caller.

    That is `batch` itself as long as few died of it, and nothing where it is set aside or not the
    caller's any more. What an earlier holder staged is gone, so no name comes back with the rows
    of all; a file that it had put in place already is made an empty one before its rows are
    written elsewhere. Raises LakeUnavailable or sqlalchemy's DBAPIError.
    """
    if batch.attempts < DEATHS_TO_SPLIT:
        return [batch]
    lake.discard_earlier(batch)
    kept = 0 if lake.holds(str(batch_path(batch))) else 1
    with engine.begin() as connection:
        events = quarantine.lock(connection, batch)
        if events is None:
            return []
        if events == 0 or (events == 1 and batch.attempts < DEATHS_TO_SET_ASIDE):
            return [batch]
        if events > 1:
            parts = quarantine.split(connection, batch, parts=PARTS, kept=kept, lease=lease)
            aside = []
        else:
            parts, guilty = [], batch
            if not kept:
                *parts, guilty = quarantine.split(connection, batch, parts=1, kept=0, lease=lease)
            aside = quarantine.set_aside(connection, guilty)
    if len(parts) > 1:
        log.warning("sink.batch_split", batch=batch.id, events=events, parts=len(parts))
    for each in aside:
        log.error("sink.event_quarantined", batch=each.batch_id, event_id=each.event_id)
    return parts
