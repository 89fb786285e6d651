"""`/v1/memory`: by which texts the learner's things are found, and that they can be forgotten."""

from typing import Annotated

from fastapi import Path, Query

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.problems import problems
from api.routes.search import EntityType
from tools import memory
from tools.memory import MemoryPage

router = make_router("/v1/memory", tag="memory")


@router.get("")
async def list_memory(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    entity_type: Annotated[
        list[EntityType] | None, Query(description="Kinds of things; all, if none is named")
    ] = None,
) -> MemoryPage:
    """List what search and the agent can find of yours."""
    return await memory.list_memory(
        tools, entity_types=entity_type or (), limit=limit, cursor=cursor
    )


@router.delete("/{entity_type}/{entity_id}", status_code=204, responses=problems(404, 409))
async def forget(
    entity_type: Annotated[EntityType, Path(description="Kind of thing")],
    entity_id: EntityId,
    tools: Tools,
) -> None:
    """Let a thing not be found by its text any more; it stays, until its text changes."""
    await memory.forget(tools, entity_type, entity_id)
