"""The retrieval report's tables and pictures."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.estimates import Estimate
from evals.retrieval.cases import FOLDER, RetrievalSet, load_retrieval_set
from evals.retrieval.measure import Comparison, ModeReport, RetrievalReport
from evals.retrieval.modes import make_naive
from evals.retrieval.report import make_markdown, write_report
from evals.vectors import FILE, RecordedEngine

CASES = load_retrieval_set()
FEW = RetrievalSet(documents=CASES.documents[:4], queries=CASES.queries[:2])
GROUPS = ("all", "language: en", "crossing: no", "slice: code", "slice: code, en")
PNG = b"\x89PNG"


def make_report() -> RetrievalReport:
    def groups(mean: float) -> dict[str, dict[str, Estimate]]:
        found = Estimate(mean=mean, low=mean - 0.1, high=mean + 0.1, count=7)
        return {name: {"ndcg_at_10": found, "recall_at_10": found} for name in GROUPS}

    return RetrievalReport(
        embedding_model="model-1",
        documents=4,
        modes=(ModeReport("dense", groups(0.5), ()), ModeReport("fused", groups(0.75), ())),
        comparisons=(Comparison("fused", "dense", groups(0.25)),),
    )


def make_bench() -> dict[str, Any]:
    figures = {"ours.recall": 1.0, "ours.p50": 1.5, "ours.p95": 9.0, "select_1.p50": 0.1}
    return {
        "parameters": {"rows": 1_000},
        "figures": [{"name": name, "median": value} for name, value in figures.items()],
    }


def test_the_tables_tell_each_mode_and_each_difference_with_its_interval() -> None:
    told = make_markdown(make_report()).splitlines()

    assert (
        "| fused: meaning and words | 0.750 [0.650, 0.850] | 0.750 [0.650, 0.850] |  |  |  |"
        in told
    )
    assert "| fused − dense | 0.250 [0.150, 0.350] | 0.250 [0.150, 0.350] |" in told
    assert "| code, en | 7 | 0.500 [0.400, 0.600] | 0.750 [0.650, 0.850] |" in told


def test_the_pictures_are_written_and_the_one_of_speed_needs_a_bench(tmp_path: Path) -> None:
    without = write_report(make_report(), tmp_path / "without")
    with_bench = write_report(make_report(), tmp_path / "with", bench=make_bench())

    pictures = [path for path in with_bench if path.suffix == ".png"]
    assert [path.name for path in without] == [
        "retrieval.json",
        "retrieval.md",
        "retrieval-quality.png",
    ]
    assert [path.name for path in pictures] == ["retrieval-quality.png", "retrieval-speed.png"]
    assert all(path.read_bytes().startswith(PNG) for path in pictures)


def test_the_committed_vectors_are_of_the_whole_set() -> None:
    engine = RecordedEngine(FOLDER / FILE)

    passages = engine.passage([document.text for document in CASES.documents])
    queries = engine.query([query.text for query in CASES.queries])

    assert np.linalg.norm(passages, axis=1) == pytest.approx(1, abs=1e-2)
    assert queries.shape == (len(CASES.queries), 384)


def test_the_naive_search_ranks_the_learners_own_documents_by_cosine() -> None:
    passages = np.array([[1, 0], [0, 3], [1, 1], [5, 0.1]], dtype=np.float32)
    queries = np.array([[2, 0], [0, 1]], dtype=np.float32)
    naive = make_naive(FEW, passages, queries)
    tools: Any = None

    found = asyncio.run(naive.search(tools, FEW.queries[0].text, limit=3))

    assert found == [FEW.documents[place].id for place in (0, 3, 2)]
