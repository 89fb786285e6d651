"""`/v1/search`."""

from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from api.deps import Limit, Tools, make_router
from api.problems import problems
from tools.search import MAX_QUERY_CHARACTERS, Hit, search_everything
from tools.texts import Text

MAX_SNIPPET: Final = 500

EntityType = Literal["goal", "task", "course", "code_snapshot"]
SearchText = Annotated[
    Text,
    Query(
        min_length=1,
        max_length=MAX_QUERY_CHARACTERS,
        description="What to look for, in any language",
        examples=["autenticación con JWT", "loops that never end"],
    ),
]

router = make_router("/v1/search", tag="search")


class SearchHit(BaseModel):
    """Something found; `score` is the cosine similarity, -1 to 1; `snippet` is how it begins."""

    entity_type: EntityType
    entity_id: str
    title: str
    snippet: str
    score: float


class SearchOut(BaseModel):
    """What was found, best first, and by which kind of search."""

    hits: list[SearchHit]
    mode: str = Field(examples=["dense"])


@router.get("", responses=problems(502))
async def search(
    tools: Tools,
    q: SearchText,
    limit: Limit = 10,
    type: Annotated[  # noqa: A002 - the parameter's name in the URL
        list[EntityType] | None, Query(description="Kinds to look among; all, if none is named")
    ] = None,
) -> SearchOut:
    """Find your goals, tasks, courses and code by meaning."""
    found = await search_everything(
        tools, q, limit=limit, entity_types=tuple(type) if type else None
    )
    return SearchOut(hits=[_hit(hit) for hit in found.hits], mode=found.mode)


def _hit(hit: Hit) -> SearchHit:
    return SearchHit.model_validate(
        {
            "entity_type": hit.entity_type,
            "entity_id": hit.entity_id,
            "title": hit.title,
            "snippet": hit.content[:MAX_SNIPPET],
            "score": hit.score,
        }
    )
