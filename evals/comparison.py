"""Two runs beside each other: what is better, what is worse, and which cases have changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from evals.estimates import Estimate, paired_difference
from evals.gate import why
from evals.results import CaseResult, MetricResult, Results, SuiteResult
from evals.tables import figure, interval, make_table


@dataclass(frozen=True, kw_only=True)
class MetricChange:
    """A metric before and after, None where a run has none of it.

    `difference` is of its scores, after minus before, over the cases that both runs have judged.
    """

    name: str
    better: str
    before: float | None
    after: float | None
    difference: Estimate | None

    @property
    def is_sure(self) -> bool:
        """Tell whether the interval of the difference leaves 0 out."""
        return self.difference is not None and not (
            self.difference.low <= 0.0 <= self.difference.high
        )

    @property
    def is_worse(self) -> bool:
        """Tell whether it is worse after, or gone."""
        if self.before is None or self.after is None:
            return self.after is None
        change = self.after - self.before
        return change < 0 if self.better == "higher" else change > 0


@dataclass(frozen=True, kw_only=True)
class CaseChange:
    """A case that stands otherwise after than before; None where a run has not got it."""

    id: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class SuiteChange:
    """A suite in two runs."""

    name: str
    models: tuple[str, str]
    metrics: tuple[MetricChange, ...]
    cases: tuple[CaseChange, ...]


def compare_results(before: Results, after: Results) -> tuple[SuiteChange, ...]:
    """Return what differs between two runs, suite by suite.

    Raises ValueError where they have no suite in common: nothing can be compared.
    """
    shared = [
        (suite, other) for suite in before.suites if (other := after.suite(suite.name)) is not None
    ]
    if not shared:
        raise ValueError("they have no suite in common")
    return tuple(_compare(suite, other) for suite, other in shared)


def show(changes: Sequence[SuiteChange], console: Console) -> None:
    """Print a table for each suite, and the cases that have changed."""
    for suite in changes:
        models = " → ".join(dict.fromkeys(suite.models))
        table = make_table(f"{suite.name}, {models}")
        for name in ("before", "after", "change, by case", "95 %"):
            table.add_column(name, justify="right", no_wrap=True)
        for metric in suite.metrics:
            style = "" if not metric.is_sure else "red" if metric.is_worse else "green"
            table.add_row(
                metric.name,
                "–" if metric.before is None else figure(metric.before),
                "–" if metric.after is None else figure(metric.after),
                "" if metric.difference is None else f"{metric.difference.mean:+.3f}",
                "" if metric.difference is None else interval(metric.difference),
                style=style,
            )
        console.print(table)
        for case in suite.cases:
            text = f"  {case.id}: {case.before or 'not there'} → {case.after or 'not there'}"
            console.print(Text(text), soft_wrap=True)
        if not suite.cases:
            console.print("No case stands otherwise.")
        console.print()


def _compare(before: SuiteResult, after: SuiteResult) -> SuiteChange:
    ours = {case.id: case for case in before.product.cases}
    theirs = {case.id: case for case in after.product.cases}
    names = dict.fromkeys(
        metric.name for suite in (before, after) for metric in suite.product.metrics
    )
    standings = [
        CaseChange(id=name, before=_standing(ours.get(name)), after=_standing(theirs.get(name)))
        for name in dict.fromkeys([*ours, *theirs])
    ]
    return SuiteChange(
        name=before.name,
        models=(before.model, after.model),
        metrics=tuple(
            _metric(name, before.product.metric(name), after.product.metric(name), ours, theirs)
            for name in names
        ),
        cases=tuple(each for each in standings if each.before != each.after),
    )


def _metric(
    name: str,
    before: MetricResult | None,
    after: MetricResult | None,
    ours: dict[str, CaseResult],
    theirs: dict[str, CaseResult],
) -> MetricChange:
    pairs = [
        (theirs[key].scores[name], case.scores[name])
        for key, case in ours.items()
        if name in case.scores and key in theirs and name in theirs[key].scores
    ]
    some = after or before
    return MetricChange(
        name=name,
        better="higher" if some is None else some.better,
        before=None if before is None else before.estimate.mean,
        after=None if after is None else after.estimate.mean,
        difference=paired_difference([a for a, _ in pairs], [b for _, b in pairs])
        if pairs
        else None,
    )


def _standing(case: CaseResult | None) -> str | None:
    if case is None:
        return None
    return "passes" if case.passed else f"fails ({why(case)})"
