"""`goals bench retrieval` as a person starts it, with next to nothing to measure."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from api.retrieval_bench.goals import GOALS
from tests.e2e.conftest import GOALS as PROGRAM

LITTLE = ("--rows", "400", "--queries", "10", "--rounds", "1", "--ingest-rows", "40")


def bench(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOALS_")}
    return subprocess.run(
        [*PROGRAM, "bench", "retrieval", *arguments],
        env=clean | {"GOALS_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.faults
def test_a_small_run_measures_every_way_and_finds_every_row(tmp_path: Path) -> None:
    done = bench(tmp_path, "--json", *LITTLE)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    figures = {figure["name"]: figure["median"] for figure in report["figures"]}
    compared = {goal["figure"]: goal for goal in report["goals"]}
    assert set(compared) == {
        goal.figure for goal in GOALS if not goal.figure.endswith("recall_large")
    }
    for way in ("numpy", "ours", "ours_typed", "exact", "store_own_table"):
        assert (figures[f"{way}.recall"], figures[f"{way}.missing"]) == (1.0, 0)
    assert figures["fused.missing"] == 0
    assert compared["ours.recall_small"]["met"] is True
    assert min(value for name, value in figures.items() if "missing" not in name) > 0
    assert report["parameters"]["rows"] == 400
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("section", ["speed", "drain"])
def test_a_section_that_is_not_there_is_a_mistake_of_usage(tmp_path: Path, section: str) -> None:
    done = bench(tmp_path, "--only", section)

    assert done.returncode == 2
    assert f"no section {section}" in done.stderr
