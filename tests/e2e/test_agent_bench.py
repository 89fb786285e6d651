"""`goals bench api` as a person starts it, with next to nothing to measure."""

import json
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from api.agent_bench.goals import GOALS, LABELS
from api.agent_bench.plan import SECTIONS
from tests.e2e.conftest import GOALS as PROGRAM

LITTLE = ("--rounds", "1", "--requests", "2", "--burst", "16", "--streams", "5")
OF_CHAT = {"first_token", "streams"}


def bench(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOALS_")}
    return subprocess.run(
        [*PROGRAM, "bench", "api", *arguments],
        env=clean | {"GOALS_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def running_parts() -> set[str]:
    """Return the command lines of the bench's own processes."""
    lines = {
        " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    }
    return {line for line in lines if "api.agent_bench." in line}


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param({"suggest", "imports"}, id="two"),
        pytest.param(set(SECTIONS), id="all", marks=pytest.mark.faults),
    ],
)
@pytest.mark.faults
def test_a_small_run_measures_what_it_is_asked_for_and_leaves_nothing_behind(
    sections: set[str], tmp_path: Path
) -> None:
    before = running_parts()

    done = bench(tmp_path, "--json", "--only", ",".join(sorted(sections)), *LITTLE)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    figures = {figure["name"]: figure["median"] for figure in report["figures"]}
    unmeasured = OF_CHAT if report["unmeasured"] else set()
    wanted = {name for name in LABELS if name.split(".")[0] not in unmeasured}
    assert set(figures) == (wanted if sections == set(SECTIONS) else set(figures) & wanted)
    assert {goal["figure"] for goal in report["goals"]} == {
        goal.figure for goal in GOALS if goal.figure in figures
    }
    assert figures.get("streams.lost", 0) == 0
    assert 0 < figures["suggest.added.p50"] < figures["suggest.whole.p50"]
    assert report["parameters"]["sections"] == sorted(sections)
    assert not list(tmp_path.iterdir())
    assert running_parts() <= before


@pytest.mark.parametrize("section", ["speed", "search"])
def test_a_section_that_is_not_there_is_a_mistake_of_usage(tmp_path: Path, section: str) -> None:
    done = bench(tmp_path, "--only", section)

    assert done.returncode == 2
    assert f"no section {section}" in done.stderr
