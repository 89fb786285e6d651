"""A course as the agent's state and prompts carry it."""

from agent.sources import NOTHING
from agent.state import Json
from tools.context import ToolContext
from tools.courses import get_course


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


def course_line(course: Json | None) -> str:
    """Return a course in one line, or a dash."""
    if course is None:
        return NOTHING
    technologies = ", ".join(str(name) for name in course["technologies"])
    parts = [course["title"], course["description"] or "", technologies]
    return ". ".join(part for part in parts if part) + f" ({course['progress']:.0f} %)"
