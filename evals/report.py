"""The report."""

from collections.abc import Sequence
from pathlib import Path

from evals.gate import Baseline, Finding
from evals.results import Results


def write_report(
    results: Results, folder: Path, *, baseline: Baseline, findings: Sequence[Finding]
) -> list[Path]:
    """Write it."""
    raise NotImplementedError
