"""`/v1/courses`."""

from fastapi import Response

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.problems import problems
from db.enums import CourseStatus
from tools import courses
from tools.schemas import CourseIn, CourseOut, CoursePage, CoursePatch

router = make_router("/v1/courses", tag="courses")


@router.post("", status_code=201, responses=problems(409, 413))
async def create_course(course: CourseIn, tools: Tools, response: Response) -> CourseOut:
    """Make a course."""
    created = await courses.create_course(tools, course)
    response.headers["Location"] = f"/v1/courses/{created.id}"
    return created


@router.get("")
async def list_courses(
    tools: Tools,
    limit: Limit = 20,
    cursor: Cursor = None,
    status: CourseStatus | None = None,
) -> CoursePage:
    """List your courses, newest first."""
    return await courses.list_courses(tools, limit=limit, cursor=cursor, status=status)


@router.get("/{course_id}", responses=problems(404))
async def get_course(course_id: EntityId, tools: Tools) -> CourseOut:
    """Read a course."""
    return await courses.get_course(tools, course_id)


@router.patch("/{course_id}", responses=problems(404, 409, 413))
async def update_course(course_id: EntityId, patch: CoursePatch, tools: Tools) -> CourseOut:
    """Change the given fields of a course; `metadata` is merged."""
    return await courses.update_course(tools, course_id, patch)


@router.delete("/{course_id}", status_code=204, responses=problems(404, 409))
async def delete_course(course_id: EntityId, tools: Tools) -> None:
    """Delete a course; its goals stay."""
    await courses.delete_course(tools, course_id)
