"""Estimates: the learner's own pace, and what of a task's estimate is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks.estimates import estimate
from agent.checks.plan import make_plan
from db.tasks import DoneHours
from tests.plans import planned
from tools.plan import HIGHEST_RATIO, LOWEST_RATIO, calibrate

HOURS = st.floats(0.01, 10_000)


def done(estimated: float, actual: float) -> DoneHours:
    return DoneHours(estimated, actual, None)


def test_four_finished_tasks_are_too_few_to_say() -> None:
    assert calibrate([done(1, 2)] * 4) is None


def test_more_finished_tasks_move_the_ratio_further_from_one() -> None:
    few, many = calibrate([done(1, 2)] * 5), calibrate([done(1, 2)] * 45)

    assert few is not None
    assert many is not None
    assert (few.ratio, few.tasks) == (1.41, 5)
    assert (many.ratio, many.tasks) == (1.87, 45)


def test_one_odd_task_does_not_count() -> None:
    steady = calibrate([done(2, 2)] * 9 + [done(1, 1_000)])

    assert steady is not None
    assert steady.ratio == 1.0


def test_half_and_double_cancel_out() -> None:
    even = calibrate([done(2, 1)] * 4 + [done(1, 2)] * 4)

    assert even is not None
    assert even.ratio == 1.0


@given(st.lists(st.tuples(HOURS, HOURS), min_size=5, max_size=50))
def test_the_ratio_is_within_its_bounds(hours: list[tuple[float, float]]) -> None:
    found = calibrate([done(*pair) for pair in hours])

    assert found is not None
    assert LOWEST_RATIO <= found.ratio <= HIGHEST_RATIO


def test_an_estimate_that_was_calibrated_counts_as_it_was_before() -> None:
    kept = {"likely": 4.0, "uncalibrated": 2.0}

    found = calibrate([DoneHours(4.0, 4.0, kept)] * 10)

    assert found is not None
    assert found.ratio == 1.59


def test_an_estimate_that_the_learner_has_changed_is_their_own() -> None:
    kept = {"likely": 4.0, "uncalibrated": 2.0}

    found = calibrate([DoneHours(5.0, 5.0, kept)] * 10)

    assert found is not None
    assert found.ratio == 1.0


def test_a_ratio_scales_the_hours_in_quarters_and_keeps_what_the_model_said() -> None:
    step = make_plan([planned("t1", hours=(1.0, 2.0, 3.0))], criteria=0).steps[0]

    kept = estimate(step, {"ratio": 1.41, "tasks": 5})

    assert (kept["low"], kept["likely"], kept["high"]) == (1.5, 2.75, 4.25)
    assert kept["uncalibrated"] == 2.0


@pytest.mark.parametrize(("complexity", "expandable"), [(7, None), (8, True)])
def test_a_complex_task_is_worth_a_breakdown_of_its_own(
    complexity: int, *, expandable: bool | None
) -> None:
    step = make_plan([planned("t1", complexity=complexity)], criteria=0).steps[0]

    kept = estimate(step, None)

    assert kept.get("expandable") is expandable
    assert "uncalibrated" not in kept
