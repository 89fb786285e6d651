"""How well the search finds: the set goes through the product's own index and search.

`python -m evals.retrieval` prints the report as JSON, measured with the recorded vectors of the
local embedding model in a PostgreSQL of its own; nothing leaves the machine.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Final, Protocol

from db.engine import Sessions
from evals.database import open_empty_database
from evals.estimates import Estimate, estimate, paired_difference
from evals.retrieval import ranking
from evals.retrieval.cases import MAIN, OTHER, Query, RetrievalSet, load_retrieval_set
from tools.backfill import Filler
from tools.context import ToolContext
from tools.embedders import Embedder
from tools.indexing import index_entity
from tools.users import get_or_create_user

K: Final = 10
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE: Final = "evals"
BATCH: Final = 64
"""Documents of a transaction, and texts embedded at once."""


class Searcher(Protocol):
    """A way to search, under the name that its figures go by."""

    @property
    def mode(self) -> str:
        """Return the name."""

    async def search(self, tools: ToolContext, query: str, *, limit: int) -> Sequence[str]:
        """Return the ids of what was found, best first."""


@dataclass(frozen=True)
class Scored:
    """One query's answer and what each metric says of it."""

    query_id: str
    found: tuple[str, ...]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class ModeReport:
    """One mode's figures: group of queries → metric → estimate, and every single query."""

    mode: str
    groups: Mapping[str, Mapping[str, Estimate]]
    queries: tuple[Scored, ...]


@dataclass(frozen=True)
class Comparison:
    """One mode minus another on the same queries: group → metric → estimate."""

    mode: str
    minus: str
    groups: Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True)
class RetrievalReport:
    """What was measured on what; no times, so two runs of one program give the same."""

    embedding_model: str
    documents: int
    modes: tuple[ModeReport, ...]
    comparisons: tuple[Comparison, ...]

    def as_json(self) -> str:
        """Return the report as indented JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)


async def measure(
    sessions: Sessions, cases: RetrievalSet, *, embedder: Embedder, searchers: Sequence[Searcher]
) -> RetrievalReport:
    """Index `cases` into an empty, migrated database and search it in every mode."""
    users = await index_documents(sessions, cases, embedder=embedder)
    answers: dict[str, list[Scored]] = {searcher.mode: [] for searcher in searchers}
    async with open_tools(sessions, users[MAIN], embedder=embedder) as tools:
        for query in cases.queries:
            for searcher in searchers:
                found = await searcher.search(tools, query.text, limit=K)
                answers[searcher.mode].append(score(query, found, foreign=cases.foreign))

    groups = group_queries(cases)
    return RetrievalReport(
        embedding_model=embedder.model,
        documents=len(cases.documents),
        modes=tuple(
            ModeReport(mode, _by_group(groups, scored), tuple(scored))
            for mode, scored in answers.items()
        ),
        comparisons=tuple(
            Comparison(ours, theirs, _compare(groups, answers[ours], answers[theirs]))
            for theirs, ours in combinations(answers, 2)
        ),
    )


def score(query: Query, found: Sequence[str], *, foreign: frozenset[str]) -> Scored:
    """Return what each metric that applies to `query` says of its answer."""
    scores = {"no_foreign_row": ranking.no_foreign_row(found, foreign)}
    if query.relevant:
        scores |= {
            "ndcg_at_10": ranking.ndcg_at(K, found, query.relevant),
            "recall_at_10": ranking.recall_at(K, found, query.relevant),
            "mrr": ranking.reciprocal_rank(found, query.relevant),
            "answered_when_something": ranking.answered_when_something(found),
        }
    else:
        scores["rejected_when_nothing"] = ranking.rejected_when_nothing(found)
    return Scored(query.id, tuple(found), scores)


def group_queries(cases: RetrievalSet) -> dict[str, frozenset[str]]:
    """Return the ids of the queries of each group that the report tells apart."""
    groups: dict[str, set[str]] = {"all": set()}
    for query in cases.queries:
        names = ["all", f"slice: {query.slice}", f"slice: {query.slice}, {query.language}"]
        if query.relevant:
            crossing = cases.crosses_languages(query)
            names += [f"language: {query.language}", f"crossing: {'yes' if crossing else 'no'}"]
        for name in names:
            groups.setdefault(name, set()).add(query.id)
    return {name: frozenset(groups[name]) for name in sorted(groups)}


def _by_group(
    groups: Mapping[str, frozenset[str]], scored: Sequence[Scored]
) -> dict[str, dict[str, Estimate]]:
    return {
        group: {metric: estimate(values) for metric, values in _columns(ids, scored).items()}
        for group, ids in groups.items()
    }


def _compare(
    groups: Mapping[str, frozenset[str]], ours: Sequence[Scored], theirs: Sequence[Scored]
) -> dict[str, dict[str, Estimate]]:
    return {
        group: {
            metric: paired_difference(values, _columns(ids, theirs)[metric])
            for metric, values in _columns(ids, ours).items()
        }
        for group, ids in groups.items()
    }


def _columns(ids: frozenset[str], scored: Sequence[Scored]) -> dict[str, list[float]]:
    """Return each metric's values over the queries of `ids` that it applies to, in order."""
    columns: dict[str, list[float]] = {}
    for each in scored:
        if each.query_id in ids:
            for metric, value in each.scores.items():
                columns.setdefault(metric, []).append(value)
    return columns


async def index_documents(
    sessions: Sessions, cases: RetrievalSet, *, embedder: Embedder
) -> dict[str, str]:
    """Store every document as its owner's and return the ids of the owners' accounts."""
    users: dict[str, str] = {}
    for owner in (MAIN, OTHER):
        async with sessions.begin() as session:
            user = await get_or_create_user(session, username=owner, now=NOW, source=SOURCE)
        users[owner] = user.id
        owned = [document for document in cases.documents if document.owner == owner]
        for start in range(0, len(owned), BATCH):
            async with open_tools(sessions, user.id, embedder=embedder) as tools:
                for document in owned[start : start + BATCH]:
                    await index_entity(
                        tools,
                        entity_type=document.type,
                        entity_id=document.id,
                        text=document.text,
                    )
    await Filler(sessions, embedder, texts_a_call=BATCH).fill()
    return users


@asynccontextmanager
async def open_tools(
    sessions: Sessions, user_id: str, *, embedder: Embedder
) -> AsyncIterator[ToolContext]:
    """Yield the tools of a transaction of that learner."""
    async with sessions.begin() as session:
        yield ToolContext(
            session=session, user_id=user_id, embedder=embedder, now=NOW, source=SOURCE
        )


async def measure_offline(
    searchers: Sequence[Searcher], embedder: Embedder, *, cases: RetrievalSet | None = None
) -> RetrievalReport:
    """Measure `searchers` on the whole set with an embedded PostgreSQL."""
    async with open_empty_database() as sessions:
        return await measure(
            sessions, cases or load_retrieval_set(), embedder=embedder, searchers=searchers
        )
