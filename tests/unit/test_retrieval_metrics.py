"""What an answer is worth: worked by hand, and properties that hold for every ranking."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.estimates import estimate, paired_difference
from evals.retrieval.ranking import (
    answered_when_something,
    ndcg_at,
    no_foreign_row,
    recall_at,
    reciprocal_rank,
    rejected_when_nothing,
)

NAMES = "abcdefghijklmnop"
GRADES = {"a": 2, "b": 1, "c": 1}

rankings = st.lists(st.sampled_from(NAMES), unique=True)
judgements = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 2), min_size=1)
depths = st.integers(1, 20)
scores = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def best_first(grades: Mapping[str, int]) -> list[str]:
    return sorted(grades, key=lambda name: -grades[name])


def test_recall_is_the_share_of_the_relevant_that_was_found() -> None:
    ranked = ["x", "a", "y", "c", "b"]

    assert recall_at(4, ranked, GRADES) == pytest.approx(2 / 3)


def test_ndcg_discounts_a_grade_by_the_logarithm_of_its_rank() -> None:
    ranked = ["x", "a", "b"]

    found = 2 / math.log2(3) + 1 / math.log2(4)
    ideal = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg_at(10, ranked, GRADES) == pytest.approx(found / ideal)
    assert ndcg_at(10, ranked, GRADES) == pytest.approx(0.562727, abs=1e-6)


def test_ndcg_at_one_asks_for_the_best_grade_first() -> None:
    assert ndcg_at(1, ["b", "a"], GRADES) == 0.5


def test_the_reciprocal_rank_counts_to_the_first_exact_answer() -> None:
    ranked = ["x", "b", "y", "a"]

    assert reciprocal_rank(ranked, GRADES) == 1 / 4
    assert reciprocal_rank(ranked, GRADES, at_least=1) == 1 / 2


def test_an_entity_that_is_ranked_twice_gains_once() -> None:
    assert ndcg_at(10, ["a", "a", "a"], {"a": 2, "b": 1}) == ndcg_at(10, ["a"], {"a": 2, "b": 1})
    assert recall_at(10, ["a", "a"], {"a": 2, "b": 1}) == 0.5


def test_a_foreign_row_spoils_the_answer() -> None:
    assert no_foreign_row(["a", "z"], {"z"}) == 0.0
    assert no_foreign_row(["a", "b"], {"z"}) == 1.0
    assert no_foreign_row([], {"z"}) == 1.0


def test_nothing_is_the_right_answer_where_nothing_is_relevant() -> None:
    assert rejected_when_nothing([]) == 1.0
    assert rejected_when_nothing(["a"]) == 0.0


def test_nothing_is_the_wrong_answer_where_something_is_relevant() -> None:
    assert answered_when_something([]) == 0.0
    assert answered_when_something(["x"]) == 1.0


@pytest.mark.parametrize("grades", [{}, {"a": 0}])
def test_without_anything_relevant_there_is_no_recall(grades: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="nothing is relevant"):
        recall_at(10, ["a"], grades)
    with pytest.raises(ValueError, match="nothing is relevant"):
        ndcg_at(10, ["a"], grades)


@given(depths, rankings, judgements)
def test_every_metric_lies_between_zero_and_one(
    k: int, ranked: list[str], grades: dict[str, int]
) -> None:
    for value in (
        recall_at(k, ranked, grades),
        ndcg_at(k, ranked, grades),
        reciprocal_rank(ranked, grades),
    ):
        assert 0.0 <= value <= 1.0 + 1e-12


@given(depths, rankings, judgements)
def test_a_perfect_ranking_has_ndcg_one(k: int, rest: list[str], grades: dict[str, int]) -> None:
    ranked = best_first(grades) + [name for name in rest if name not in grades]

    assert ndcg_at(k, ranked, grades) == pytest.approx(1.0)
    assert recall_at(max(k, len(grades)), ranked, grades) == 1.0


@given(depths, rankings, judgements)
def test_no_other_ranking_beats_the_perfect_one(
    k: int, ranked: list[str], grades: dict[str, int]
) -> None:
    assert ndcg_at(k, ranked, grades) <= ndcg_at(k, best_first(grades), grades) + 1e-12


@given(depths, rankings, judgements)
def test_recall_never_falls_with_depth(k: int, ranked: list[str], grades: dict[str, int]) -> None:
    assert recall_at(k + 1, ranked, grades) >= recall_at(k, ranked, grades)


@given(rankings.filter(lambda ranked: len(ranked) > 1), judgements, st.data())
def test_a_better_entity_moved_up_never_lowers_ndcg(
    ranked: list[str], grades: dict[str, int], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(ranked) - 2))
    upper, lower = ranked[place : place + 2]
    swapped = [*ranked[:place], lower, upper, *ranked[place + 2 :]]

    gain = ndcg_at(10, swapped, grades) - ndcg_at(10, ranked, grades)

    assert gain * (grades.get(lower, 0) - grades.get(upper, 0)) >= -1e-12


@given(depths, rankings, judgements)
def test_what_comes_after_the_depth_does_not_count(
    k: int, ranked: list[str], grades: dict[str, int]
) -> None:
    assert ndcg_at(k, ranked, grades) == ndcg_at(k, ranked[:k], grades)
    assert recall_at(k, ranked, grades) == recall_at(k, ranked[:k], grades)


@given(scores)
def test_the_interval_lies_within_the_scores(values: list[float]) -> None:
    found = estimate(values)

    assert min(values) - 1e-6 <= found.low <= found.high <= max(values) + 1e-6
    assert found.mean == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert found.count == len(values)


@given(scores)
def test_the_same_seed_gives_the_same_interval(values: list[float]) -> None:
    assert estimate(values, seed=7) == estimate(values, seed=7)


@given(scores)
def test_a_system_does_not_differ_from_itself(values: list[float]) -> None:
    found = paired_difference(values, values)

    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_steady_gain_is_seen_through_wide_scores() -> None:
    theirs = [n / 40 for n in range(20)]
    ours = [value + 0.1 for value in theirs]

    found = paired_difference(ours, theirs)

    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.1)


def test_the_order_of_the_two_systems_turns_the_sign() -> None:
    ours, theirs = [0.2, 0.9, 0.5], [0.1, 0.4, 0.8]

    assert paired_difference(ours, theirs).mean == -paired_difference(theirs, ours).mean


def test_more_cases_narrow_the_interval() -> None:
    few, many = estimate([0.0, 1.0] * 5), estimate([0.0, 1.0] * 500)

    assert many.high - many.low < few.high - few.low


def test_the_interval_of_a_coin_is_the_one_of_the_textbook() -> None:
    found = estimate([0.0, 1.0] * 200)

    half = 1.96 * math.sqrt(0.25 / 400)
    assert found.low == pytest.approx(0.5 - half, abs=0.006)
    assert found.high == pytest.approx(0.5 + half, abs=0.006)


def test_an_empty_result_is_not_a_zero() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        estimate([])


def test_scores_of_different_cases_are_not_compared() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_difference([1.0], [1.0, 0.0])
