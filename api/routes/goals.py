"""`/v1/goals`, but for what the agent does there."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.idempotency import IDEMPOTENT
from api.problems import problems
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
from db.enums import GoalPriority, GoalStatus
from db.goals import GoalFilter
from tools import goals, next_task
from tools.schemas import GoalIn, GoalOut, GoalPage, GoalPatch, NextTaskOut
from tools.texts import Id, Moment

router = make_router("/v1/goals", tag="goals")

Sort = Literal[
    "-created_at", "created_at", "-updated_at", "updated_at", "due_date", "-due_date",
    "-priority", "priority", "title", "-title", "-progress_percentage", "progress_percentage",
]  # fmt: skip


@router.post(
    "", status_code=201, response_model=GoalOut, responses=CREATED, openapi_extra=IDEMPOTENT
)
async def create_goal(goal: GoalIn, tools: Tools, request: Request) -> Response:
    """Make a goal."""
    created = await goals.create_goal(tools, goal)
    return represent(request, created, status=201, location=f"/v1/goals/{created.id}")


@router.get("", response_model=GoalPage)
async def list_goals(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    sort: Annotated[
        Sort, Query(description="With a minus: descending. What has no value comes last")
    ] = "-created_at",
    status: Annotated[
        list[GoalStatus] | None, Query(description="Goals in such a state only")
    ] = None,
    priority: Annotated[
        list[GoalPriority] | None, Query(description="Goals of such a priority only")
    ] = None,
    course_id: Annotated[Id | None, Query(description="Goals of this course only")] = None,
    ai_generated: Annotated[
        bool | None, Query(description="Only those that the agent proposed, or only the others")
    ] = None,
    due_from: Annotated[Moment | None, Query(description="Due then or later")] = None,
    due_before: Annotated[Moment | None, Query(description="Due before")] = None,
    created_from: Annotated[Moment | None, Query(description="Made then or later")] = None,
    created_before: Annotated[Moment | None, Query(description="Made before")] = None,
) -> Response:
    """List your goals, newest first unless you `sort` them otherwise."""
    wanted = GoalFilter(
        statuses=status or (),
        priorities=priority or (),
        course_id=course_id,
        ai_generated=ai_generated,
        due_from=due_from,
        due_before=due_before,
        created_from=created_from,
        created_before=created_before,
    )
    return page(await goals.list_goals(tools, limit=limit, cursor=cursor, wanted=wanted, sort=sort))


@router.get("/{goal_id}", response_model=GoalOut, responses=READ, openapi_extra=VERSIONED_READ)
async def get_goal(goal_id: EntityId, tools: Tools, request: Request) -> Response:
    """Read a goal."""
    return represent(request, await goals.get_goal(tools, goal_id))


@router.get("/{goal_id}/next", responses=problems(404))
async def find_next_task(goal_id: EntityId, tools: Tools) -> NextTaskOut:
    """Find the task to do now: what it needs is done, then by priority."""
    return await next_task.find_next_task(tools, goal_id)


@router.patch(
    "/{goal_id}",
    response_model=GoalOut,
    responses=CHANGED,
    openapi_extra=merge_patch_body(GoalPatch),
)
async def update_goal(
    goal_id: EntityId, patch: GoalPatch, tools: Tools, request: Request
) -> Response:
    """Change the given fields of a goal; a criterion whose text stays keeps its id."""
    changed = await goals.update_goal(tools, goal_id, patch, if_match=if_match(request))
    return represent(request, changed)


@router.delete("/{goal_id}", status_code=204, responses=DELETED, openapi_extra=VERSIONED_DELETE)
async def delete_goal(goal_id: EntityId, tools: Tools, request: Request) -> None:
    """Delete a goal with its tasks and their code."""
    await goals.delete_goal(tools, goal_id, if_match=if_match(request))
