"""`/v1/courses` where courses live elsewhere: to read, and with nothing to write."""

from typing import TYPE_CHECKING, cast

from fastapi import Request, Response

from api.deps import Cursor, EntityId, Limit, Tools, find_services, make_router
from api.representations import READ, VERSIONED_READ, represent
from db.enums import CourseStatus
from tools import courses
from tools.schemas import CourseOut, CoursePage

if TYPE_CHECKING:
    from tools.users_service import UsersService

router = make_router("/v1/courses", tag="courses")


@router.get("")
async def list_courses(
    request: Request,
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    status: CourseStatus | None = None,
) -> CoursePage:
    """List your courses, newest first, as the users' service has them."""
    service = cast("UsersService", find_services(request).directory)
    return await service.list_courses(
        tools.session, tools.user_id, limit=limit, cursor=cursor, status=status
    )


@router.get("/{course_id}", response_model=CourseOut, responses=READ, openapi_extra=VERSIONED_READ)
async def get_course(course_id: EntityId, tools: Tools, request: Request) -> Response:
    """Read a course as the users' service has it."""
    return represent(request, await courses.get_course(tools, course_id))
