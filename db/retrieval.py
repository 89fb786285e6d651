"""Search in one owner's rows: by meaning (vectors), by words (full text), or by both at once.

One HNSW index serves every owner, and a filter on the owner comes after it: with many owners the
planner's own choice returns too few rows, often none. So the caller picks the path: an exact scan
behind the btree on (user_id, entity_type) for a small owner, HNSW with iterative scan for a large
one, and an exact scan again where HNSW gave up or went astray.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from psycopg.rows import TupleRow
from sqlalchemy.ext.asyncio import AsyncSession

from db.reads import Rows, read
from db.retrieval_statements import RANK_OFFSET, Path, make_nearest, make_search

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

EXACT_UP_TO_ROWS: Final = 4_000
CHUNKS_AN_ENTITY: Final = 4
SMALLEST_POOL: Final = 40
BEST_SCORE: Final = 2.0 / (RANK_OFFSET + 1)
PATHS: Final[tuple[Path, ...]] = ("few", "many", "all")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What to search among; None and empty mean no restriction, times are aware.

    `statuses` are of goals, tasks and courses, `languages` of code and the feedback on it: what has
    no such property is not found by it.
    """

    entity_types: tuple[str, ...] = ()
    course_id: str | None = None
    goal_id: str | None = None
    statuses: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_narrow(self) -> bool:
        """Tell whether anything but the type restricts the search."""
        return bool(self.course_id or self.goal_id or self.statuses or self.languages) or (
            self.since is not None or self.until is not None
        )


@dataclass(frozen=True)
class Found:
    """One entity: its best chunk, and why it was found.

    `score` is 1.0 where both rankings have it first; `similarity` is the cosine (-1 to 1), None
    where only the words found it; `coverage` is how much of the query's weight its words have (0 to
    1), None where only the meaning found it.
    """

    entity_type: str
    entity_id: str
    chunk: int
    content: str
    score: float
    similarity: float | None
    coverage: float | None


@dataclass(frozen=True)
class Nearest:
    """One chunk of a search by meaning alone; `distance` is the cosine distance, 0 to 2."""

    entity_type: str
    entity_id: str
    chunk: int
    content: str
    distance: float


class Retrieval:
    """Search in one owner's rows."""

    def __init__(self, session: AsyncSession, user_id: str) -> None:
        self._session = session
        self._user_id = user_id

    async def search(
        self,
        query: str,
        vector: "Vector | None",
        *,
        model: str,
        scope: Scope,
        limit: int,
        least_similarity: float = -1.0,
        least_coverage: float = 0.0,
        own_courses: bool = True,
    ) -> list[Found]:
        """Return up to `limit` entities for `query`, best first.

        `vector` (1536 numbers, of `model`) is the query's; without it the words alone decide. What
        is less similar than `least_similarity` is not found by its meaning, and what has less of
        the query's weight than `least_coverage` not by its words. Unless they are its
        `own_courses` the database knows neither their status nor their age.
        """
        paths: tuple[Path, ...] = PATHS if vector is not None else ("few", "all")
        if scope.is_narrow:
            paths = ("all",)
        values: dict[str, Any] = {
            "user_id": self._user_id,
            "query": query,
            "most": EXACT_UP_TO_ROWS + 1,
            "exact_up_to": EXACT_UP_TO_ROWS,
            "limit": limit,
            "least_coverage": least_coverage,
            "entity_types": list(scope.entity_types),
            "vector": vector,
            "model": model,
            "farthest": 1.0 - least_similarity,
            "pool": max(SMALLEST_POOL, CHUNKS_AN_ENTITY * limit),
        }
        if scope.is_narrow:
            values |= _bounds(scope)
        rows: Rows = []
        for path in paths:
            statement = make_search(
                path,
                dense=vector is not None,
                narrow=scope.is_narrow,
                typed=bool(scope.entity_types),
                own_courses=own_courses,
            )
            while True:
                rows = await read(self._session, statement, values)
                *_, more, not_here = rows[0]
                if not_here or len(rows) == limit or not more:
                    break
                values["pool"] *= 8  # a few entities with many chunks filled it
            if not rows[0][-1]:
                break
        return [_found(row) for row in rows if row[0] is not None]

    async def nearest(
        self, vector: "Vector", *, model: str, entity_types: Sequence[str], limit: int
    ) -> list[Nearest]:
        """Return the `limit` chunks nearest to `vector`, nearest first, of one model's vectors.

        Among entities of all types where none is named.
        """
        values = {
            "vector": vector,
            "user_id": self._user_id,
            "model": model,
            "pool": limit,
            "entity_types": list(entity_types),
            "most": EXACT_UP_TO_ROWS + 1,
            "exact_up_to": EXACT_UP_TO_ROWS,
        }
        rows: Rows = []
        for path in PATHS:
            statement = make_nearest(path, typed=bool(entity_types))
            rows = await read(self._session, statement, values)
            *_, not_here = rows[0]
            if not not_here:
                break
        return [Nearest(*row[:-1]) for row in rows if row[0] is not None]


def _found(row: TupleRow) -> Found:
    entity_type, entity_id, chunk, content, score, similarity, coverage, *_ = row
    return Found(
        entity_type=entity_type,
        entity_id=entity_id,
        chunk=chunk,
        content=content,
        score=float(score) / BEST_SCORE,
        similarity=similarity,
        coverage=None if coverage is None else float(coverage),
    )


def _bounds(scope: Scope) -> dict[str, Any]:
    return {
        "course_id": scope.course_id,
        "goal_id": scope.goal_id,
        "statuses": list(scope.statuses) or None,
        "languages": list(scope.languages) or None,
        "since": _as_stored(scope.since),
        "until": _as_stored(scope.until),
    }


def _as_stored(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
