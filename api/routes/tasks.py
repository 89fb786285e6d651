"""`/v1/tasks`, but for what the agent does there."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.idempotency import IDEMPOTENT
from api.representations import (
    CHANGED,
    CREATED,
    DELETED,
    READ,
    VERSIONED_DELETE,
    VERSIONED_READ,
    if_match,
    merge_patch_body,
    page,
    represent,
)
from db.enums import TaskStatus, TaskType
from db.tasks import TaskFilter
from tools import tasks
from tools.schemas import TaskIn, TaskOut, TaskPage, TaskPatch
from tools.texts import Id, Moment

router = make_router("/v1/tasks", tag="tasks")

Sort = Literal[
    "-created_at", "created_at", "-updated_at", "updated_at", "-completed_at", "completed_at",
    "priority", "-priority", "title", "-title", "estimated_hours", "-estimated_hours",
]  # fmt: skip


@router.post(
    "", status_code=201, response_model=TaskOut, responses=CREATED, openapi_extra=IDEMPOTENT
)
async def create_task(task: TaskIn, tools: Tools, request: Request) -> Response:
    """Make a task."""
    created = await tasks.create_task(tools, task)
    return represent(request, created, status=201, location=f"/v1/tasks/{created.id}")


@router.get("", response_model=TaskPage)
async def list_tasks(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    sort: Annotated[
        Sort, Query(description="With a minus: descending. What has no value comes last")
    ] = "-created_at",
    status: Annotated[
        list[TaskStatus] | None, Query(description="Tasks in such a state only")
    ] = None,
    task_type: Annotated[
        list[TaskType] | None, Query(description="Tasks of such a kind only")
    ] = None,
    goal_id: Annotated[Id | None, Query(description="Tasks of this goal only")] = None,
    course_id: Annotated[Id | None, Query(description="Tasks of this course's goals only")] = None,
    created_from: Annotated[Moment | None, Query(description="Made then or later")] = None,
    created_before: Annotated[Moment | None, Query(description="Made before")] = None,
) -> Response:
    """List your tasks, newest first unless you `sort` them otherwise."""
    wanted = TaskFilter(
        statuses=status or (),
        types=task_type or (),
        goal_id=goal_id,
        course_id=course_id,
        created_from=created_from,
        created_before=created_before,
    )
    return page(await tasks.list_tasks(tools, limit=limit, cursor=cursor, wanted=wanted, sort=sort))


@router.get("/{task_id}", response_model=TaskOut, responses=READ, openapi_extra=VERSIONED_READ)
async def get_task(task_id: EntityId, tools: Tools, request: Request) -> Response:
    """Read a task."""
    return represent(request, await tasks.get_task(tools, task_id))


@router.patch(
    "/{task_id}",
    response_model=TaskOut,
    responses=CHANGED,
    openapi_extra=merge_patch_body(TaskPatch),
)
async def update_task(
    task_id: EntityId, patch: TaskPatch, tools: Tools, request: Request
) -> Response:
    """Change the given fields of a task; its goal's progress follows."""
    changed = await tasks.update_task(tools, task_id, patch, if_match=if_match(request))
    return represent(request, changed)


@router.delete("/{task_id}", status_code=204, responses=DELETED, openapi_extra=VERSIONED_DELETE)
async def delete_task(task_id: EntityId, tools: Tools, request: Request) -> None:
    """Delete a task and its code."""
    await tasks.delete_task(tools, task_id, if_match=if_match(request))
