"""Run suites for the command line: progress, tables, the gate, the baseline, the report."""

import asyncio
import contextlib
import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from evals.gate import (
    BASELINE,
    Baseline,
    Finding,
    Verdict,
    expect,
    judge,
    read_baseline,
    verdict_of,
    write_baseline,
)
from evals.harness import CannotJudge, Found, run_suite
from evals.model import RECORDED_MODEL, open_model
from evals.recordings import NotRecorded
from evals.results import Results, SuiteResult, Times
from evals.suite import WAYS, Way
from evals.suites import load_suite
from evals.tables import show_findings, show_suite
from tools.errors import SetupError


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks for; `every` is true where no suite is named."""

    names: tuple[str, ...]
    every: bool = False
    model: str | None = None
    record: bool = False
    report: Path | None = None
    as_json: bool = False
    update_baseline: bool = False
    baseline: Path = BASELINE


def run_suites(asked: Asked) -> Verdict:
    """Run them, tell what was found, and return the exit code."""
    words = Console(stderr=True)
    results, unjudged = _measure(asked, words)
    before = read_baseline(asked.baseline)
    findings = _judge(asked, results, before, unjudged)
    if asked.as_json:
        sys.stdout.write(results.as_json())
    else:
        console = Console()
        for suite in results.suites:
            show_suite(suite, before.get(suite.name), console)
    if findings or asked.model is None:
        show_findings(findings, words)
    if asked.report is not None:
        from evals.report import write_report

        for path in write_report(results, asked.report, baseline=before, findings=findings):
            words.print(str(path), soft_wrap=True)
    if asked.update_baseline and not unjudged:
        _update(asked.baseline, expect(results, before), words)
        return Verdict.OK
    return verdict_of(findings)


def _judge(
    asked: Asked, results: Results, before: Baseline, unjudged: Mapping[str, str]
) -> list[Finding]:
    """Return what is wrong; of a live model only that it could not be measured."""
    if asked.model is not None and not asked.record:
        return [Finding(Verdict.CANNOT_JUDGE, name, name, why) for name, why in unjudged.items()]
    names = list(dict.fromkeys([*asked.names, *(before if asked.every else ())]))
    return judge(results, before, suites=names, unjudged=unjudged)


def _measure(asked: Asked, words: Console) -> tuple[Results, dict[str, str]]:
    """Return what the suites have found, and why those that have found nothing did not."""
    suites: list[SuiteResult] = []
    times: dict[str, Times] = {}
    unjudged: dict[str, str] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=words, transient=True) as progress:
        for name in asked.names:
            try:
                found = asyncio.run(_run(name, asked, progress))
            except (CannotJudge, NotRecorded, SetupError) as error:
                unjudged[name] = str(error)
                continue
            suites.append(found.result)
            times |= found.times
    return Results(suites=tuple(suites), times=times), unjudged


async def _run(name: str, asked: Asked, progress: Progress) -> Found:
    suite = load_suite(name)
    cases = suite.load()
    seen: dict[Way, int] = {"product": len(cases), "naive": sum(map(suite.naive_sees, cases))}
    bars = {way: progress.add_task(f"{name}, {way}", total=seen[way]) for way in WAYS}

    def note(way: Way) -> None:
        progress.advance(bars[way])

    async with open_model(suite.fixtures, live=asked.model, record=asked.record) as model:
        if asked.record and model.name != RECORDED_MODEL:
            raise CannotJudge(f"the recordings are of {RECORDED_MODEL}, not of {model.name}")
        found = await run_suite(suite, model, ways=WAYS, note=note)
    for bar in bars.values():
        progress.remove_task(bar)
    return found


def _update(path: Path, baseline: Baseline, words: Console) -> None:
    """Write the baseline and show what changes in it."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = write_baseline(baseline)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(after, encoding="utf-8")
    changed = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "baseline.json", "baseline.json", "before", "now",
        n=1, lineterm="",
    )  # fmt: skip
    for line in changed:
        words.print(line, markup=False, highlight=False, soft_wrap=True)
