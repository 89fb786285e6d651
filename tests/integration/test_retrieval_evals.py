"""The runner of the retrieval set: through the product's own index and search, into a report."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from db.engine import Sessions
from evals.retrieval.cases import Query, RetrievalSet, load_retrieval_set
from evals.retrieval.measure import RetrievalReport, group_queries, measure, score
from evals.retrieval.modes import ByMeaning, ByWords, Fused
from tools.context import ToolContext
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings

WHOLE = load_retrieval_set()
TOPICS = {"auth", "other", "none"}
CASES = RetrievalSet(
    documents=tuple(each for each in WHOLE.documents if each.topic in TOPICS),
    queries=tuple(each for each in WHOLE.queries if each.id.split("-")[1] in TOPICS),
)


@dataclass(frozen=True)
class Nothing:
    """A search that never finds anything."""

    mode: str = "nothing"

    async def search(self, tools: ToolContext, query: str, *, limit: int) -> Sequence[str]:
        return []


async def report_of(sessions: Sessions) -> RetrievalReport:
    return await measure(
        sessions,
        CASES,
        embedder=Embedder(SCRIPTED_MODEL, ScriptedEmbeddings()),
        searchers=[Nothing(), ByWords(), ByMeaning(), Fused()],
    )


async def test_every_query_is_searched_and_no_foreign_row_is_found(sessions: Sessions) -> None:
    report = await report_of(sessions)

    [nothing, *searching] = report.modes
    assert [mode.mode for mode in searching] == ["text", "dense", "fused"]
    for mode in searching:
        assert [each.query_id for each in mode.queries] == [query.id for query in CASES.queries]
        assert mode.groups["all"]["no_foreign_row"].mean == 1.0
        assert mode.groups["all"]["no_foreign_row"].count == len(CASES.queries)
        assert all(len(each.found) <= 10 for each in mode.queries)
    assert nothing.groups["all"]["rejected_when_nothing"].mean == 1.0


async def test_a_search_that_finds_is_better_than_one_that_does_not(sessions: Sessions) -> None:
    report = await report_of(sessions)

    for comparison in report.comparisons[:3]:
        gain = comparison.groups["all"]
        assert comparison.minus == "nothing"
        assert gain["ndcg_at_10"].low > 0
        assert gain["rejected_when_nothing"].mean <= 0


async def test_every_mode_is_compared_with_those_before_it(sessions: Sessions) -> None:
    report = await report_of(sessions)

    assert [(each.mode, each.minus) for each in report.comparisons] == [
        ("text", "nothing"),
        ("dense", "nothing"),
        ("fused", "nothing"),
        ("dense", "text"),
        ("fused", "text"),
        ("fused", "dense"),
    ]


async def test_the_report_is_json(sessions: Sessions) -> None:
    report = await report_of(sessions)

    told = json.loads(report.as_json())

    assert told["embedding_model"] == SCRIPTED_MODEL
    assert told["modes"][1]["groups"]["all"].keys() == {
        "answered_when_something",
        "mrr",
        "ndcg_at_10",
        "no_foreign_row",
        "recall_at_10",
        "rejected_when_nothing",
    }


def test_a_query_without_an_answer_is_scored_by_what_it_rejects() -> None:
    query = Query("q-none-01", language="es", slice="none", text="paella", relevant={})

    scored = score(query, ["gol-a"], foreign=frozenset({"gol-b"}))

    assert scored.scores == {"no_foreign_row": 1.0, "rejected_when_nothing": 0.0}


@pytest.mark.parametrize("group", ["all", "crossing: yes", "language: es", "slice: typo"])
def test_queries_are_told_apart_by_language_and_slice(group: str) -> None:
    groups = group_queries(WHOLE)

    assert len(groups[group]) >= 10


def test_every_query_with_an_answer_is_in_one_language_and_crosses_or_not() -> None:
    groups = group_queries(WHOLE)

    answerable = {query.id for query in WHOLE.queries if query.relevant}
    assert groups["language: es"] | groups["language: en"] == answerable
    assert groups["crossing: yes"] | groups["crossing: no"] == answerable
    assert groups["crossing: yes"].isdisjoint(groups["crossing: no"])
