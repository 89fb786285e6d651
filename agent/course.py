"""A course as the agent's state and prompts carry it."""

import contextlib

from agent.context import AgentContext
from agent.sources import NOTHING
from agent.state import Json
from tools.context import ToolContext
from tools.courses import get_course
from tools.errors import NotFound, UsersUnavailable
from tools.goals import get_goal


async def load_course(tools: ToolContext, course_id: str | None) -> Json | None:
    """Return the course as JSON values, None where there is none. Raises NotFound."""
    if course_id is None:
        return None
    row = await get_course(tools, course_id)
    return {
        "id": row.id,
        "title": row.title,
        "description": row.description,
        "progress": row.progress_percentage,
        "technologies": row.metadata.get("technologies") or [],
    }


async def load_course_of_goal(tools: ToolContext, course_id: str | None) -> Json | None:
    """Return the course that a goal belongs to, None where it has none, or one that is gone."""
    try:
        return await load_course(tools, course_id)
    except NotFound:
        return None


async def meet_course(context: AgentContext, request: Json) -> None:
    """Have the course that a run is about at hand, where courses live elsewhere.

    It is asked for while no connection is held: in a transaction there is only what was asked for
    before. Whether there is such a course, and its service answered, is told by who needs it.
    """
    if not context.courses_elsewhere:
        return
    course_id, goal_id = request.get("course_id"), request.get("goal_id")
    with contextlib.suppress(NotFound, UsersUnavailable):
        if goal_id is not None:
            async with context.open_tools() as tools:
                course_id = (await get_goal(tools, goal_id)).course_id
        if course_id is not None:
            async with context.open_tools() as tools:
                await get_course(tools, course_id)


def course_line(course: Json | None) -> str:
    """Return a course in one line, or a dash."""
    if course is None:
        return NOTHING
    technologies = ", ".join(str(name) for name in course["technologies"])
    parts = [course["title"], course["description"] or "", technologies]
    return ". ".join(part for part in parts if part) + f" ({course['progress']:.0f} %)"
