"""Search in one owner's rows: by meaning (vectors), by words (full text), or by both at once.

One HNSW index serves every owner, and a filter on the owner comes after it: with many owners the
planner's own choice returns too few rows, often none. So the caller picks the path: an exact scan
behind the btree on (user_id, entity_type) for a small owner, HNSW with iterative scan for a large
one.

Words are weighed by how rare they are among the owner's own rows (BM25's inverse document
frequency; PostgreSQL's `ts_rank` has none). The two rankings are fused by reciprocal rank, the one
by words as far as it covers the query: a stray word in common must not outvote the meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

EXACT_UP_TO_ROWS: Final = 4_000
CHUNKS_AN_ENTITY: Final = 4
SMALLEST_POOL: Final = 40
RANK_OFFSET: Final = 10
BEST_SCORE: Final = 2.0 / (RANK_OFFSET + 1)

Vector = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What to search among; None and empty mean no restriction, times are aware.

    `statuses` are of goals, tasks and courses, `languages` of code and the feedback on it: what has
    no such property is not found by it.
    """

    entity_types: tuple[str, ...]
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


_COUNT_UP_TO = text("""
select count(*) from
  (select from embeddings where user_id = :user_id limit :most) as owned
""")

_ALLOWED: Final = """
allowed as materialized (
  select 'goal' as entity_type, id as entity_id
  from goals
  where user_id = :user_id and cast(:languages as text[]) is null
    and (cast(:course_id as text) is null or course_id = :course_id)
    and (cast(:goal_id as text) is null or id = :goal_id)
    and (cast(:statuses as text[]) is null or status::text = any(:statuses))
    and (cast(:since as timestamp) is null or created_at >= :since)
    and (cast(:until as timestamp) is null or created_at < :until)
  union all
  select 'task', tasks.id
  from tasks left join goals on goals.id = tasks.goal_id
  where tasks.user_id = :user_id and cast(:languages as text[]) is null
    and (cast(:course_id as text) is null or goals.course_id = :course_id)
    and (cast(:goal_id as text) is null or tasks.goal_id = :goal_id)
    and (cast(:statuses as text[]) is null or tasks.status::text = any(:statuses))
    and (cast(:since as timestamp) is null or tasks.created_at >= :since)
    and (cast(:until as timestamp) is null or tasks.created_at < :until)
  union all
  select 'course', id
  from courses
  where user_id = :user_id and cast(:languages as text[]) is null
    and cast(:goal_id as text) is null
    and (cast(:course_id as text) is null or id = :course_id)
    and (cast(:statuses as text[]) is null or status::text = any(:statuses))
    and (cast(:since as timestamp) is null or created_at >= :since)
    and (cast(:until as timestamp) is null or created_at < :until)
  union all
  select kind, code_snapshots.id
  from code_snapshots
    left join tasks on tasks.id = code_snapshots.task_id
    left join goals on goals.id = tasks.goal_id
    cross join (values ('code_snapshot'), ('ai_feedback')) as kinds (kind)
  where code_snapshots.user_id = :user_id and cast(:statuses as text[]) is null
    and (cast(:languages as text[]) is null or code_snapshots.language = any(:languages))
    and (cast(:course_id as text) is null or goals.course_id = :course_id)
    and (cast(:goal_id as text) is null or tasks.goal_id = :goal_id)
    and (cast(:since as timestamp) is null or code_snapshots.created_at >= :since)
    and (cast(:until as timestamp) is null or code_snapshots.created_at < :until)
),
"""

_OWN: Final = "user_id = :user_id and entity_type = any(:entity_types)"
_NARROW: Final = "and (entity_type, entity_id) in (select entity_type, entity_id from allowed)"

# `+ 0` keeps the planner off HNSW; a relaxed HNSW scan is sorted again. Ordering by the selected
# expression itself computes each distance once.
_EXACT: Final = "(embedding <=> :vector) + 0"
_HNSW: Final = "embedding <=> :vector"

