"""The statements of `db/retrieval.py`, in parts.

Words are weighed by how rare they are among the owner's own rows (BM25's inverse document
frequency; PostgreSQL's `ts_rank` has none). The two rankings are fused by reciprocal rank, the one
by words as far as it covers the query: a stray word in common must not outvote the meaning.
"""

from functools import cache
from typing import Final, Literal

from db.reads import Statement, make_statement

RANK_OFFSET: Final = 10

Path = Literal["few", "many", "all"]
"""An exact scan that is not begun where the owner has more than few rows; HNSW; an exact scan."""

# How much the owner has, counted no further than it matters.
_OWNED: Final = """
owned as materialized (
  select count(*) as up_to from
    (select from embeddings where user_id = :user_id limit :most) as counted
),
"""
_OWNS_MANY: Final = "owned as (select cast(:most as bigint) as up_to),"

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
  {courses}
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

_OWN_COURSES: Final = """select 'course', id
  from courses
  where user_id = :user_id and cast(:languages as text[]) is null
    and cast(:goal_id as text) is null
    and (cast(:course_id as text) is null or id = :course_id)
    and (cast(:statuses as text[]) is null or status::text = any(:statuses))
    and (cast(:since as timestamp) is null or created_at >= :since)
    and (cast(:until as timestamp) is null or created_at < :until)"""
# Of courses that live elsewhere their text is known, and neither status nor age.
_INDEXED_COURSES: Final = """select 'course', entity_id
  from embeddings
  where user_id = :user_id and entity_type = 'course' and cast(:languages as text[]) is null
    and cast(:goal_id as text) is null
    and (cast(:course_id as text) is null or entity_id = :course_id)
    and cast(:statuses as text[]) is null
    and cast(:since as timestamp) is null and cast(:until as timestamp) is null"""

_TYPED: Final = "and entity_type = any(:entity_types)"
_NARROW: Final = "and (entity_type, entity_id) in (select entity_type, entity_id from allowed)"

_FEW: Final = "and (select up_to from owned) <= :exact_up_to"

# `+ 0` keeps the planner off HNSW, `case` off every other index, whatever it believes of the owner.
# Ordering by the selected expression itself computes each distance once.
_EXACT: Final = """
near as materialized (
  select {columns}, (embedding <=> :vector) + 0 as distance
  from embeddings
  where user_id = :user_id and model = :model {typed} {where}
  order by distance
  limit :pool
),
"""
_BY_HNSW: Final = """
near as materialized (
  select {columns}, embedding <=> :vector as distance
  from embeddings
  where case when user_id = :user_id and model = :model {typed} then true end
  order by distance
  limit :pool
),
"""

# HNSW may end far from the query, among other rows, with none of the nearest: as the index happened
# to be built, up to one search in 1,500 of owners of thousands, whatever `hnsw.ef_search` is. Some
# of the owner's rows, the first and the last in the table, tell: where one of them is nearer than
# all that was found, the search went astray.
_STRAYED: Final = """
sampled as (
  (
    select id, entity_type, model, embedding
    from embeddings
    where user_id = :user_id
    limit 100
  ) union all (
    select id, entity_type, model, embedding
    from embeddings
    where user_id between :user_id and :user_id
    order by user_id desc
    limit 100
  )
), strayed as materialized (
  select
  from sampled
  where model = :model {typed}
    and embedding <=> :vector < (select min(distance) from near)
    and id not in (select id from near)
  limit 1
),
"""

_DENSE: Final = """
dense as (
  select *, row_number() over (order by distance, entity_id) as place
  from (
    select distinct on (entity_type, entity_id) *
    from near
    where distance <= :farthest
    order by entity_type, entity_id, distance, id
  ) best
),
"""

