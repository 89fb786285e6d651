"""What is remembered: the texts that search and the agent find a learner's things by.

To forget one leaves the thing itself as it is. It is remembered again when its text changes.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from db.events import UserUpdated
from db.memory import Memory, Remembered
from tools.context import ToolContext
from tools.cursors import decode_text, encode_text
from tools.errors import InputError, NotFound


class MemoryOut(BaseModel):
    """Something that is found by its text; `pending` of its chunks have no vector yet."""

    model_config = ConfigDict(frozen=True)

    entity_type: str
    entity_id: str
    title: str
    chunks: int
    characters: int
    pending: int
    remembered_at: datetime


class MemoryPage(BaseModel):
    """What is remembered; `next_cursor` is null at the end."""

    model_config = ConfigDict(frozen=True)

    items: list[MemoryOut]
    next_cursor: str | None


async def list_memory(
    tools: ToolContext,
    *,
    entity_types: Sequence[str] = (),
    limit: int = 20,
    cursor: str | None = None,
) -> MemoryPage:
    """Return a page of what is remembered of the learner. Raises InputError for a bad cursor."""
    found = await Memory(tools.session, tools.user_id).page(
        entity_types=entity_types, limit=limit + 1, before=_read(cursor)
    )
    rows = found[:limit]
    more = len(found) > limit
    return MemoryPage(
        items=[_out(row) for row in rows],
        next_cursor=encode_text(json.dumps([rows[-1].entity_id, rows[-1].entity_type]))
        if more
        else None,
    )


async def forget(tools: ToolContext, entity_type: str, entity_id: str) -> None:
    """Let a thing not be found by its text any more. Raises NotFound.

    The catalogue has no event for it, so USER_UPDATED says `memory`.
    """
    if not await Memory(tools.session, tools.user_id).forget(entity_type, entity_id):
        raise NotFound("nothing is remembered of this")
    tools.record(UserUpdated(user_id=tools.user_id, changed=("memory",)))


def _read(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    try:
        found = json.loads(decode_text(cursor))
    except (ValueError, RecursionError) as error:
        raise InputError("the cursor is not one that this service gave") from error
    match found:
        case [str(entity_id), str(entity_type)] if (entity_id + entity_type).isascii():
            return entity_id.replace("\0", ""), entity_type.replace("\0", "")
    raise InputError("the cursor is not one that this service gave")


def _out(row: Remembered) -> MemoryOut:
    return MemoryOut(**{**row._asdict(), "title": row.title or ""})
