"""Run a suite: each case through its task, each outcome through every metric.

pydantic-evals carries it: a dataset of cases, a task, an evaluator for each metric.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic_evals import Case as Row
from pydantic_evals import Dataset
from pydantic_evals.evaluators import Evaluator, EvaluatorContext
from pydantic_evals.reporting import ReportCase

from evals.estimates import difference_gathered, estimate_gathered
from evals.recordings import Recordings, asked_by
from evals.results import CaseResult, MetricResult, SuiteResult, Times, WayResult
from evals.suite import (
    Case,
    Metric,
    Model,
    Outcome,
    Score,
    Scored,
    Suite,
    Task,
    Way,
    always,
)
from tools.errors import GoalsError

MISSES_SHOWN: Final = 3

Note = Callable[[Way], None]
"""Told of each finished case."""


class CannotJudge(Exception):
    """Nothing can be said of a suite: an answer is missing, a model is away, a metric is broken."""


ANSWERED: Final = Metric(
    name="no_error",
    question="Does every case come to an end without an error?",
    score=lambda _case, outcome: float(outcome.error is None),
)
TOKENS: Final = Metric(
    name="tokens",
    question="How many tokens does a case cost?",
    score=lambda _case, outcome: float(outcome.tokens) if outcome.calls else None,
    better="lower",
    gated=False,
    passes=always,
)
CALLS: Final = Metric(
    name="calls",
    question="How often is the model asked for a case?",
    score=lambda _case, outcome: float(outcome.calls) if outcome.calls else None,
    better="lower",
    gated=False,
    passes=always,
)
OF_ALL_SUITES: Final = (ANSWERED, TOKENS, CALLS)


@dataclass(frozen=True)
class Found:
    """A suite's result, and how long each way took."""

    result: SuiteResult
    times: Mapping[str, Times]


async def run_suite(suite: Suite, model: Model, *, ways: Sequence[Way], note: Note) -> Found:
    """Return what `suite` finds of `model`, in each of `ways`; the product is always one of them.

    A case whose task raises fails. Raises CannotJudge where there is no case, where an answer was
    not recorded or the model was away, and where a metric raises.
    """
    cases = tuple(suite.load())
    if not cases:
        raise CannotJudge("there are no cases")
    if len({case.id for case in cases}) < len(cases):
        raise CannotJudge("two cases have one id")
    gone: dict[Way, _Gone] = {}
    for way in ways:
        seen = cases if way == "product" else tuple(filter(suite.naive_sees, cases))
        if not seen:
            continue
        async with suite.open(way, model) as task:
            gone[way] = await _go_through(suite, seen, way, _Asking(task, way, model, note))
        _require_answers(suite, model.recordings)
    product, naive = gone["product"], gone.get("naive")
    return Found(
        SuiteResult(
            name=suite.name,
            title=suite.title,
            model=model.name if suite.measures == "chat" else model.embedder.model,
            product=_way_result("product", product, beside=naive),
            naive=None if naive is None else _way_result("naive", naive),
        ),
        {f"{suite.name}/{way}": _times(each.outcomes) for way, each in gone.items()},
    )


@dataclass(frozen=True)
class _Asking:
    """The task as the dataset runs it: in the case's name, never raising."""

    task: Task
    way: Way
    model: Model
    note: Note

    async def __call__(self, case: Case) -> Outcome:
        name = f"{self.way}/{case.id}"
        started = time.perf_counter()
        with asked_by(name):
            try:
                outcome = await self.task(case)
            except GoalsError as error:
                outcome = Outcome(error=error.code, data={"detail": str(error)})
            except Exception as error:  # whatever it is, one case has failed
                detail = f"{type(error).__name__}: {error}"
                outcome = Outcome(error=type(error).__name__, data={"detail": detail})
        self.note(self.way)
        outcome = replace(outcome, seconds=time.perf_counter() - started)
        recordings = self.model.recordings
        if recordings is None or outcome.exchanges:
            return outcome
        talked = recordings.talked(name)
        return replace(
            outcome,
            exchanges=tuple(each.exchange for each in talked),
            tokens=outcome.tokens or sum(each.tokens for each in talked),
            calls=outcome.calls or len(talked),
        )


@dataclass(repr=False)
class _Judging(Evaluator[Case, Outcome, None]):
    """A metric as an evaluator: one score, or none where it does not apply."""

    metric: Metric

    def evaluate(self, ctx: EvaluatorContext[Case, Outcome, None]) -> dict[str, float]:
        score = self.score(ctx.inputs, ctx.output)
        return {} if score is None else {self.metric.name: float(score)}

    def score(self, case: Case, outcome: Outcome) -> Score:
        """Return the score; of a case with an error only what counts errors and costs speaks."""
        if outcome.error is not None and self.metric not in OF_ALL_SUITES:
            return None
        return self.metric.score(case, outcome)


