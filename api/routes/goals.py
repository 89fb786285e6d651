"""`/v1/goals`, but for what the agent does there."""

from typing import Annotated

from fastapi import Query, Response

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.problems import problems
from db.enums import GoalStatus
from tools import goals, next_task
from tools.schemas import GoalIn, GoalOut, GoalPage, GoalPatch, NextTaskOut
from tools.texts import Id

router = make_router("/v1/goals", tag="goals")


@router.post("", status_code=201, responses=problems(404, 409, 413))
async def create_goal(goal: GoalIn, tools: Tools, response: Response) -> GoalOut:
    """Make a goal."""
    created = await goals.create_goal(tools, goal)
    response.headers["Location"] = f"/v1/goals/{created.id}"
    return created


@router.get("")
async def list_goals(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    status: GoalStatus | None = None,
    course_id: Annotated[Id | None, Query(description="Goals of this course only")] = None,
) -> GoalPage:
    """List your goals, newest first."""
    return await goals.list_goals(
        tools, limit=limit, cursor=cursor, status=status, course_id=course_id
    )


@router.get("/{goal_id}", responses=problems(404))
async def get_goal(goal_id: EntityId, tools: Tools) -> GoalOut:
    """Read a goal."""
    return await goals.get_goal(tools, goal_id)


@router.get("/{goal_id}/next", responses=problems(404))
async def find_next_task(goal_id: EntityId, tools: Tools) -> NextTaskOut:
    """Find the task to do now: what it needs is done, then by priority."""
    return await next_task.find_next_task(tools, goal_id)


@router.patch("/{goal_id}", responses=problems(404, 409, 413))
async def update_goal(goal_id: EntityId, patch: GoalPatch, tools: Tools) -> GoalOut:
    """Change the given fields of a goal; a criterion whose text stays keeps its id."""
    return await goals.update_goal(tools, goal_id, patch)


@router.delete("/{goal_id}", status_code=204, responses=problems(404, 409))
async def delete_goal(goal_id: EntityId, tools: Tools) -> None:
    """Delete a goal with its tasks and their code."""
    await goals.delete_goal(tools, goal_id)
