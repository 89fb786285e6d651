"""`/v1/search`."""

from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import BaseModel

from api.deps import Limit, Tools, make_router
from db.enums import CourseStatus, GoalStatus, TaskStatus
from db.retrieval import Scope
from tools.indexing import ENTITY_TYPES
from tools.search import MAX_QUERY_CHARACTERS, Hit, SearchMode, search_everything
from tools.texts import Id, Language, Moment, Text

MAX_SNIPPET: Final = 500

EntityType = Literal["goal", "task", "course", "code_snapshot", "ai_feedback"]
SearchText = Annotated[
    Text,
    Query(
        min_length=1,
        max_length=MAX_QUERY_CHARACTERS,
        description="What to look for, in any language",
        examples=["autenticación con JWT", "loops that never end"],
    ),
]

Status = GoalStatus | TaskStatus | CourseStatus

router = make_router("/v1/search", tag="search")


class SearchHit(BaseModel):
    """Something found; `snippet` is how its best part begins.

    `score` is 1.0 where meaning and words agree on the first place; `similarity` is the cosine (-1
    to 1), `coverage` how much of the query its words have (0 to 1); either is null where it did not
    find this.
    """

    entity_type: EntityType
    entity_id: str
    title: str
    snippet: str
    score: float
    similarity: float | None
    coverage: float | None


class SearchOut(BaseModel):
    """What was found, best first; no hits: nothing of yours has to do with it.

    `mode` is `fused` (by meaning and by words), or `text` where the embedding model did not answer.
    """

    hits: list[SearchHit]
    mode: SearchMode


@router.get("")
async def search(
    tools: Tools,
    q: SearchText,
    limit: Limit = 10,
    type: Annotated[  # noqa: A002 - the parameter's name in the URL
        list[EntityType] | None, Query(description="Kinds to look among; all, if none is named")
    ] = None,
    course_id: Annotated[Id | None, Query(description="Only what belongs to this course")] = None,
    goal_id: Annotated[Id | None, Query(description="Only this goal and what is for it")] = None,
    status: Annotated[
        list[Status] | None, Query(description="Only goals, tasks and courses in such a state")
    ] = None,
    language: Annotated[
        list[Language] | None, Query(description="Only code in this language, and feedback on it")
    ] = None,
    since: Annotated[Moment | None, Query(description="Only what was made then or later")] = None,
    until: Annotated[Moment | None, Query(description="Only what was made before")] = None,
) -> SearchOut:
    """Find your goals, tasks, courses, code and the feedback on it, by meaning and by words."""
    scope = Scope(
        entity_types=tuple(type) if type else ENTITY_TYPES,
        course_id=course_id,
        goal_id=goal_id,
        statuses=tuple(str(each) for each in status or ()),
        languages=tuple(language or ()),
        since=since,
        until=until,
    )
    found = await search_everything(tools, q, limit=limit, scope=scope)
    return SearchOut(hits=[_hit(hit) for hit in found.hits], mode=found.mode)


def _hit(hit: Hit) -> SearchHit:
    return SearchHit.model_validate(
        {
            "entity_type": hit.entity_type,
            "entity_id": hit.entity_id,
            "title": hit.title,
            "snippet": hit.content[:MAX_SNIPPET],
            "score": hit.score,
            "similarity": hit.similarity,
            "coverage": hit.coverage,
        }
    )
