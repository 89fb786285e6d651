"""`/v1/courses`."""

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
from db.courses import CourseFilter
from db.enums import CourseStatus
from tools import courses
from tools.schemas import CourseIn, CourseOut, CoursePage, CoursePatch
from tools.texts import Moment

router = make_router("/v1/courses", tag="courses")

Sort = Literal[
    "-created_at", "created_at", "-updated_at", "updated_at", "title", "-title",
    "-progress_percentage", "progress_percentage",
]  # fmt: skip


@router.post(
    "", status_code=201, response_model=CourseOut, responses=CREATED, openapi_extra=IDEMPOTENT
)
async def create_course(course: CourseIn, tools: Tools, request: Request) -> Response:
    """Make a course."""
    created = await courses.create_course(tools, course)
    return represent(request, created, status=201, location=f"/v1/courses/{created.id}")


@router.get("", response_model=CoursePage)
async def list_courses(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    sort: Annotated[Sort, Query(description="With a minus: descending")] = "-created_at",
    status: Annotated[
        list[CourseStatus] | None, Query(description="Courses in such a state only")
    ] = None,
    created_from: Annotated[Moment | None, Query(description="Made then or later")] = None,
    created_before: Annotated[Moment | None, Query(description="Made before")] = None,
) -> Response:
    """List your courses, newest first unless you `sort` them otherwise."""
    wanted = CourseFilter(
        statuses=status or (), created_from=created_from, created_before=created_before
    )
    return page(
        await courses.list_courses(tools, limit=limit, cursor=cursor, wanted=wanted, sort=sort)
    )


@router.get("/{course_id}", response_model=CourseOut, responses=READ, openapi_extra=VERSIONED_READ)
async def get_course(course_id: EntityId, tools: Tools, request: Request) -> Response:
    """Read a course."""
    return represent(request, await courses.get_course(tools, course_id))


@router.patch(
    "/{course_id}",
    response_model=CourseOut,
    responses=CHANGED,
    openapi_extra=merge_patch_body(CoursePatch),
)
async def update_course(
    course_id: EntityId, patch: CoursePatch, tools: Tools, request: Request
) -> Response:
    """Change the given fields of a course; the progress of one with goals follows them."""
    changed = await courses.update_course(tools, course_id, patch, if_match=if_match(request))
    return represent(request, changed)


@router.delete("/{course_id}", status_code=204, responses=DELETED, openapi_extra=VERSIONED_DELETE)
async def delete_course(course_id: EntityId, tools: Tools, request: Request) -> None:
    """Delete a course; its goals stay."""
    await courses.delete_course(tools, course_id, if_match=if_match(request))
