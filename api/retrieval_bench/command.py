"""`goals bench retrieval`: measure retrieval beside its limits, on a server of its own.

Times are of two sets of queries (`owners.py`): by learner, each as likely as another, and by size,
where owners of a thousand rows and more are as many as those of a few. Recall, the mean and the
throughput are of the queries by size.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from api.bench_output import announcer, interrupted_by_sigterm, make_goals_table, short
from api.retrieval_bench.goals import GOALS, WORDS
from api.retrieval_bench.plan import Plan, Site
from api.retrieval_bench.run import measure
from events.bench.figures import Figure, assess, make_report

TIMES: Final = {
    "p50_learner": "p50 ms by learner", "p95_learner": "p95",
    "p50": "p50 ms by size", "p50_small": "≤ 100 rows", "p95": "p95", "mean": "mean",
    "qps_1": "QPS 1", "qps_4": "QPS 4", "qps_8": "QPS 8",
}  # fmt: skip
RECALLS: Final = {
    "recall": "recall@10", "recall_large": "> 1,000", "recall_small": "worst ≤ 4,000",
    "recall_worst": "worst", "missing": "missing",
}  # fmt: skip


def run_retrieval(plan: Plan, *, folder: Path | None, as_json: bool) -> None:
    """Measure and print; a missed goal is no error. A loaded server stays in `folder`, if given."""
    with interrupted_by_sigterm(), announcer() as announce, _opened(folder) as where:
        figures, environment = measure(Site(folder=where, announce=announce), plan)
    parameters = asdict(plan) | {"sections": sorted(plan.sections)}
    if as_json:
        report = make_report(figures, environment=environment, parameters=parameters, goals=GOALS)
        sys.stdout.write(json.dumps(report, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _print(figures, environment | parameters)


@contextlib.contextmanager
def _opened(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="goals-bench-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def _print(figures: Sequence[Figure], about: Mapping[str, Any]) -> None:
    console = Console(highlight=False)
    medians = {figure.name: figure.median for figure in figures}
    times = _pivot("medians of the rounds", TIMES, medians)
    recalls = _pivot("beside brute force", RECALLS, medians)
    taken = Table("ingest", "rows/s", box=None, header_style="bold")
    for name, words in WORDS.items():
        if name in medians:
            taken.add_row(words, short(medians[name]))
    compared = make_goals_table(assess(figures, GOALS), figures)
    for table in (times, recalls, taken, compared):
        if table.row_count:
            console.print(table, "")
    console.print(", ".join(f"{name} {value}" for name, value in about.items()))


def _pivot(title: str, columns: Mapping[str, str], medians: Mapping[str, float]) -> Table:
    """Return a table of a row for each way and a column for each of its figures."""
    table = Table(title, box=None, header_style="bold")
    for heading in columns.values():
        table.add_column(heading, justify="right")
    for name, words in WORDS.items():
        cells = [medians.get(f"{name}.{part}") for part in columns]
        if cells != [None] * len(cells):
            table.add_row(words, *("" if cell is None else short(cell) for cell in cells))
    return table
