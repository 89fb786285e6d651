"""The RAG tools: one owner's goals, tasks, courses and code, nearest first.

The owner is bound by the context, never an argument: a model can be talked into anything.
"""

from dataclasses import dataclass
from typing import Final

from db.embeddings import Embeddings
from tools.context import ToolContext
from tools.errors import InputError
from tools.indexing import CODE_SNAPSHOT, ENTITY_TYPES, GOAL, TASK

MAX_QUERY_CHARACTERS: Final = 2_000
MAX_LIMIT: Final = 100


@dataclass(frozen=True)
class Hit:
    """A found entity; `score` is the cosine similarity, -1 to 1; `title` is its first line."""

    entity_type: str
    entity_id: str
    title: str
    content: str
    score: float


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first, and how they were found."""

    hits: tuple[Hit, ...]
    mode: str


async def search_goals(tools: ToolContext, query: str, *, limit: int = 5) -> SearchResult:
    """Find the learner's own goals that are close to `query`."""
    return await search_everything(tools, query, limit=limit, entity_types=(GOAL,))


async def search_tasks(tools: ToolContext, query: str, *, limit: int = 5) -> SearchResult:
    """Find the learner's own tasks that are close to `query`."""
    return await search_everything(tools, query, limit=limit, entity_types=(TASK,))


async def search_code(tools: ToolContext, query: str, *, limit: int = 5) -> SearchResult:
    """Find code that the learner submitted earlier and that is close to `query`."""
    return await search_everything(tools, query, limit=limit, entity_types=(CODE_SNAPSHOT,))


async def search_everything(
    tools: ToolContext,
    query: str,
    *,
    limit: int = 10,
    entity_types: tuple[str, ...] | None = None,
) -> SearchResult:
    """Find the learner's own goals, tasks, courses and code that are close to `query`.

    Raises InputError for an empty or overlong query, a limit outside 1 to 100 or an unknown type.
    """
    wanted = entity_types or ENTITY_TYPES
    _check(query, limit, wanted)

    vector = await tools.embedder.embed_query(query)
    rows = await Embeddings(tools.session, tools.user_id).nearest(
        vector, model=tools.embedder.model, entity_types=wanted, limit=limit
    )
    hits = tuple(
        Hit(
            entity_type=row.entity_type,
            entity_id=row.entity_id,
            title=row.content.split("\n", 1)[0],
            content=row.content,
            score=round(1.0 - row.distance, 4),
        )
        for row in rows
    )
    return SearchResult(hits=hits, mode="dense")


def _check(query: str, limit: int, entity_types: tuple[str, ...]) -> None:
    if not query.strip():
        raise InputError("the query is empty")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise InputError(f"the query is longer than {MAX_QUERY_CHARACTERS} characters")
    if not 1 <= limit <= MAX_LIMIT:
        raise InputError(f"the limit must be between 1 and {MAX_LIMIT}")
    unknown = sorted(set(entity_types) - set(ENTITY_TYPES))
    if unknown:
        raise InputError(f"unknown type {unknown[0]}: known are {', '.join(ENTITY_TYPES)}")