_DENSE: Final = """
near as materialized (
  select id, entity_type, entity_id, {distance} as distance
  from embeddings
  where {own} and model = :model {narrow}
  order by distance
  limit :pool
), dense as (
  select *, row_number() over (order by distance, entity_id) as place
  from (
    select distinct on (entity_type, entity_id) *
    from near
    where distance <= :farthest
    order by entity_type, entity_id, distance, id
  ) best
)
"""

_NO_DENSE: Final = """
near as (select where false), dense as (
  select null::text as id, null::text as entity_type, null::text as entity_id,
         null::float as distance, null::bigint as place
  where false
)
"""

# A word of the query is found by any of its forms (stems of both languages, with and without its
# accents); an identifier is its parts, and itself.
_WORDS: Final = """
words as materialized (
  select distinct lower(word) as word
  from regexp_split_to_table(search_parts(:query), '\\s+') as word
), forms as materialized (
  select word, (
    select string_agg(
      '''' || replace(replace(lexeme, '\\', '\\\\'), '''', '''''') || '''', ' | '
    )
    from unnest(search_lexemes(word))
  ) as forms
  from (
    select word from words
    union
    select token
    from unnest(tsvector_to_array(to_tsvector('search_words', search_plain(:query)))) as token
    where token not in (select search_plain(word) from words)
  ) as all_words
), asked as materialized (
  select word, forms::tsquery as any_form, (
    select string_agg(form || '\\:A', ' | ') from unnest(string_to_array(forms, ' | ')) as form
  )::tsquery as in_title
  from forms
  where forms is not null
), wanted as materialized (
  select string_agg(any_form::text, ' | ')::tsquery as any_word from asked
), hits as materialized (
  select id, entity_type, entity_id, length(search) as size, word, search @@ in_title as in_title
  from wanted, embeddings join asked on search @@ any_form
  where {own} and search @@ any_word {narrow}
), rarity as materialized (
  select asked.word,
         ln(1 + (greatest(:owned, count(hits.id)) - count(hits.id) + 0.5) / (count(hits.id) + 0.5))
           as weight
  from asked left join hits using (word)
  group by asked.word
), scored as (
  select id, entity_type, entity_id,
         sum(weight * case when in_title then 1.3 else 1 end) / (1 + 0.1 * ln(min(size))) as score,
         sum(weight) / (select sum(weight) from rarity) as coverage
  from hits join rarity using (word)
  group by id, entity_type, entity_id
), worded as (
  select *, row_number() over (order by score desc, entity_id) as place
  from (
    select distinct on (entity_type, entity_id) *
    from scored
    where coverage >= :least_coverage
    order by entity_type, entity_id, score desc, id
  ) best
  order by place
  limit :pool
)
"""

_FUSED: Final = """
select embeddings.entity_type, embeddings.entity_id, chunk, content, fused.score,
       1 - distance, coverage, {more} as more, {starved} as starved
from (
  select coalesce(worded.id, dense.id) as id, distance, coverage,
         coalesce(1.0 / ({offset} + dense.place), 0)
           + coalesce(coverage / ({offset} + worded.place), 0)
           as score
  from dense full join worded using (entity_type, entity_id)
  order by score desc, distance nulls last, id
  limit :limit
) fused join embeddings using (id)
order by fused.score desc, distance nulls last, id
"""

# The pool was too small only if it is full of what may still count.
_MORE: Final = "(select count(*) = :pool and max(distance) <= :farthest from near)"

# HNSW gives up after `hnsw.max_scan_tuples`: among many owners' rows it may have met too few.
_STARVED: Final = "(select count(*) < :pool from near)"
_SAID: Final = {"more": _MORE, "starved": _STARVED}
_UNSAID: Final = {"more": "false", "starved": "false"}
_ALL_EXACT: Final = 1 << 30

