"""From evidence and a model's review to a verdict: what is shown, what passes, what it scores.

Evidence beats words. A criticism that passing runs contradict is refuted; one without a line of
code to point at, or that a second look does not confirm where nothing was run, is unverified.
Neither is shown, and neither can fail a submission.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from agent.outputs import Review
from tools.analysis.anchors import locate

CriterionState = Literal["met", "partly", "not_met", "cannot_judge"]
Basis = Literal["runs", "model", "refuted", "unverified", "syntax", "unjudged"]

FAILED: Final = frozenset({"fail", "error", "timeout"})
"""What an executed example may end with that counts against the code."""
RUNS_WEIGHT: Final = 0.6
WORTH: Final[Mapping[CriterionState, float]] = {"met": 1.0, "partly": 0.5, "not_met": 0.0}


@dataclass(frozen=True)
class Evidence:
    """What was found out before the model spoke; counts of executed examples."""

    syntax_problems: int
    runs_passed: int
    runs_failed: int

    @property
    def decides(self) -> bool:
        """Tell whether the verdict needs nobody's words."""
        return bool(self.syntax_problems or self.runs_passed or self.runs_failed)

    @property
    def all_runs_pass(self) -> bool:
        """Tell whether examples ran and every one of them passed."""
        return self.runs_passed > 0 and self.runs_failed == 0


def weigh(runs: Sequence[Mapping[str, Any]], *, syntax_problems: int = 0) -> Evidence:
    """Return the counts of executed examples, given as JSON; weak ones do not count."""
    counted = [run["status"] for run in runs if run.get("strength", "strong") == "strong"]
    return Evidence(
        syntax_problems=syntax_problems,
        runs_passed=counted.count("pass"),
        runs_failed=sum(status in FAILED for status in counted),
    )


@dataclass(frozen=True)
class JudgedCriterion:
    """The state of one criterion, by position from 0, and what it rests on."""

    number: int
    state: CriterionState
    why: str
    basis: Basis


@dataclass(frozen=True)
class Finding:
    """A remark anchored in the code: 1-based inclusive lines."""

    start_line: int
    end_line: int
    quote: str
    problem: str
    trigger: str
    kind: str
    severity: str


@dataclass(frozen=True)
class Decision:
    """The verdict: `passed` and `score` (0 to 1) are None where nothing could be judged."""

    passed: bool | None
    score: float | None
    criteria: tuple[JudgedCriterion, ...]
    findings: tuple[Finding, ...]
    hidden: int


def missing_verdicts(review: Review, criteria: int) -> tuple[int, ...]:
    """Return the numbers, from 1, of the criteria that the review says nothing about."""
    judged = {verdict.number for verdict in review.criteria}
    return tuple(number for number in range(1, criteria + 1) if number not in judged)


def to_verify(review: Review, evidence: Evidence, *, code: str) -> tuple[Finding, ...]:
    """Return the findings that would fail the submission on the model's word alone."""
    if evidence.decides:
        return ()
    return tuple(finding for finding in _anchored(review, code) if finding.kind == "essential")


def decide(
    review: Review,
    evidence: Evidence,
    *,
    criteria: int,
    code: str,
    confirmed: frozenset[Finding] = frozenset(),
    gives_orders: bool = False,
) -> Decision:
    """Return the verdict on `code`, given what was found out and what the model said.

    `confirmed` are those of `to_verify` that a second look confirmed. Code that `gives_orders` to
    whoever judges it does not pass on the word of a model that has read them.
    """
    anchored = _anchored(review, code)
    unconfirmed = frozenset(to_verify(review, evidence, code=code)) - confirmed
    refuted = evidence.all_runs_pass
    shown = tuple(
        finding
        for finding in anchored
        if finding not in unconfirmed and not (refuted and finding.kind == "essential")
    )
    essential = sum(finding.kind == "essential" for finding in shown)
    judged = _judged(
        review,
        evidence,
        criteria,
        has_essential=essential > 0,
        is_led=gives_orders and not evidence.decides,
    )

    return Decision(
        passed=_passed(judged, evidence, essential),
        score=_score(judged, evidence),
        criteria=judged,
        findings=shown,
        hidden=len(review.findings) - len(shown),
    )


def decide_by_evidence(evidence: Evidence, *, criteria: int, why: str) -> Decision:
    """Return the verdict where no model was asked; `why` says that of each criterion."""
    judged = tuple(
        JudgedCriterion(position, "cannot_judge", why, "unjudged") for position in range(criteria)
    )
    return Decision(
        passed=_passed(judged, evidence, 0),
        score=_score(judged, evidence),
        criteria=judged,
        findings=(),
        hidden=0,
    )


def _anchored(review: Review, code: str) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for finding in review.findings:
        anchor = locate(finding.quote, code)
        if anchor is None:
            continue
        findings.append(
            Finding(
                start_line=anchor.start_line,
                end_line=anchor.end_line,
                quote=finding.quote,
                problem=finding.problem,
                trigger=finding.trigger,
                kind=finding.kind,
                severity=finding.severity,
            )
        )
    return tuple(dict.fromkeys(findings))


def _judged(
    review: Review,
    evidence: Evidence,
    criteria: int,
    *,
    has_essential: bool,
    is_led: bool,
) -> tuple[JudgedCriterion, ...]:
    by_number = {verdict.number: verdict for verdict in review.criteria}
    unbacked: set[CriterionState] = {"met"} if is_led else set()
    if not (evidence.runs_failed or has_essential):
        unbacked |= {"partly", "not_met"}
    judged: list[JudgedCriterion] = []
    for position in range(criteria):
        verdict = by_number[position + 1]
        state: CriterionState = verdict.verdict
        basis: Basis = "model"
        if evidence.syntax_problems:
            state, basis = "cannot_judge", "syntax"
        elif state in {"partly", "not_met"} and evidence.all_runs_pass:
            state, basis = "cannot_judge", "refuted"
        elif state in unbacked:
            state, basis = "cannot_judge", "unverified"
        judged.append(JudgedCriterion(position, state, verdict.why, basis))
    return tuple(judged)


def _passed(judged: Sequence[JudgedCriterion], evidence: Evidence, essential: int) -> bool | None:
    if evidence.syntax_problems or evidence.runs_failed:
        return False
    if essential or any(one.state in {"partly", "not_met"} for one in judged):
        return False
    if evidence.runs_passed:
        return True
    undecided = not judged or any(one.state == "cannot_judge" for one in judged)
    return None if undecided else True


def _score(judged: Sequence[JudgedCriterion], evidence: Evidence) -> float | None:
    if evidence.syntax_problems:
        return 0.0
    worths = [WORTH[one.state] for one in judged if one.state in WORTH]
    words = sum(worths) / len(worths) if worths else None
    ran = evidence.runs_passed + evidence.runs_failed
    if not ran:
        return None if words is None else round(words, 2)
    runs = evidence.runs_passed / ran
    if words is None:
        return round(runs, 2)
    return round(RUNS_WEIGHT * runs + (1 - RUNS_WEIGHT) * words, 2)
