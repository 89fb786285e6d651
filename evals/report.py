"""The report of a run: one page of HTML that opens offline, Markdown, and the results as JSON."""

from collections.abc import Sequence
from pathlib import Path

from evals.gate import Baseline, Expected, Finding, Verdict, verdict_of, why
from evals.report_html import TITLE, make_html
from evals.results import MetricResult, Results, SuiteResult
from evals.tables import figure, interval


def write_report(
    results: Results, folder: Path, *, baseline: Baseline, findings: Sequence[Finding]
) -> list[Path]:
    """Write `evals.html`, `evals.md` and `evals.json` into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "evals.html": make_html(results, baseline=baseline, findings=findings),
        "evals.md": make_markdown(results, baseline=baseline, findings=findings),
        "evals.json": results.as_json(),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", errors="replace")
    return [folder / name for name in texts]


def make_markdown(results: Results, *, baseline: Baseline, findings: Sequence[Finding]) -> str:
    """Return the figures and the failing cases as Markdown."""
    open_gate = verdict_of(findings) is Verdict.OK
    lines = [f"# {TITLE}", "", f"The gate is {'open' if open_gate else 'shut'}.", ""]
    lines += [f"- {each.suite}, {each.where}: {_plain(each.text)}" for each in findings]
    for suite in results.suites:
        lines += ["", *_suite(suite, baseline.get(suite.name))]
    return "\n".join(lines) + "\n"


def _suite(suite: SuiteResult, expected: Expected | None) -> list[str]:
    failing = [case for case in suite.product.cases if not case.passed]
    total = len(suite.product.cases)
    return [
        f"## {_plain(suite.title)}",
        "",
        f"{total - len(failing)} of {total} cases pass with {suite.model}.",
        "",
        "| metric | cases | product | 95 % | naive | product − naive | baseline |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(_row(metric, suite, expected) for metric in suite.product.metrics),
        *([""] if failing else []),
        *(f"- `{_plain(case.id)}` fails: {_plain(why(case))}" for case in failing),
    ]


def _row(metric: MetricResult, suite: SuiteResult, expected: Expected | None) -> str:
    naive = None if suite.naive is None else suite.naive.metric(metric.name)
    before = None if expected is None else expected.metrics.get(metric.name)
    gain = metric.minus_naive
    cells = (
        metric.name,
        str(metric.estimate.count),
        figure(metric.estimate.mean),
        interval(metric.estimate),
        "" if naive is None else figure(naive.estimate.mean),
        "" if gain is None else f"{figure(gain.mean)} ({interval(gain)})",
        "" if before is None else figure(before),
    )
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Return a text as one line of Markdown that marks nothing up."""
    line = " ".join(text.split())
    return "".join(f"\\{each}" if each in "\\`*_[]<>|#" else each for each in line)
