"""The retrieval suite: each query through the product's search, and through nearest vectors.

Its model is the embedding model; no chat model is asked.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any

from db.engine import Sessions
from evals.database import open_empty_database
from evals.retrieval.cases import FOLDER, MAIN, Query, RetrievalSet, load_retrieval_set
from evals.retrieval.measure import K, Searcher, index_documents, open_tools
from evals.retrieval.modes import Fused, make_naive
from evals.retrieval.ranking import (
    answered_when_something,
    ndcg_at,
    no_foreign_row,
    recall_at,
    reciprocal_rank,
    rejected_when_nothing,
)
from evals.suite import Case, Metric, Model, Outcome, Score, Suite, Task, Way, always, is_perfect
from tools.embedders import Embedder

HARD = frozenset({"identifier", "none"})
"""Slices in which a search that is right stays right: a name in the text, or nothing to find."""


@cache
def _set() -> RetrievalSet:
    return load_retrieval_set()


def load() -> Sequence[Case]:
    """Return a case for each query of the set."""
    cases = _set()
    return [_case(query, crossing=cases.crosses_languages(query)) for query in cases.queries]


@asynccontextmanager
async def open_search(way: Way, model: Model) -> AsyncIterator[Task]:
    """Yield the search of one way; the product's is over an index of its own."""
    cases = _set()
    unused: Any = None
    if way == "naive":
        engine = model.engine
        assert engine is not None, "retrieval's model is the embedding model"
        naive = make_naive(
            cases,
            engine.passage([document.text for document in cases.documents]),
            engine.query([query.text for query in cases.queries]),
        )

        async def nearest(case: Case) -> Outcome:
            return _found(await naive.search(unused, case.inputs["query"], limit=K))

        yield nearest
        return

    async with open_empty_database() as sessions:
        users = await index_documents(sessions, cases, embedder=model.embedder)
        yield search_as(users[MAIN], sessions, model.embedder, Fused())


def search_as(user_id: str, sessions: Sessions, embedder: Embedder, searcher: Searcher) -> Task:
    """Return the task that searches what that user has."""

    async def search(case: Case) -> Outcome:
        async with open_tools(sessions, user_id, embedder=embedder) as tools:
            return _found(await searcher.search(tools, case.inputs["query"], limit=K))

    return search


def _case(query: Query, *, crossing: bool) -> Case:
    return Case(
        id=query.id,
        language="es" if query.language == "es" else "en",
        slices=(query.slice, *(["other language"] if crossing else [])),
        hard=query.slice in HARD,
        inputs={"query": query.text},
        expected={"relevant": dict(query.relevant)},
    )


def _found(ids: Sequence[str]) -> Outcome:
    return Outcome(data={"found": list(ids)})


def _of_relevant(judge: Callable[[Sequence[str], dict[str, int]], float]) -> Callable[..., Score]:
    def score(case: Case, outcome: Outcome) -> Score:
        relevant = case.expected["relevant"]
        return judge(outcome.data["found"], relevant) if relevant else None

    return score


def _foreign(_case: Case, outcome: Outcome) -> Score:
    return no_foreign_row(outcome.data["found"], _set().foreign)


def _rejected(case: Case, outcome: Outcome) -> Score:
    nothing = not case.expected["relevant"]
    return rejected_when_nothing(outcome.data["found"]) if nothing else None


def _any(score: float) -> bool:
    return score > 0.0


SUITE = Suite(
    name="retrieval",
    title="Retrieval: does the search find what answers?",
    load=load,
    fixtures=FOLDER,
    open=open_search,
    at_once=4,
    measures="embeddings",
    metrics=(
        Metric(
            name="recall_at_10",
            question="Which share of all that answers is among the first ten?",
            score=_of_relevant(partial(recall_at, K)),
            tolerance=0.005,
            passes=_any,
        ),
        Metric(
            name="ndcg_at_10",
            question="Does the best answer come first?",
            score=_of_relevant(partial(ndcg_at, K)),
            tolerance=0.005,
            passes=always,
        ),
        Metric(
            name="mrr",
            question="How far up is the first exact answer?",
            score=_of_relevant(reciprocal_rank),
            tolerance=0.01,
            passes=always,
        ),
        Metric(
            name="no_foreign_row",
            question="Does nobody find what belongs to somebody else?",
            score=_foreign,
            bound=1.0,
            passes=is_perfect,
        ),
        Metric(
            name="rejected_when_nothing",
            question="Does a search that nothing answers find nothing?",
            score=_rejected,
            passes=is_perfect,
        ),
        Metric(
            name="answered_when_something",
            question="Does a search that something answers find anything?",
            score=_of_relevant(lambda found, _relevant: answered_when_something(found)),
            tolerance=0.005,
            passes=always,
        ),
    ),
)
