"""What a run has found, as tables in a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evals.estimates import Estimate
from evals.gate import Expected, Finding, Verdict, behind, why
from evals.results import CaseResult, MetricResult, SuiteResult

CASES_SHOWN = 12


def show_suite(suite: SuiteResult, expected: Expected | None, console: Console) -> None:
    """Print a suite's figures: the product's, the naive way's, and what was expected."""
    table = make_table(suite.title)
    for name in ("n", "product", "95 %", "naive", "gain", "baseline"):
        table.add_column(name, justify="right", no_wrap=True)
    for metric in suite.product.metrics:
        naive = suite.naive.metric(metric.name) if suite.naive is not None else None
        table.add_row(
            metric.name,
            str(metric.estimate.count),
            figure(metric.estimate.mean),
            interval(metric.estimate),
            "" if naive is None else figure(naive.estimate.mean),
            _signed(metric.minus_naive),
            _against(metric, expected),
        )
    console.print(table)
    failing = [case for case in suite.product.cases if not case.passed]
    total = len(suite.product.cases)
    console.print(
        f"{total - len(failing)} of {total} cases pass with {suite.model}", highlight=False
    )
    for case in failing[:CASES_SHOWN]:
        console.print(_line(case), soft_wrap=True)
    if len(failing) > CASES_SHOWN:
        console.print(f"  … and {len(failing) - CASES_SHOWN} more: --report shows each")
    console.print()


def make_table(title: str) -> Table:
    """Return a table for metrics that fits eighty columns."""
    look: dict[str, Any] = {"box": SIMPLE_HEAD, "pad_edge": False, "padding": (0, 1, 0, 0)}
    table = Table(title=title, title_justify="left", title_style="bold", **look)
    table.add_column("metric", no_wrap=True)
    return table


def show_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print why the gate is shut, or that it is open."""
    if not findings:
        console.print("Nothing is worse than the baseline.", style="green")
    for finding in findings:
        kind = "cannot judge" if finding.verdict is Verdict.CANNOT_JUDGE else "worse"
        place = "" if finding.where == finding.suite else f", {finding.where}"
        text = Text(f"{kind}: {finding.suite}{place}: {finding.text}", style="red")
        console.print(text, soft_wrap=True)


def figure(value: float) -> str:
    """Return a figure as it is read: shares with three digits, counts with none."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"


def interval(estimate: Estimate) -> str:
    """Return the interval of an estimate."""
    return "…".join(
        f"{value:.2f}" if abs(value) < 10 else f"{value:,.0f}"
        for value in (estimate.low, estimate.high)
    )


def _signed(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    value = figure(estimate.mean)
    return value if value.startswith("-") else f"+{value}"


def _against(metric: MetricResult, expected: Expected | None) -> Text:
    before = None if expected is None else expected.metrics.get(metric.name)
    if before is None:
        return Text("new", style="dim")
    lost = behind(metric, metric.estimate.mean, before)
    if abs(lost) < 1e-6:
        return Text("=", style="dim")
    style = "red" if lost > 0 else "green"
    change = metric.estimate.mean - before
    return Text(f"{'+' if change > 0 else '-'}{figure(abs(change))}", style=style)


def _line(case: CaseResult) -> Text:
    hard = " (hard)" if case.hard else ""
    return Text(f"  ✗ {case.id}{hard}: {why(case)}")