# One round trip: of the two branches, the one that the owner's size closes is never executed.
_NEAREST: Final = """
with owned as materialized (
  select count(*) as up_to from
    (select from embeddings where user_id = :user_id limit :exact_up_to + 1) as counted
), near as materialized (
  (
    select entity_type, entity_id, chunk, content, {exact} as distance
    from embeddings
    where {own} and model = :model and (select up_to from owned) <= :exact_up_to
    order by distance
    limit :limit
  ) union all (
    select entity_type, entity_id, chunk, content, {hnsw} as distance
    from embeddings
    where {own} and model = :model and (select up_to from owned) > :exact_up_to
    order by distance
    limit :limit
  )
)
select near.*, (select up_to from owned) as owned from near order by distance
"""


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
        vector: Vector | None,
        *,
        model: str,
        scope: Scope,
        limit: int,
        least_similarity: float = -1.0,
        least_coverage: float = 0.0,
    ) -> list[Found]:
        """Return up to `limit` entities for `query`, best first.

        `vector` (1536 numbers, of `model`) is the query's; without it the words alone decide. What
        is less similar than `least_similarity` is not found by its meaning, and what has less of
        the query's weight than `least_coverage` not by its words.
        """
        owned = await self._count_up_to(EXACT_UP_TO_ROWS + 1)
        exact = owned <= EXACT_UP_TO_ROWS or scope.is_narrow
        statement = _statement(dense=vector is not None, exact=exact, narrow=scope.is_narrow)
        values = {
            "user_id": self._user_id,
            "query": query,
            "owned": owned,
            "limit": limit,
            "least_coverage": least_coverage,
            "entity_types": list(scope.entity_types),
        }
        if scope.is_narrow:
            values |= _bounds(scope)
        if vector is not None:
            values |= {"vector": vector, "model": model, "farthest": 1.0 - least_similarity}
        pool = max(SMALLEST_POOL, CHUNKS_AN_ENTITY * limit)
        while True:
            rows = (await self._session.execute(statement, values | {"pool": pool})).all()
            if vector is not None and not exact and (not rows or rows[0].starved):
                exact = True
                statement = _statement(dense=True, exact=True, narrow=scope.is_narrow)
                continue
            found = [_found(row) for row in rows]
            if len(found) == limit or not rows or not rows[0].more:
                return found
            pool *= 8  # a few entities with many chunks filled it

    async def nearest(
        self, vector: Vector, *, model: str, entity_types: Sequence[str], limit: int
    ) -> list[Nearest]:
        """Return the `limit` chunks nearest to `vector`, nearest first, of one model's vectors."""
        values = {
            "vector": vector,
            "user_id": self._user_id,
            "model": model,
            "limit": limit,
            "entity_types": list(entity_types),
            "exact_up_to": EXACT_UP_TO_ROWS,
        }
        rows = (await self._session.execute(_NEAREST_OF_ITS_SIZE, values)).all()
        if len(rows) < limit and (not rows or rows[0].owned > EXACT_UP_TO_ROWS):
            every = values | {"exact_up_to": _ALL_EXACT}
            rows = (await self._session.execute(_NEAREST_OF_ITS_SIZE, every)).all()
        return [Nearest(*row[:5]) for row in rows]

    async def _count_up_to(self, most: int) -> int:
        counted = await self._session.scalar(_COUNT_UP_TO, {"user_id": self._user_id, "most": most})
        return int(counted or 0)


_NEAREST_OF_ITS_SIZE: Final = text(_NEAREST.format(own=_OWN, exact=_EXACT, hnsw=_HNSW))


@cache
def _statement(*, dense: bool, exact: bool, narrow: bool) -> TextClause:
    parts = {
        "own": _OWN,
        "narrow": _NARROW if narrow else "",
        "distance": _EXACT if exact else _HNSW,
    }
    by_meaning = _DENSE.format(**parts) if dense else _NO_DENSE
    return text(
        f"with {_ALLOWED if narrow else ''}{by_meaning}, {_WORDS.format(**parts)}"
        f"{_FUSED.format(offset=RANK_OFFSET, **(_SAID if dense else _UNSAID))}"
    )


def _found(row: Any) -> Found:
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
