"""The gate: what a run has found against what was found before, and against limits.

`baseline.json` holds what is expected of each suite. It changes by `--update-baseline` alone, and
its diff is there to be reviewed.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from evals.results import CaseResult, MetricResult, Results, SuiteResult, WayResult

if TYPE_CHECKING:
    from pydantic import TypeAdapter

BASELINE: Final = Path(__file__).with_name("baseline.json")
ROUNDING: Final = 1e-6

Standing = Literal["hard", "passed", "failed"]
"""How a case stood: passed and never to fail again, passed, failed."""


class Verdict(IntEnum):
    """The exit codes of `goals eval run`."""

    OK = 0
    REGRESSION = 1
    USAGE = 2
    CANNOT_JUDGE = 3


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a suite is held against: the figures of its ways, and each case of the product."""

    model: str
    metrics: Mapping[str, float]
    naive: Mapping[str, float]
    naive_cases: int
    cases: Mapping[str, Standing]


Baseline = Mapping[str, Expected]
"""Suites by their names."""


@dataclass(frozen=True)
class Finding:
    """One reason why the gate is shut; `where` is a metric's or a case's name, or the suite's."""

    verdict: Verdict
    suite: str
    where: str
    text: str


def judge(
    results: Results, baseline: Baseline, *, suites: Collection[str], unjudged: Mapping[str, str]
) -> list[Finding]:
    """Return what is wrong with `results`, nothing where all of `suites` may pass.

    `unjudged` says of suites why they have no result. What is in the baseline and not in the
    results is a regression, what cannot be compared is no pass.
    """
    findings = [Finding(Verdict.CANNOT_JUDGE, suite, suite, why) for suite, why in unjudged.items()]
    if not results.suites and not unjudged:
        findings.append(Finding(Verdict.CANNOT_JUDGE, "-", "-", "nothing was measured"))
    for name in suites:
        found, expected = results.suite(name), baseline.get(name)
        if name in unjudged:
            continue
        if found is None:
            text = "the suite is in the baseline and was not run"
            findings.append(Finding(Verdict.REGRESSION, name, name, text))
        elif not found.product.cases or not found.product.metrics:
            findings.append(Finding(Verdict.CANNOT_JUDGE, name, name, "its result is empty"))
        elif expected is None:
            text = "it has no baseline: goals eval run --update-baseline"
            findings.append(Finding(Verdict.CANNOT_JUDGE, name, name, text))
        else:
            findings += _judge_suite(found, expected)
    return findings


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """Return the exit code: what cannot be judged weighs more than what is worse."""
    return max((finding.verdict for finding in findings), default=Verdict.OK)


def expect(results: Results, baseline: Baseline) -> Baseline:
    """Return the baseline with what these results have found of their suites."""
    return {**baseline, **{suite.name: _expected(suite) for suite in results.suites}}


def read_baseline(path: Path = BASELINE) -> Baseline:
    """Return what is expected, nothing where there is no file; raise ValueError for another."""
    return _adapter().validate_json(path.read_bytes()) if path.exists() else {}


def write_baseline(baseline: Baseline) -> str:
    """Return the text of the file."""
    told = {name: asdict(expected) for name, expected in sorted(baseline.items())}
    return json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def behind(metric: MetricResult, value: float, limit: float) -> float:
    """Return by how much `value` is on the worse side of `limit`; below 0 on the better one."""
    return limit - value if metric.better == "higher" else value - limit


def _judge_suite(found: SuiteResult, expected: Expected) -> Iterator[Finding]:
    def worse(where: str, text: str) -> Finding:
        return Finding(Verdict.REGRESSION, found.name, where, text)

    if found.model != expected.model:
        text = f"measured with {found.model}, the baseline with {expected.model}"
        yield Finding(Verdict.CANNOT_JUDGE, found.name, found.name, text)
        return
    for name in expected.metrics:
        if found.product.metric(name) is None:
            yield worse(name, "the metric has disappeared")
    for metric in found.product.metrics:
        for text in _judge_metric(metric, expected.metrics.get(metric.name)):
            yield worse(metric.name, text)
    cases = {case.id: case for case in found.product.cases}
    for name, standing in expected.cases.items():
        if name not in cases:
            yield worse(name, "the case has disappeared")
        elif standing == "hard" and not cases[name].passed:
            yield worse(name, f"a hard case fails now: {why(cases[name])}")
    naive_cases = len(found.naive.cases) if found.naive is not None else 0
    if naive_cases < expected.naive_cases:
        yield worse("naive", f"{naive_cases} cases went the naive way, not {expected.naive_cases}")
    for name in expected.naive:
        if found.naive is not None and found.naive.metric(name) is None:
            yield worse(name, "the metric has disappeared of the naive way")


def _judge_metric(metric: MetricResult, before: float | None) -> Iterator[str]:
    value = metric.estimate.mean
    if metric.bound is not None and behind(metric, value, metric.bound) > ROUNDING:
        yield f"{value:.4f} is beyond its limit of {metric.bound:.4f}"
    if before is None or not metric.gated:
        return
    if behind(metric, value, before) > metric.tolerance + ROUNDING:
        yield f"{value:.4f}, was {before:.4f}: more than {metric.tolerance:g} worse"


def why(case: CaseResult) -> str:
    """Return why a case fails, in a few words."""
    scores = (f"{name} {case.scores[name]:g}" for name in case.failed)
    return case.error or ", ".join(scores)


def standing_of(case: CaseResult) -> Standing:
    """Return how a case stands."""
    if not case.passed:
        return "failed"
    return "hard" if case.hard else "passed"


def _expected(suite: SuiteResult) -> Expected:
    return Expected(
        model=suite.model,
        metrics=_figures(suite.product),
        naive={} if suite.naive is None else _figures(suite.naive),
        naive_cases=0 if suite.naive is None else len(suite.naive.cases),
        cases={case.id: standing_of(case) for case in suite.product.cases},
    )


def _figures(way: WayResult) -> dict[str, float]:
    return {metric.name: metric.estimate.mean for metric in way.metrics}


def _adapter() -> "TypeAdapter[dict[str, Expected]]":
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, Expected])
