"""`/v1/snapshots`."""

from typing import Annotated

from fastapi import Query, Response

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.problems import problems
from tools import snapshots
from tools.schemas import SnapshotIn, SnapshotOut, SnapshotPage
from tools.texts import Id, Language

router = make_router("/v1/snapshots", tag="snapshots")


@router.post("", status_code=201, responses=problems(404, 409, 413))
async def create_snapshot(snapshot: SnapshotIn, tools: Tools, response: Response) -> SnapshotOut:
    """Keep code without having it judged."""
    created = await snapshots.record_snapshot(tools, snapshot)
    response.headers["Location"] = f"/v1/snapshots/{created.id}"
    return created


@router.get("")
async def list_snapshots(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    task_id: Annotated[Id | None, Query(description="Code of this task only")] = None,
    language: Annotated[Language | None, Query(description="Code in this language only")] = None,
) -> SnapshotPage:
    """List your code snapshots without their code, newest first."""
    return await snapshots.list_snapshots(
        tools, limit=limit, cursor=cursor, task_id=task_id, language=language
    )


@router.get("/{snapshot_id}", responses=problems(404))
async def get_snapshot(snapshot_id: EntityId, tools: Tools) -> SnapshotOut:
    """Read a code snapshot."""
    return await snapshots.get_snapshot(tools, snapshot_id)


@router.delete("/{snapshot_id}", status_code=204, responses=problems(404, 409))
async def delete_snapshot(snapshot_id: EntityId, tools: Tools) -> None:
    """Delete a code snapshot."""
    await snapshots.delete_snapshot(tools, snapshot_id)
