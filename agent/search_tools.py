"""The RAG tools in the form that a chat model calls: LangChain tools, bound to one user.

The user comes with `open_tools`; no tool has an argument for it, and what a model adds to the
arguments is refused. Descriptions are prompts: they are read with every call.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.disarm import disarm_source
from agent.token_budget import cut
from db.engine import UNAVAILABLE
from db.enums import GoalStatus, TaskStatus
from db.retrieval import Scope
from tools.context import OpenTools, ToolContext
from tools.errors import DatabaseUnavailable, GoalsError, InputError
from tools.indexing import CODE_SNAPSHOT, ENTITY_TYPES, GOAL, TASK
from tools.logs import LazyLogger
from tools.search import MAX_QUERY_CHARACTERS, SearchResult, search_everything
from tools.texts import TEXT_ERRORS, Id, Language, Moment, Text

if TYPE_CHECKING:
    from langchain_core.tools import StructuredTool

SNIPPET_TOKENS: Final = 80
TITLE_TOKENS: Final = 40
MAX_FILTERS: Final = 6

EntityType = Literal["goal", "task", "course", "code_snapshot", "ai_feedback"]
log = LazyLogger(__name__)


class SearchArguments(BaseModel):
    """What every search takes."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[Text, Field(min_length=1, max_length=MAX_QUERY_CHARACTERS)] = Field(
        description="Words or a sentence, es or en"
    )
    limit: int = Field(default=5, ge=1, le=20)


class GoalArguments(SearchArguments):
    """What `search_goals` takes."""

    course_id: Id | None = None
    status: list[GoalStatus] = Field(default_factory=list, max_length=MAX_FILTERS)


class TaskArguments(SearchArguments):
    """What `search_tasks` takes."""

    goal_id: Id | None = None
    status: list[TaskStatus] = Field(default_factory=list, max_length=MAX_FILTERS)


class CodeArguments(SearchArguments):
    """What `search_code` takes."""

    goal_id: Id | None = None
    language: list[Language] = Field(
        default_factory=list, max_length=MAX_FILTERS, description="python, javascript, …"
    )


class EverythingArguments(SearchArguments):
    """What `search_everything` takes."""

    type: list[EntityType] = Field(default_factory=list, max_length=MAX_FILTERS)
    course_id: Id | None = None
    goal_id: Id | None = None
    since: Moment | None = Field(default=None, description="ISO 8601 with zone")
    until: Moment | None = Field(default=None, description="ISO 8601 with zone")


def make_search_tools(open_tools: OpenTools) -> "list[StructuredTool]":
    """Return search_goals, search_tasks, search_code and search_everything for one user.

    Each call is a transaction of its own. A tool's content is JSON, its artifact the
    `SearchResult`; what goes wrong is content too, with a stable code and status `error`.
    """
    kinds: Sequence[tuple[str, str, type[SearchArguments], tuple[str, ...]]] = (
        ("search_goals", "Search the user's own goals.", GoalArguments, (GOAL,)),
        ("search_tasks", "Search the user's own tasks.", TaskArguments, (TASK,)),
        ("search_code", "Search code the user submitted.", CodeArguments, (CODE_SNAPSHOT,)),
        (
            "search_everything",
            "Search the user's goals, tasks, courses, code and feedback.",
            EverythingArguments,
            ENTITY_TYPES,
        ),
    )
    return [
        _make_tool(open_tools, name=name, description=description, takes=takes, among=among)
        for name, description, takes, among in kinds
    ]


def _make_tool(
    open_tools: OpenTools,
    *,
    name: str,
    description: str,
    takes: type[SearchArguments],
    among: tuple[str, ...],
) -> "StructuredTool":
    from langchain_core.tools import StructuredTool, ToolException

    async def search(**arguments: Any) -> tuple[str, SearchResult]:
        asked = takes.model_validate(arguments)
        try:
            async with open_tools() as tools:
                found = await _search(tools, asked, among)
        except GoalsError as error:
            raise ToolException(_failure(error)) from error
        except UNAVAILABLE as error:
            log.warning("search_tool.database", tool=name, reason=type(error).__name__)
            unavailable = DatabaseUnavailable("the database does not answer")
            raise ToolException(_failure(unavailable)) from error
        return _as_json(found), found

    return StructuredTool.from_function(
        coroutine=cast("Callable[..., Awaitable[Any]]", search),
        name=name,
        description=description,
        args_schema=takes,
        infer_schema=False,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=_refusal,
    )


async def _search(
    tools: ToolContext, asked: SearchArguments, among: tuple[str, ...]
) -> SearchResult:
    given = asked.model_dump(exclude={"query", "limit"})
    scope = Scope(
        entity_types=tuple(given.get("type") or among),
        course_id=given.get("course_id"),
        goal_id=given.get("goal_id"),
        statuses=tuple(str(each) for each in given.get("status") or ()),
        languages=tuple(given.get("language") or ()),
        since=given.get("since"),
        until=given.get("until"),
    )
    return await search_everything(tools, asked.query, limit=asked.limit, scope=scope)


def _as_json(found: SearchResult) -> str:
    """Return what the model reads: disarmed, and no hit longer than its share."""
    results = [
        {
            "id": hit.entity_id,
            "type": hit.entity_type,
            "title": cut(disarm_source(hit.title), TITLE_TOKENS),
            "snippet": cut(disarm_source(hit.content), SNIPPET_TOKENS),
            "score": round(hit.score, 2),
        }
        for hit in found.hits
    ]
    return _compact({"mode": found.mode, "results": results})


def _refusal(error: "ValidationError | Any") -> str:
    """Return the answer to arguments that do not fit, without repeating their values."""
    problems = error.errors(include_input=False, include_url=False)
    code = "TEXT_INVALID" if any(one["type"] in TEXT_ERRORS for one in problems) else "VALIDATION"
    fields = "; ".join(f"{_named(one['loc'])}: {one['msg']}" for one in problems[:MAX_FILTERS])
    return _failure(InputError(fields, code=code))


def _named(location: tuple[int | str, ...]) -> str:
    name = ".".join(str(part) for part in location)
    return name if name.isidentifier() and len(name) <= 40 else "argument"


def _failure(error: GoalsError) -> str:
    return _compact({"error": {"code": error.code, "detail": error.detail}})


def _compact(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
