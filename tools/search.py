"""The RAG tools: one owner's goals, tasks, courses, code and feedback, best first.

The owner is bound by the context, never an argument: a model can be talked into anything. Each
search goes by meaning and by words at once; where the embedding model does not answer, by words
alone, and the result says so.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from db.retrieval import Found, Retrieval, Scope
from tools.context import ToolContext
from tools.errors import EmbeddingError, InputError
from tools.indexing import CODE_SNAPSHOT, ENTITY_TYPES, GOAL, TASK
from tools.logs import LazyLogger

MAX_QUERY_CHARACTERS: Final = 2_000
MAX_LIMIT: Final = 100
LEAST_COVERAGE: Final = 0.2
ENOUGH_COVERAGE: Final = 0.4
"""What has less of the query's weight in words is not found by them; and if no hit has enough of
it, and none is near by its meaning, nothing is relevant (tuned on `evals/fixtures/retrieval`)."""

SearchMode = Literal["fused", "text"]
EVERYTHING: Final = Scope(entity_types=ENTITY_TYPES)

log = LazyLogger(__name__)


@dataclass(frozen=True)
class Hit:
    """A found entity: its title (the first line) and its best chunk.

    `score` is 1.0 where meaning and words agree on the first place; `similarity` is the cosine (-1
    to 1), None where only words found it; `coverage` (0 to 1) is how much of the query's weight its
    words have, None where only its meaning is close.
    """

    entity_type: str
    entity_id: str
    title: str
    content: str
    score: float
    similarity: float | None
    coverage: float | None


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first; `mode` is `text` where the embedding model did not answer."""

    hits: tuple[Hit, ...]
    mode: SearchMode


async def search_goals(tools: ToolContext, query: str, *, limit: int = 5) -> SearchResult:
    """Find the learner's own goals for `query`."""
    return await search_everything(tools, query, limit=limit, scope=Scope(entity_types=(GOAL,)))


async def search_tasks(tools: ToolContext, query: str, *, limit: int = 5) -> SearchResult:
    """Find the learner's own tasks for `query`."""
    return await search_everything(tools, query, limit=limit, scope=Scope(entity_types=(TASK,)))


async def search_code(tools: ToolContext, query: str, *, limit: int = 5) -> SearchResult:
    """Find code that the learner submitted earlier."""
    scope = Scope(entity_types=(CODE_SNAPSHOT,))
    return await search_everything(tools, query, limit=limit, scope=scope)


async def search_everything(
    tools: ToolContext,
    query: str,
    *,
    limit: int = 10,
    scope: Scope = EVERYTHING,
    at_least: float | None = None,
) -> SearchResult:
    """Find the learner's own rows in `scope` for `query`; nothing relevant is an empty result.

    `at_least` is the cosine below which nothing is near, where it is not the embedder's own.

    Raises InputError for an empty or overlong query, a limit outside 1 to 100 or an unknown type.
    """
    _check(query, limit, scope)
    try:
        vector = await tools.embedder.embed_query(query)
    except EmbeddingError as error:
        log.warning("search.by_words_alone", reason=error.detail)
        vector = None

    asks_for_all = set(scope.entity_types) == set(ENTITY_TYPES)
    found = await Retrieval(tools.session, tools.user_id).search(
        query,
        vector,
        model=tools.embedder.model,
        scope=replace(scope, entity_types=()) if asks_for_all else scope,
        limit=limit,
        least_similarity=tools.embedder.least_similarity if at_least is None else at_least,
        least_coverage=LEAST_COVERAGE,
        own_courses=not tools.directory.is_elsewhere,
    )
    near = max((one.similarity or -1.0 for one in found), default=-1.0)
    said = max((one.coverage or 0.0 for one in found), default=0.0)
    judged = vector is not None  # words alone are all there is: they are shown
    enough = tools.embedder.best_is_at_least if at_least is None else at_least
    if judged and near < enough and said < ENOUGH_COVERAGE:
        found = []
    mode: SearchMode = "text" if vector is None else "fused"
    return SearchResult(hits=tuple(_hit(one) for one in found), mode=mode)


def _hit(found: Found) -> Hit:
    return Hit(
        entity_type=found.entity_type,
        entity_id=found.entity_id,
        title=found.content.split("\n", 1)[0],
        content=found.content,
        score=round(found.score, 4),
        similarity=None if found.similarity is None else round(found.similarity, 4),
        coverage=None if found.coverage is None else round(found.coverage, 4),
    )


def _check(query: str, limit: int, scope: Scope) -> None:
    if not query.strip():
        raise InputError("the query is empty")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise InputError(f"the query is longer than {MAX_QUERY_CHARACTERS} characters")
    if not 1 <= limit <= MAX_LIMIT:
        raise InputError(f"the limit must be between 1 and {MAX_LIMIT}")
    unknown = sorted(set(scope.entity_types) - set(ENTITY_TYPES))
    if unknown or not scope.entity_types:
        named = unknown[0] if unknown else "none"
        raise InputError(f"unknown type {named}: known are {', '.join(ENTITY_TYPES)}")
