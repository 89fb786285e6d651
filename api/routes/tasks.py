"""`/v1/tasks`, but for what the agent does there."""

from typing import Annotated

from fastapi import Query, Response

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.problems import problems
from db.enums import TaskStatus
from tools import tasks
from tools.schemas import TaskIn, TaskOut, TaskPage, TaskPatch
from tools.texts import Id

router = make_router("/v1/tasks", tag="tasks")


@router.post("", status_code=201, responses=problems(404, 409, 413))
async def create_task(task: TaskIn, tools: Tools, response: Response) -> TaskOut:
    """Make a task."""
    created = await tasks.create_task(tools, task)
    response.headers["Location"] = f"/v1/tasks/{created.id}"
    return created


@router.get("")
async def list_tasks(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    status: TaskStatus | None = None,
    goal_id: Annotated[Id | None, Query(description="Tasks of this goal only")] = None,
) -> TaskPage:
    """List your tasks, newest first."""
    return await tasks.list_tasks(tools, limit=limit, cursor=cursor, status=status, goal_id=goal_id)


@router.get("/{task_id}", responses=problems(404))
async def get_task(task_id: EntityId, tools: Tools) -> TaskOut:
    """Read a task."""
    return await tasks.get_task(tools, task_id)


@router.patch("/{task_id}", responses=problems(404, 409, 413))
async def update_task(task_id: EntityId, patch: TaskPatch, tools: Tools) -> TaskOut:
    """Change the given fields of a task; its goal's progress follows."""
    return await tasks.update_task(tools, task_id, patch)


@router.delete("/{task_id}", status_code=204, responses=problems(404, 409))
async def delete_task(task_id: EntityId, tools: Tools) -> None:
    """Delete a task and its code."""
    await tasks.delete_task(tools, task_id)
