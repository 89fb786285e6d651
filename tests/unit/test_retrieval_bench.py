"""The parts of `goals bench retrieval` that measure nothing: owners, vectors, recall, goals."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from api.retrieval_bench.goals import GOALS, WORDS
from api.retrieval_bench.owners import (
    Corpus,
    Matrix,
    Query,
    draw_owners,
    find_nearest,
    make_corpus,
    owner_sizes,
    read_sentences,
)
from api.retrieval_bench.plan import SECTIONS
from api.retrieval_bench.rounds import judge
from db.models import EMBEDDING_DIMENSIONS
from events.bench.plan import read_sections
from tools.indexing import ENTITY_TYPES


def embed(sentences: Sequence[str]) -> Matrix:
    return np.eye(len(sentences), EMBEDDING_DIMENSIONS, dtype=np.float32)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return make_corpus(3_000, 40, real_rows=30, embed=embed)


def best_of(corpus: Corpus, query: Query) -> list[int]:
    """Return the ten best rows of the query's owner by a sort of them all."""
    numbers = corpus.rows_of(query, typed=False)
    similarities = corpus.vectors[numbers] @ query.vector
    return [int(number) for number in numbers[np.argsort(-similarities)][:10]]


@pytest.mark.parametrize("rows", [100, 2_000, 100_000])
def test_owners_have_all_rows_and_none_has_fewer_than_five(rows: int) -> None:
    sizes = owner_sizes(rows)

    assert sum(sizes) == rows
    assert min(sizes) >= 5
    assert sizes[0] == rows // 5


def test_a_hundred_thousand_rows_have_owners_on_both_sides_of_every_bound() -> None:
    sizes = owner_sizes(100_000)

    assert sizes[0] == 20_000
    assert sum(size > 4_000 for size in sizes) == 3
    assert sum(1_000 < size <= 4_000 for size in sizes) >= 5
    assert sum(size <= 100 for size in sizes) > 3_000


def test_queries_come_from_owners_of_every_size() -> None:
    sizes = np.array(owner_sizes(100_000))

    owners = draw_owners(np.random.default_rng(1), sizes, count=200)

    classes = Counter(np.searchsorted((20, 100, 1_000, 4_000), sizes[owners]).tolist())
    assert len(owners) == 200
    assert min(classes[number] for number in range(5)) >= 20


def test_queries_by_learner_come_from_each_as_likely_as_from_another() -> None:
    made = make_corpus(3_000, 200, real_rows=0, embed=embed)

    sizes = made.sizes[[query.owner for query in made.learner_queries]]

    assert len(sizes) == 200
    assert np.median(sizes) == np.median(made.sizes)
    assert np.mean(sizes) < np.mean(made.sizes[[query.owner for query in made.queries]])


def test_vectors_have_length_one_and_those_of_a_topic_are_near(corpus: Corpus) -> None:
    largest = corpus.vectors[: corpus.starts[1]]
    similarities = (largest @ largest.T)[np.triu_indices(len(largest), k=1)]

    assert np.linalg.norm(corpus.vectors, axis=1) == pytest.approx(1, abs=1e-4)
    assert 0.05 < float(np.median(similarities)) < 0.2
    assert float(np.percentile(similarities, 97)) > 0.4


def test_one_owner_has_the_real_sentences(corpus: Corpus) -> None:
    sentences = read_sentences()[:30]

    places = [corpus.texts.index(sentence) for sentence in sentences]

    assert places == list(range(places[0], places[0] + 30))
    assert (
        np.flatnonzero(corpus.starts <= places[0])[-1]
        == (np.flatnonzero(corpus.starts <= places[-1])[-1])
    )
    assert corpus.vectors[places] == pytest.approx(embed(sentences))


def test_the_same_arguments_make_the_same_rows(corpus: Corpus) -> None:
    again = make_corpus(3_000, 40, real_rows=30, embed=embed)

    assert np.array_equal(corpus.vectors, again.vectors)
    assert corpus.texts == again.texts
    assert [query.text for query in corpus.queries] == [query.text for query in again.queries]


def test_the_nearest_are_those_of_the_owner_and_of_the_type_that_is_asked(corpus: Corpus) -> None:
    query = corpus.queries[0]

    nearest, many = find_nearest(corpus, query, typed=True)

    low, high = corpus.starts[query.owner], corpus.starts[query.owner + 1]
    wanted = ENTITY_TYPES.index(query.entity_type)
    assert many == min(10, int((corpus.types[low:high] == wanted).sum()))
    assert all(low <= row < high and corpus.types[row] == wanted for row in nearest)


def test_an_answer_of_the_nearest_has_full_recall_and_misses_nothing(corpus: Corpus) -> None:
    answers = [best_of(corpus, query) for query in corpus.queries]

    judged = judge(answers, corpus, typed=False)

    assert judged == {"recall": 1.0, "recall_small": 1.0, "recall_worst": 1.0, "missing": 0}


def test_rows_of_others_and_rows_that_are_left_out_lower_the_recall(corpus: Corpus) -> None:
    alone = dataclasses.replace(corpus, queries=corpus.queries[:1])
    best = best_of(corpus, corpus.queries[0])
    foreign = int(corpus.starts[corpus.queries[0].owner + 1]) % len(corpus.vectors)

    exchanged = judge([[*best[:-1], foreign]], alone, typed=False)
    shortened = judge([best[:-1]], alone, typed=False)

    share = (len(best) - 1) / len(best)
    assert [exchanged["recall"], shortened["recall"]] == pytest.approx([share, share])
    assert [exchanged["missing"], shortened["missing"]] == [0, 1]


def test_every_goal_is_of_a_way_that_is_measured() -> None:
    ways = {
        name.rpartition(".")[0] or name
        for goal in GOALS
        for name in (goal.figure, goal.over)
        if name is not None and not name.startswith("ingest")
    }

    assert ways <= set(WORDS)


def test_sections_are_chosen_by_name() -> None:
    assert read_sections(None, SECTIONS) == frozenset(SECTIONS)
    assert read_sections("search, ingest", SECTIONS) == {"search", "ingest"}
    with pytest.raises(ValueError, match="no section speed"):
        read_sections("search,speed", SECTIONS)
