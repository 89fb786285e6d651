"""Threads: the conversations of a learner, what was said in them, and that they can be deleted."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from db.checkpoints import forget_checkpoints
from db.conversation_models import Message, Thread
from db.keyset import Position
from db.threads import Messages, Threads
from tools.context import ToolContext
from tools.cursors import decode_cursor, encode_cursor
from tools.errors import NotFound, RunActive
from tools.texts import LINE

MAX_THREAD_TITLE: Final = 200
ThreadTitle = Annotated[str, Field(min_length=1, max_length=MAX_THREAD_TITLE), LINE]


class ThreadPatch(BaseModel):
    """A thread's new title; null takes it away."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"title": "Plan de SQL"}, {"title": "SQL plan"}]},
    )

    title: ThreadTitle | None


class ThreadOut(BaseModel):
    """A conversation; `updated_at` is when something was last said in it."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str | None
    created_at: datetime
    updated_at: datetime


class ThreadPage(BaseModel):
    """Threads, the last one in which something was said first; `next_cursor` is null at the end."""

    model_config = ConfigDict(frozen=True)

    items: list[ThreadOut]
    next_cursor: str | None


class MessageOut(BaseModel):
    """What was said, by whom, and in which run; positions count from 1."""

    model_config = ConfigDict(frozen=True)

    id: str
    position: int
    run_id: str | None
    role: Literal["user", "assistant"]
    content: str
    created_at: datetime


class MessagePage(BaseModel):
    """The last messages in their order; `before` leads to the ones before them, null at the first.

    It is the position that the next request names.
    """

    model_config = ConfigDict(frozen=True)

    items: list[MessageOut]
    before: int | None


async def list_threads(
    tools: ToolContext, *, limit: int = 20, cursor: str | None = None
) -> ThreadPage:
    """Return a page of the learner's threads. Raises InputError for a bad cursor."""
    found = await Threads(tools.session, tools.user_id).page(
        limit=limit + 1, after=decode_cursor(cursor)
    )
    rows, more = found[:limit], len(found) > limit
    last = Position(created_at=rows[-1].updated_at, id=rows[-1].id) if more else None
    return ThreadPage(
        items=[_out(row) for row in rows],
        next_cursor=None if last is None else encode_cursor(last),
    )


async def get_thread(tools: ToolContext, thread_id: str) -> ThreadOut:
    """Return one of the learner's threads. Raises NotFound."""
    row = await Threads(tools.session, tools.user_id).get(thread_id)
    if row is None:
        raise no_such_thread()
    return _out(row)


async def list_messages(
    tools: ToolContext, thread_id: str, *, limit: int = 50, before: int | None = None
) -> MessagePage:
    """Return the last `limit` messages of a thread, from in front of position `before`.

    Raises NotFound.
    """
    await get_thread(tools, thread_id)
    found = await Messages(tools.session, tools.user_id).of_thread(
        thread_id, limit=limit + 1, before=before
    )
    rows = found[-limit:]
    return MessagePage(
        items=[_message_out(row) for row in rows],
        before=rows[0].position if len(found) > limit else None,
    )


async def rename_thread(tools: ToolContext, thread_id: str, patch: ThreadPatch) -> ThreadOut:
    """Change a thread's title; its place in the list stays. Raises NotFound."""
    row = await Threads(tools.session, tools.user_id).rename(thread_id, title=patch.title)
    if row is None:
        raise no_such_thread()
    return _out(row)


async def delete_thread(tools: ToolContext, thread_id: str) -> None:
    """Delete a thread with its messages, its runs, what they asked, and their checkpoints.

    What runs have stored (goals, tasks) stays. Raises NotFound, and RunActive while one runs.
    """
    threads = Threads(tools.session, tools.user_id)
    if await threads.seal(thread_id) is None:
        raise no_such_thread()
    if await threads.is_active(thread_id):
        raise RunActive("a run of this thread has not ended: cancel it, or wait for it")
    await forget_checkpoints(tools.session, await threads.checkpoint_ids(thread_id))
    await threads.delete(thread_id)


def no_such_thread() -> NotFound:
    """Return the error for a thread that is missing or somebody else's."""
    return NotFound("there is no such thread")


def _out(row: Thread) -> ThreadOut:
    return ThreadOut(
        id=row.id, title=row.title, created_at=row.created_at, updated_at=row.updated_at
    )


def _message_out(row: Message) -> MessageOut:
    return MessageOut(
        id=row.id,
        position=row.position,
        run_id=row.run_id,
        role="assistant" if row.role == "assistant" else "user",
        content=row.content,
        created_at=row.created_at,
    )
