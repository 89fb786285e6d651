"""The report as one page of HTML: no script, nothing from elsewhere, every text escaped.

A case's text is written by an attacker, a model's answer by a model that has read it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Final

from evals.estimates import Estimate
from evals.gate import Baseline, Expected, Finding, Verdict, behind, verdict_of, why
from evals.plots import plot_figure, plot_share
from evals.results import CaseResult, MetricResult, Results, SuiteResult
from evals.tables import figure, interval

TITLE: Final = "How good is the agent?"
TEMPLATE: Final = Path(__file__).with_name("report.html")
_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What nobody sees, or what turns the text around it: it is shown by its number."""
WHOLE_ONLY: Final = frozenset({"no_error", "tokens", "calls"})
"""Figures that every suite has, of which nobody asks how they are in a slice."""
COSTS: Final = frozenset({"tokens", "calls"})
_COLUMNS: Final = ("product", "naive", "gain", "baseline")


def make_html(results: Results, *, baseline: Baseline, findings: Sequence[Finding]) -> str:
    """Return the page."""
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    cases = sum(len(suite.product.cases) for suite in results.suites)
    models = ", ".join(dict.fromkeys(suite.model for suite in results.suites))
    return template.substitute(
        title=TITLE,
        about=f"{cases} cases in {len(results.suites)} suites, answered by {text(models)}.",
        gate=_gate(findings),
        cards="".join(_card(suite, baseline.get(suite.name)) for suite in results.suites),
        suites="".join(_suite(suite, baseline.get(suite.name)) for suite in results.suites),
        times=_times(results),
    )


def text(value: object) -> str:
    """Return any text as HTML that reads as it was; what cannot be seen is a number."""
    return escape(_UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(value)), quote=True)


def _gate(findings: Sequence[Finding]) -> str:
    verdict = verdict_of(findings)
    kind, said = {
        Verdict.OK: ("good", "The gate is open: nothing is worse than the baseline."),
        Verdict.REGRESSION: ("bad", "The gate is shut: something is worse than the baseline."),
    }.get(verdict, ("warn", "The gate is shut: not everything can be judged."))
    listed = "".join(
        f"<li><b>{text(finding.suite)}</b>"
        f"{'' if finding.where == finding.suite else ', ' + text(finding.where)}: "
        f"{text(finding.text)}</li>"
        for finding in findings
    )
    return f'<section class="gate {kind}"><b>{said}</b>{listed and f"<ul>{listed}</ul>"}</section>'


def _card(suite: SuiteResult, expected: Expected | None) -> str:
    count, passed = len(suite.product.cases), sum(case.passed for case in suite.product.cases)
    changes = _changes(suite, expected)
    return (
        f'<a class="card" href="#{text(suite.name)}"><b>{text(suite.name)}</b>'
        f'<span class="big number">{passed} <span class="quiet small">of {count} pass</span></span>'
        f"{plot_share(passed, count)}"
        f'<span class="small quiet">{_naive_share(suite)}{changes}</span></a>'
    )


def _naive_share(suite: SuiteResult) -> str:
    if suite.naive is None:
        return ""
    passed = sum(case.passed for case in suite.naive.cases)
    return f"naive: {passed} of {len(suite.naive.cases)}; "


def _changes(suite: SuiteResult, expected: Expected | None) -> str:
    if expected is None:
        return "no baseline yet"
    worse = sum(_is_new(case, expected) for case in suite.product.cases)
    better = sum(
        case.passed and expected.cases.get(case.id) == "failed" for case in suite.product.cases
    )
    told = [f'<span class="bad">{worse} newly failing</span>'] if worse else []
    told += [f'<span class="good">{better} newly passing</span>'] if better else []
    return ", ".join(told) or "each case as in the baseline"


def _is_new(case: CaseResult, expected: Expected | None) -> bool:
    """Tell whether a case fails that passed in the baseline."""
    stood = None if expected is None else expected.cases.get(case.id)
    return not case.passed and stood in {"hard", "passed"}


def _suite(suite: SuiteResult, expected: Expected | None) -> str:
    failing = [case for case in suite.product.cases if not case.passed]
    failing.sort(key=lambda case: not _is_new(case, expected))
    rows = "".join(_metric(metric, suite, expected) for metric in suite.product.metrics)
    groups = _groups(suite)
    cases = "".join(_case(case, suite, expected) for case in failing)
    headers = "".join(f'<th class="number">{name}</th>' for name in _COLUMNS)
    return (
        f'<section><h2 id="{text(suite.name)}">{text(suite.title)}</h2>'
        f'<p class="quiet small">{len(suite.product.cases)} cases, {text(suite.model)}</p>'
        f'<div class="table"><table class="figures"><thead><tr><th>metric</th><th></th>'
        f"{headers}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"<details><summary>By language and slice</summary>"
        f'<div class="inside">{groups}</div></details>'
        f"<h3>{_counted(len(failing), 'failing case')}</h3>{cases}</section>"
    )


def _metric(metric: MetricResult, suite: SuiteResult, expected: Expected | None) -> str:
    naive = _naive(suite, metric.name)
    before = None if expected is None else expected.metrics.get(metric.name)
    plot = plot_figure(metric.estimate, naive=naive, baseline=before, bound=metric.bound)
    arrow = "" if metric.better == "higher" else " Less is better."
    note = "" if metric.gated else " Not gated."
    cells = (
        f"{figure(metric.estimate.mean)}<span class=quiet>{interval(metric.estimate)}</span>",
        "" if naive is None else f"{figure(naive.mean)}<span class=quiet>{interval(naive)}</span>",
        _gain(metric),
        _against(metric, before),
    )
    numbers = "".join(
        f'<td class="number" data-name="{name}">{cell}</td>'
        for name, cell in zip(_COLUMNS, cells, strict=True)
    )
    return (
        f'<tr><td class="wide"><span class="metric">{text(metric.name)}</span>'
        f'<span class="quiet">{text(metric.question)}{arrow}{note} '
        f"{_counted(metric.estimate.count, 'case')}.</span></td>"
        f'<td class="wide">{plot}</td>{numbers}</tr>'
    )


