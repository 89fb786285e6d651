"""`/v1/threads`: the conversations, and what was said in them."""

from typing import Annotated

from fastapi import Query

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.problems import problems
from tools import threads
from tools.threads import MessagePage, ThreadOut, ThreadPage, ThreadPatch

router = make_router("/v1/threads", tag="threads")

Before = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="`before` of the page that you have")
]


@router.get("")
async def list_threads(tools: Tools, limit: Limit = 20, cursor: Cursor = None) -> ThreadPage:
    """List your threads, the last one in which something was said first."""
    return await threads.list_threads(tools, limit=limit, cursor=cursor)


@router.get("/{thread_id}", responses=problems(404))
async def get_thread(thread_id: EntityId, tools: Tools) -> ThreadOut:
    """Read a thread."""
    return await threads.get_thread(tools, thread_id)


@router.get("/{thread_id}/messages", responses=problems(404))
async def list_messages(
    thread_id: EntityId, tools: Tools, limit: Limit = 50, before: Before = None
) -> MessagePage:
    """Read the last messages of a thread, or those in front of a position."""
    return await threads.list_messages(tools, thread_id, limit=limit, before=before)


@router.patch("/{thread_id}", responses=problems(404, 409, 413))
async def rename_thread(thread_id: EntityId, patch: ThreadPatch, tools: Tools) -> ThreadOut:
    """Give a thread another title."""
    return await threads.rename_thread(tools, thread_id, patch)


@router.delete(
    "/{thread_id}",
    status_code=204,
    responses=problems(404, 409, codes={409: "RUN_ACTIVE or CONFLICT_VERSION"}),
)
async def delete_thread(thread_id: EntityId, tools: Tools) -> None:
    """Delete a thread with all that was said in it; its goals and tasks stay."""
    await threads.delete_thread(tools, thread_id)
