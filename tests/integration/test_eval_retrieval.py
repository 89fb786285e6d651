"""A planted fault in the search turns the gate of the retrieval suite red."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from db import retrieval_statements
from db.engine import Sessions
from evals.gate import expect, judge
from evals.harness import run_suite
from evals.results import Results
from evals.retrieval.cases import FOLDER, MAIN, RetrievalSet, load_retrieval_set
from evals.retrieval.measure import index_documents
from evals.retrieval.modes import Fused
from evals.retrieval.suite import SUITE, search_as
from evals.suite import Model, Suite, Task, Way
from evals.vectors import FILE, RecordedEngine
from tests.eval_suites import make_toy_model
from tools.embedders import LOCAL_MODEL, Embedder
from tools.embedding_models import LocalEmbeddings

pytestmark = pytest.mark.evals

TOPICS = {"auth", "other", "none"}
WHOLE = load_retrieval_set()
FEW = RetrievalSet(
    documents=tuple(each for each in WHOLE.documents if each.topic in TOPICS),
    queries=tuple(each for each in WHOLE.queries if each.id.split("-")[1] in TOPICS),
)


async def make_suite(sessions: Sessions) -> Suite:
    """Return the suite on a few documents, which are indexed once."""
    embedder = Embedder(LOCAL_MODEL, LocalEmbeddings(RecordedEngine(FOLDER / FILE)))
    users = await index_documents(sessions, FEW, embedder=embedder)
    asked = {query.id for query in FEW.queries}

    @asynccontextmanager
    async def opened(_way: Way, _model: Model) -> AsyncIterator[Task]:
        yield search_as(users[MAIN], sessions, embedder, Fused())

    cases = [case for case in SUITE.load() if case.id in asked]
    return replace(SUITE, load=lambda: cases, open=opened)


async def found_by(suite: Suite) -> Results:
    found = await run_suite(suite, make_toy_model(), ways=["product"], note=lambda way: None)
    return Results(suites=(found.result,))


def swap(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str) -> None:
    """Write `wrong` for `right` in every statement of the search."""
    parts = {
        name: value
        for name, value in vars(retrieval_statements).items()
        if isinstance(value, str) and right in value
    }
    assert parts
    for name, value in parts.items():
        monkeypatch.setattr(retrieval_statements, name, value.replace(right, wrong))
    retrieval_statements.make_search.cache_clear()


@pytest.fixture(autouse=True)
def statements_anew() -> Iterator[None]:
    yield
    retrieval_statements.make_search.cache_clear()


@pytest.mark.parametrize(
    ("right", "wrong", "worse"),
    [
        ("embedding <=> :vector", "2 - (embedding <=> :vector)", "recall_at_10"),
        ("order by score desc", "order by score", "ndcg_at_10"),
        ("user_id = :user_id", "user_id is not null", "no_foreign_row"),
    ],
    ids=["a swapped distance", "the worst first", "everybody's rows"],
)
async def test_a_fault_in_the_search_shuts_the_gate(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, worse: str
) -> None:
    suite = await make_suite(sessions)
    before = expect(await found_by(suite), {})
    assert judge(await found_by(suite), before, suites=["retrieval"], unjudged={}) == []

    swap(monkeypatch, right, wrong)
    findings = judge(await found_by(suite), before, suites=["retrieval"], unjudged={})

    assert worse in {finding.where for finding in findings}