@dataclass(frozen=True)
class _Gone:
    """What came of each case, and the scores."""

    metrics: tuple[Metric, ...]
    cases: tuple[Case, ...]
    outcomes: Mapping[str, Outcome]
    scores: Mapping[str, Mapping[str, float]]

    def scored(self, metric: Metric) -> list[Scored]:
        """Return the cases that `metric` applies to, with its scores."""
        return [
            (case, self.outcomes[case.id], self.scores[case.id][metric.name])
            for case in self.cases
            if metric.name in self.scores[case.id]
        ]


async def _go_through(suite: Suite, cases: tuple[Case, ...], way: Way, task: _Asking) -> _Gone:
    metrics = (*suite.metrics, *OF_ALL_SUITES)
    dataset: Dataset[Case, Outcome, None] = Dataset(
        name=f"{suite.name}/{way}",
        cases=[Row(name=case.id, inputs=case) for case in cases],
        evaluators=[_Judging(metric) for metric in metrics],
    )
    report = await dataset.evaluate(
        task.__call__, name=way, max_concurrency=suite.at_once, progress=False
    )
    rows = {row.name: row for row in report.cases}
    if len(rows) != len(cases):
        raise CannotJudge(report.failures[0].error_message)
    for row in report.cases:
        _require_scores(suite, row)
    return _Gone(
        metrics,
        cases,
        {case.id: rows[case.id].output for case in cases},
        {
            case.id: {name: float(each.value) for name, each in rows[case.id].scores.items()}
            for case in cases
        },
    )


def _require_scores(suite: Suite, row: ReportCase[Case, Outcome, None]) -> None:
    for failure in row.evaluator_failures:
        raise CannotJudge(f"{row.name}: a metric raises {failure.error_message}")


def _require_answers(suite: Suite, recordings: Recordings | None) -> None:
    """Raise CannotJudge where the product has gone on without a model's answer."""
    if recordings is None:
        return
    if recordings.misses:
        shown = "\n".join(str(miss) for miss in recordings.misses[:MISSES_SHOWN])
        rest = len(recordings.misses) - MISSES_SHOWN
        more = f"\n… and {rest} questions more" if rest > 0 else ""
        raise CannotJudge(f"{shown}{more}")
    if recordings.away:
        raise CannotJudge(f"the model is away ({recordings.away[0]})")


def _way_result(way: Way, gone: _Gone, *, beside: _Gone | None = None) -> WayResult:
    return WayResult(
        way=way,
        cases=tuple(_case_result(case, gone, told=way == "product") for case in gone.cases),
        metrics=tuple(
            _metric_result(metric, gone, beside) for metric in gone.metrics if gone.scored(metric)
        ),
    )


def _case_result(case: Case, gone: _Gone, *, told: bool) -> CaseResult:
    outcome, scores = gone.outcomes[case.id], gone.scores[case.id]
    failed = tuple(
        metric.name
        for metric in gone.metrics
        if metric.name in scores and not metric.passes(scores[metric.name])
    )
    result = CaseResult(
        id=case.id,
        language=case.language,
        slices=case.slices,
        hard=case.hard,
        passed=outcome.error is None and not failed,
        error=outcome.error,
        failed=failed,
        scores={name: round(score, 6) for name, score in sorted(scores.items())},
        tokens=outcome.tokens,
        calls=outcome.calls,
    )
    if result.passed or not told:
        return result
    return replace(
        result,
        inputs=case.inputs,
        expected=case.expected,
        data=outcome.data,
        exchanges=outcome.exchanges,
    )


def _metric_result(metric: Metric, gone: _Gone, beside: _Gone | None) -> MetricResult:
    scored = gone.scored(metric)
    if not _can_gather(metric, scored):
        raise CannotJudge(f"{metric.name}: {len(scored)} cases are not enough for it")
    groups: dict[str, list[Scored]] = {}
    for each in scored:
        case = each[0]
        for name in (f"language: {case.language}", *(f"slice: {one}" for one in case.slices)):
            groups.setdefault(name, []).append(each)
    return MetricResult(
        name=metric.name,
        question=metric.question,
        better=metric.better,
        tolerance=metric.tolerance,
        bound=metric.bound,
        gated=metric.gated,
        estimate=estimate_gathered(scored, metric.gather),
        groups={
            name: estimate_gathered(groups[name], metric.gather)
            for name in sorted(groups)
            if _can_gather(metric, groups[name])
        },
        minus_naive=None
        if beside is None
        else difference_gathered(scored, beside.scored(metric), metric.gather),
    )


def _can_gather(metric: Metric, scored: Sequence[Scored]) -> bool:
    """Tell whether a group is enough for the figure: balanced accuracy needs both kinds of case."""
    try:
        metric.gather(scored)
    except (ArithmeticError, ValueError):
        return False
    return True


def _times(outcomes: Mapping[str, Outcome]) -> Times:
    seconds = sorted(outcome.seconds for outcome in outcomes.values())
    return Times(
        total=round(sum(seconds), 3),
        p50=round(seconds[len(seconds) // 2], 3),
        p95=round(seconds[min(len(seconds) - 1, int(len(seconds) * 0.95))], 3),
    )
