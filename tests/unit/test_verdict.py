"""From evidence and review to a verdict."""

from typing import Literal

from agent.checks.verdict import (
    Evidence,
    decide,
    decide_by_evidence,
    missing_verdicts,
    to_verify,
)
from agent.outputs import CriterionVerdict, Review, ReviewFinding

CODE = "def doble(n):\n    return n + n\n"
State = Literal["met", "partly", "not_met", "cannot_judge"]
Kind = Literal["essential", "actionable", "informative", "celebratory"]


def review(*states: State, findings: list[ReviewFinding] | None = None) -> Review:
    return Review(
        criteria=[
            CriterionVerdict(number=number, verdict=state, why="por esto")
            for number, state in enumerate(states, start=1)
        ],
        findings=findings or [],
        feedback="Una explicación de prueba",
        next_step="Un paso",
    )


def finding(quote: str, *, kind: Kind = "essential") -> ReviewFinding:
    return ReviewFinding(
        quote=quote, problem="falla", trigger="doble(0)", kind=kind, severity="high"
    )


def evidence(*, syntax: int = 0, passed: int = 0, failed: int = 0) -> Evidence:
    return Evidence(syntax_problems=syntax, runs_passed=passed, runs_failed=failed)


def test_a_failing_example_fails_whatever_the_model_says() -> None:
    decision = decide(review("met"), evidence(passed=1, failed=1), criteria=1, code=CODE)

    assert decision.passed is False
    assert decision.score == 0.7


def test_passing_runs_refute_a_model_that_rejects() -> None:
    said = review("not_met", findings=[finding("return n + n")])

    decision = decide(said, evidence(passed=2), criteria=1, code=CODE)

    assert decision.passed is True
    assert decision.criteria[0].basis == "refuted"
    assert decision.findings == ()
    assert decision.hidden == 1


def test_without_runs_a_rejection_that_points_at_no_line_is_unverified() -> None:
    decision = decide(review("not_met"), evidence(), criteria=1, code=CODE)

    assert decision.passed is None
    assert decision.criteria[0].basis == "unverified"
    assert decision.score is None


def test_without_runs_an_essential_finding_fails_only_where_a_second_look_confirms_it() -> None:
    said = review("not_met", findings=[finding("return n + n")])
    suspected = to_verify(said, evidence(), code=CODE)

    unconfirmed = decide(said, evidence(), criteria=1, code=CODE)
    decision = decide(said, evidence(), criteria=1, code=CODE, confirmed=frozenset(suspected))

    assert (unconfirmed.passed, unconfirmed.findings, unconfirmed.hidden) == (None, (), 1)
    assert decision.passed is False
    assert [(one.start_line, one.end_line) for one in decision.findings] == [(2, 2)]


def test_a_finding_whose_quote_is_not_in_the_code_is_hidden() -> None:
    said = review("met", findings=[finding("while True: pass", kind="actionable")])

    decision = decide(said, evidence(), criteria=1, code=CODE)

    assert decision.findings == ()
    assert decision.hidden == 1
    assert decision.passed is True


def test_code_that_does_not_parse_fails_with_zero_and_judges_no_criterion() -> None:
    decision = decide(review("met"), evidence(syntax=1), criteria=1, code=CODE)

    assert decision.passed is False
    assert decision.score == 0.0
    assert decision.criteria[0].state == "cannot_judge"


def test_nothing_to_judge_by_gives_no_verdict() -> None:
    decision = decide(review(), evidence(), criteria=0, code=CODE)

    assert decision.passed is None
    assert decision.score is None


def test_the_number_of_findings_does_not_change_the_score() -> None:
    remark = finding("return n + n", kind="informative")
    plain = decide(review("met", "partly"), evidence(passed=1, failed=1), criteria=2, code=CODE)

    remarked = decide(
        review("met", "partly", findings=[remark]),
        evidence(passed=1, failed=1),
        criteria=2,
        code=CODE,
    )

    assert remarked.score == plain.score == 0.6


def test_a_criterion_without_a_verdict_is_named() -> None:
    assert missing_verdicts(review("met"), 3) == (2, 3)


def test_what_runs_have_settled_is_not_looked_at_twice() -> None:
    said = review("not_met", findings=[finding("return n + n")])

    assert to_verify(said, evidence(passed=1), code=CODE) == ()
    assert to_verify(said, evidence(failed=1), code=CODE) == ()


def test_without_a_model_the_evidence_alone_decides() -> None:
    passed = decide_by_evidence(evidence(passed=2), criteria=2, why="no model was asked")
    failed = decide_by_evidence(evidence(passed=1, failed=1), criteria=0, why="-")
    nothing = decide_by_evidence(evidence(), criteria=1, why="-")

    assert (passed.passed, passed.score) == (True, 1.0)
    assert [one.basis for one in passed.criteria] == ["unjudged", "unjudged"]
    assert (failed.passed, failed.score) == (False, 0.5)
    assert (nothing.passed, nothing.score) == (None, None)


def test_code_that_gives_orders_does_not_pass_on_words_alone() -> None:
    decision = decide(review("met"), evidence(), criteria=1, code=CODE, gives_orders=True)

    assert decision.passed is None
    assert decision.criteria[0].basis == "unverified"


def test_code_that_gives_orders_passes_where_its_runs_do() -> None:
    decision = decide(review("met"), evidence(passed=2), criteria=1, code=CODE, gives_orders=True)

    assert decision.passed is True