_NO_DENSE: Final = """
dense as (
  select null::text as id, null::text as entity_type, null::text as entity_id,
         null::float as distance, null::bigint as place
  where false
),
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
    select string_agg(form || ':A', ' | ') from unnest(string_to_array(forms, ' | ')) as form
  )::tsquery as in_title
  from forms
  where forms is not null
), wanted as materialized (
  select string_agg(any_form::text, ' | ')::tsquery as any_word from asked
), hits as materialized (
  select id, entity_type, entity_id, length(search) as size, word, search @@ in_title as in_title
  from wanted, {searched} join asked on search @@ any_form
  where true {matches} {typed} {where}
), rarity as materialized (
  select asked.word,
         ln(1 + (greatest(up_to, count(hits.id)) - count(hits.id) + 0.5) / (count(hits.id) + 0.5))
           as weight
  from owned cross join asked left join hits using (word)
  group by asked.word, up_to
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

# Few rows are compared one by one sooner than GIN has found the word in everybody's. Elsewhere a
# function asks GIN: no `@@` reaches an index below row level security (migration 023).
_ONE_BY_ONE: Final = "and user_id = :user_id and case when search @@ any_word then true end"
_BY_GIN: Final = "lateral embeddings_with_words(:user_id, any_word) as embeddings"

_FUSED: Final = """
select embeddings.entity_type, embeddings.entity_id, chunk, content, fused.score,
       1 - distance, coverage, {more}, {not_here}
from owned left join (
  select coalesce(worded.id, dense.id) as id, distance, coverage,
         coalesce(1.0 / ({offset} + dense.place), 0)
           + coalesce(coverage / ({offset} + worded.place), 0)
           as score
  from dense full join worded using (entity_type, entity_id)
  order by score desc, distance nulls last, id
  limit :limit
) fused join embeddings using (id) on true
order by fused.score desc, distance nulls last, id
"""

# The pool was too small only if it is full of what may still count.
_MORE: Final = "(select count(*) = :pool and max(distance) <= :farthest from near)"

_NEAREST: Final = """
select entity_type, entity_id, chunk, content, distance, {not_here}
from owned left join near on true
order by distance
"""


# HNSW also gives up after `hnsw.max_scan_tuples`: among many owners' rows it may have met too few.
_NOT_HERE: Final[dict[Path, str]] = {
    "few": "up_to > :exact_up_to",
    "many": "((select count(*) < :pool from near) or exists (select from strayed))",
    "all": "false",
}


@cache
def make_nearest(path: Path, *, typed: bool) -> Statement:
    """Return the search by meaning on `path`; its last column says to search on the next one.

    It is among all types of entity unless it is `typed`.

    There is always a row; of its chunk all columns are null where nothing was found.
    """
    columns = "id, entity_type, entity_id, chunk, content"
    near = _owned(path) + _near(path, columns, narrow=False, typed=_TYPED if typed else "")
    said = _NEAREST.format(not_here=_NOT_HERE[path])
    return make_statement(f"with {near.rstrip().removesuffix(',')}{said}")


@cache
def make_search(
    path: Path, *, dense: bool, narrow: bool, typed: bool, own_courses: bool = True
) -> Statement:
    """Return the search by meaning, if `dense`, and by words on `path`, in all or a `narrow` scope.

    Unless they are its `own_courses` the database knows of courses only what is indexed of them.
    There is always a row, as in `make_nearest`; the last columns say whether more could be found
    with a larger pool, and whether to search on the next path.
    """
    only = _TYPED if typed else ""
    allowed = _ALLOWED.format(courses=_OWN_COURSES if own_courses else _INDEXED_COURSES)
    owned = _owned(path) + (allowed if narrow else "")
    by_meaning = owned + _NO_DENSE
    if dense:
        columns = "id, entity_type, entity_id"
        by_meaning = owned + _near(path, columns, narrow=narrow, typed=only) + _DENSE
    few = path == "few"
    words = _WORDS.format(
        typed=only,
        where=_where(path, narrow=narrow),
        searched="embeddings" if few else _BY_GIN,
        matches=_ONE_BY_ONE if few else "",
    )
    more = _MORE if dense else "false"
    said = _FUSED.format(offset=RANK_OFFSET, more=more, not_here=_NOT_HERE[path])
    return make_statement(f"with {by_meaning}{words}{said}")


def _near(path: Path, columns: str, *, narrow: bool, typed: str) -> str:
    if path == "many":
        return (_BY_HNSW + _STRAYED).format(columns=columns, typed=typed)
    where = _where(path, narrow=narrow)
    return _EXACT.format(columns=columns, typed=typed, where=where)


def _owned(path: Path) -> str:
    return _OWNS_MANY if path == "many" else _OWNED


def _where(path: Path, *, narrow: bool) -> str:
    return f"{_NARROW if narrow else ''} {_FEW if path == 'few' else ''}"