def _gain(metric: MetricResult) -> str:
    gain = metric.minus_naive
    if gain is None:
        return ""
    sure = not gain.low <= 0.0 <= gain.high
    good = gain.mean > 0 if metric.better == "higher" else gain.mean < 0
    kind = ("good" if good else "bad") if sure else "quiet-number"
    return (
        f'<span class="{kind}">{_signed(gain.mean)}</span><span class=quiet>{interval(gain)}</span>'
    )


def _against(metric: MetricResult, before: float | None) -> str:
    if before is None:
        return '<span class="quiet">new</span>'
    lost = behind(metric, metric.estimate.mean, before)
    change = metric.estimate.mean - before
    said = "=" if abs(lost) < 1e-6 else _signed(change)
    kind = "" if abs(lost) < 1e-6 else "bad" if lost > 0 else "good"
    return f'<span class="{kind}">{said}</span><span class=quiet>{figure(before)}</span>'


def _groups(suite: SuiteResult) -> str:
    blocks = []
    for metric in suite.product.metrics:
        if metric.name in WHOLE_ONLY:
            continue
        naive = suite.naive.metric(metric.name) if suite.naive is not None else None
        rows = "".join(
            _group(name, estimate, None if naive is None else naive.groups.get(name))
            for name, estimate in metric.groups.items()
        )
        blocks.append(
            f"<h3>{text(metric.name)}</h3>"
            f'<div class="table"><table class="figures"><tbody>{rows}</tbody></table></div>'
        )
    return "".join(blocks)


def _group(name: str, product: Estimate, naive: Estimate | None) -> str:
    plot = plot_figure(product, naive=naive, baseline=None, bound=None)
    beside = "" if naive is None else f"{figure(naive.mean)}"
    return (
        f'<tr><td class="wide">{text(name)} '
        f'<span class="quiet">{_counted(product.count, "case")}</span></td>'
        f'<td class="wide">{plot}</td><td class="number" data-name="product">'
        f"{figure(product.mean)}<span class=quiet>{interval(product)}</span></td>"
        f'<td class="number" data-name="naive">{beside}</td></tr>'
    )


def _case(case: CaseResult, suite: SuiteResult, expected: Expected | None) -> str:
    tags = [_tag(case.language), *map(_tag, case.slices)]
    tags += [_tag("hard", kind="bad")] if case.hard else []
    tags += [_tag("passed before", kind="bad")] if _is_new(case, expected) else []
    rows = "".join(
        f'<tr><td>{text(name)}</td><td class="number">{score:g}</td>'
        f"<td>{'' if name in COSTS else _verdict(name in case.failed)}</td></tr>"
        for name, score in case.scores.items()
    )
    error = f'<p class="bad">error: {text(case.error)}</p>' if case.error else ""
    parts = [
        error,
        f'<div class="table"><table><tbody>{rows}</tbody></table></div>' if rows else "",
        _block("The case", case.inputs),
        _block("What would be right", case.expected),
        _block("What came of it", case.data),
    ]
    for number, exchange in enumerate(case.exchanges, 1):
        of = "" if len(case.exchanges) == 1 else f" {number} of {len(case.exchanges)}"
        parts.append(f"<h3>Prompt{of}</h3><pre>{text(exchange.prompt)}</pre>")
        parts.append(f'<h3>Answer{of}</h3><pre class="answer">{text(exchange.answer)}</pre>')
    return (
        f'<details id="{text(suite.name)}-{text(case.id)}"><summary><b>{text(case.id)}</b> '
        f'<span class="small quiet">{text(why(case))}</span>{"".join(tags)}</summary>'
        f'<div class="inside">{"".join(parts)}</div></details>'
    )


def _verdict(failed: object) -> str:
    return '<span class="bad">fails</span>' if failed else '<span class="good">passes</span>'


def _tag(name: str, *, kind: str = "") -> str:
    return f'<span class="tag {kind}">{text(name)}</span>'


def _block(name: str, value: Mapping[str, Any] | None) -> str:
    if not value:
        return ""
    return f"<h3>{name}</h3><pre>{text(_readable(value))}</pre>"


def _readable(value: Mapping[str, Any]) -> str:
    """Return fields one under another, long texts as they read, the rest as JSON."""
    return "\n".join(_field(name, each) for name, each in value.items())


def _field(name: str, value: Any) -> str:
    if isinstance(value, str):
        return f"{name}: {value}" if "\n" not in value else f"{name}:\n{value}"
    return f"{name}: {json.dumps(value, ensure_ascii=False, indent=1, default=str)}"


def _naive(suite: SuiteResult, name: str) -> Estimate | None:
    metric = None if suite.naive is None else suite.naive.metric(name)
    return None if metric is None else metric.estimate


def _times(results: Results) -> str:
    rows = "".join(
        f'<tr><td>{text(name)}</td><td class="number">{times.total:.1f} s</td>'
        f'<td class="number">{times.p50:.2f} s</td><td class="number">{times.p95:.2f} s</td></tr>'
        for name, times in results.times.items()
    )
    names: Iterable[str] = ("all cases", "p50", "p95")
    headers = "".join(f'<th class="number">{name}</th>' for name in names)
    return (
        f'<div class="table"><table><thead><tr><th></th>{headers}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else '±'}{figure(abs(value))}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
