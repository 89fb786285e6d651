"""`/v1/snapshots`."""

from typing import Annotated

from fastapi import Query, Request, Response

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.idempotency import IDEMPOTENT
from api.representations import (
    CREATED,
    DELETED,
    READ,
    VERSIONED_DELETE,
    VERSIONED_READ,
    if_match,
    page,
    represent,
)
from db.snapshots import SnapshotFilter
from tools import snapshots
from tools.schemas import SnapshotIn, SnapshotOut, SnapshotPage
from tools.texts import Id, Language, Moment

router = make_router("/v1/snapshots", tag="snapshots")


@router.post(
    "", status_code=201, response_model=SnapshotOut, responses=CREATED, openapi_extra=IDEMPOTENT
)
async def create_snapshot(snapshot: SnapshotIn, tools: Tools, request: Request) -> Response:
    """Keep code without having it judged."""
    created = await snapshots.record_snapshot(tools, snapshot)
    return represent(request, created, status=201, location=f"/v1/snapshots/{created.id}")


@router.get("", response_model=SnapshotPage)
async def list_snapshots(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    task_id: Annotated[Id | None, Query(description="Code of this task only")] = None,
    language: Annotated[Language | None, Query(description="Code in this language only")] = None,
    passed: Annotated[bool | None, Query(description="Only what passed, or what did not")] = None,
    created_from: Annotated[Moment | None, Query(description="Made then or later")] = None,
    created_before: Annotated[Moment | None, Query(description="Made before")] = None,
) -> Response:
    """List your code snapshots without their code, newest first."""
    wanted = SnapshotFilter(
        task_id=task_id,
        language=language,
        passed=passed,
        created_from=created_from,
        created_before=created_before,
    )
    return page(await snapshots.list_snapshots(tools, limit=limit, cursor=cursor, wanted=wanted))


@router.get(
    "/{snapshot_id}", response_model=SnapshotOut, responses=READ, openapi_extra=VERSIONED_READ
)
async def get_snapshot(snapshot_id: EntityId, tools: Tools, request: Request) -> Response:
    """Read a code snapshot."""
    return represent(request, await snapshots.get_snapshot(tools, snapshot_id))


@router.delete("/{snapshot_id}", status_code=204, responses=DELETED, openapi_extra=VERSIONED_DELETE)
async def delete_snapshot(snapshot_id: EntityId, tools: Tools, request: Request) -> None:
    """Delete a code snapshot."""
    await snapshots.delete_snapshot(tools, snapshot_id, if_match=if_match(request))
