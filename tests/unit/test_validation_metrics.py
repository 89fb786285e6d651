"""Each thing that can be wrong with a verdict has the metric that catches it."""

from typing import Any

import pytest

from evals.suite import Case, Json, Outcome
from evals.validation.suite import SUITE

CODE = "def one(n):\n    return 1\n\n\ndef two(n):\n    return 1\n"


def case(*, correct: bool = True, bug: str | None = None, kind: str = "with examples") -> Case:
    return Case(
        id="one-a",
        language="en",
        slices=("python", kind),
        inputs={"code": CODE},
        expected={"correct": correct, "bug": bug},
    )


def said(passed: bool | None = True, **changed: Any) -> Outcome:  # noqa: FBT001 - it is what is said
    plain: Json = {
        "passed": passed,
        "findings": [],
        "all_runs_pass": passed is True,
        "syntax": False,
    }
    return Outcome(data={**plain, **changed})


def finding(**changed: Any) -> Json:
    found = {"quote": "def two(n):", "start_line": 5, "end_line": 5, "kind": "actionable"}
    return {**found, **changed}


def wrong(of: Case, outcome: Outcome) -> set[str]:
    """Return the metrics whose score is not the best."""
    best = {"higher": 1.0, "lower": 0.0}
    scores = {metric: metric.score(of, outcome) for metric in SUITE.metrics}
    return {
        metric.name
        for metric, score in scores.items()
        if score is not None and score != best[metric.better]
    }


def test_right_code_that_is_accepted_with_a_quote_from_it_is_well() -> None:
    assert wrong(case(), said(findings=[finding()])) == set()


@pytest.mark.parametrize(
    ("of", "outcome", "names"),
    [
        (case(), said(False), {"correct_rejected_with_examples"}),
        (case(), said(None), {"decided"}),
        (case(correct=False, bug="order"), said(True), set()),
        (case(), said(findings=[finding(quote="def three(n):")]), {"anchored"}),
        (case(), said(findings=[finding(start_line=2, end_line=2)]), {"anchored"}),
        (case(), said(findings=[finding(kind="essential")]), {"no_refuted_finding"}),
        (case(correct=False, bug="syntax"), said(False), {"syntax_caught"}),
        (case(), said(syntax=True), {"sound_not_called_broken"}),
    ],
)
def test_what_is_wrong_is_caught(of: Case, outcome: Outcome, names: set[str]) -> None:
    verdict = {"balanced_accuracy", "balanced_accuracy_with_examples"}
    is_right = outcome.data["passed"] is of.expected["correct"]

    assert wrong(of, outcome) == names | (set() if is_right else verdict)


def test_a_loose_quote_and_a_coin_miss_their_bounds() -> None:
    by_name = {metric.name: metric for metric in SUITE.metrics}
    right, other = case(), case(correct=False, bug="order")
    coin = by_name["balanced_accuracy_with_examples"]
    scored = [(right, said(True), 1.0), (right, said(True), 1.0), (other, said(True), 0.0)]

    assert coin.gather(scored) == 0.5
    assert coin.bound is not None
    assert coin.bound > 0.5
    assert by_name["anchored"].bound == by_name["no_refuted_finding"].bound == 1.0
