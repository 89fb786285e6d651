"""What verdicts are judged by: pure functions over a case and what came of it.

No verdict counts as a wrong one; the naive way has no findings and reads no syntax, so nothing is
asked of it there.
"""

from collections.abc import Sequence
from math import fsum

from evals.suite import Case, Outcome, Score, Scored
from tools.analysis.anchors import locate

WITH_EXAMPLES = "with examples"
STATEMENT_ALONE = "statement alone"


def verdict_right(case: Case, outcome: Outcome) -> Score:
    """Return 1 where right code is accepted or wrong code rejected."""
    return float(outcome.data["passed"] is case.expected["correct"])


def verdict_right_with_examples(case: Case, outcome: Outcome) -> Score:
    """Return the same for tasks whose text has examples."""
    return verdict_right(case, outcome) if WITH_EXAMPLES in case.slices else None


def verdict_right_alone(case: Case, outcome: Outcome) -> Score:
    """Return the same for tasks that have a statement alone."""
    return verdict_right(case, outcome) if STATEMENT_ALONE in case.slices else None


def balanced_accuracy(scored: Sequence[Scored]) -> float:
    """Return the mean of the two rates of right verdicts: 0.5 is a coin.

    Raises ZeroDivisionError where there is no right code, or no wrong one.
    """
    right = [score for case, _, score in scored if case.expected["correct"]]
    wrong = [score for case, _, score in scored if not case.expected["correct"]]
    return (fsum(right) / len(right) + fsum(wrong) / len(wrong)) / 2


def correct_rejected_with_examples(case: Case, outcome: Outcome) -> Score:
    """Return 1 where right code is rejected, of tasks whose text has examples."""
    return _correct_rejected(case, outcome) if WITH_EXAMPLES in case.slices else None


def correct_rejected_alone(case: Case, outcome: Outcome) -> Score:
    """Return 1 where right code is rejected, of tasks that have a statement alone."""
    return _correct_rejected(case, outcome) if STATEMENT_ALONE in case.slices else None


def decided(_case: Case, outcome: Outcome) -> Score:
    """Return 1 where there is a verdict."""
    return float(outcome.data["passed"] is not None)


def anchored(case: Case, outcome: Outcome) -> Score:
    """Return 1 where no finding is shown whose quote is not in the code, in the lines it names."""
    if "findings" not in outcome.data:
        return None
    findings = outcome.data["findings"]
    places = [locate(one["quote"], case.inputs["code"]) for one in findings]
    return float(
        all(
            place is not None
            and (place.start_line, place.end_line) == (one["start_line"], one["end_line"])
            for one, place in zip(findings, places, strict=True)
        )
    )


def no_refuted_finding(_case: Case, outcome: Outcome) -> Score:
    """Return 1 where no mistake is claimed that the runs contradict."""
    if "findings" not in outcome.data:
        return None
    claimed = any(one["kind"] == "essential" for one in outcome.data["findings"])
    return float(not (claimed and outcome.data["all_runs_pass"]))


def syntax_caught(case: Case, outcome: Outcome) -> Score:
    """Return 1 where a file that does not parse is found out."""
    if case.expected["bug"] != "syntax" or "syntax" not in outcome.data:
        return None
    return float(outcome.data["syntax"])


def sound_not_called_broken(case: Case, outcome: Outcome) -> Score:
    """Return 1 where a file that parses is not said to be broken."""
    if case.expected["bug"] == "syntax" or "syntax" not in outcome.data:
        return None
    return float(not outcome.data["syntax"])


def _correct_rejected(case: Case, outcome: Outcome) -> Score:
    return float(outcome.data["passed"] is False) if case.expected["correct"] else None
