"""Points at which tests kill a process: off by default, and at the hit that was asked for."""

import os
import signal
import subprocess
import sys

import pytest

from db import failpoints
from db.failpoints import Arm, read_arms

COUNT_TO_THREE = """
from db.failpoints import hit
for number in (1, 2, 3):
    hit("sink.mid_write")
    print(number, flush=True)
"""


def run_with(specification: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COUNT_TO_THREE],
        env=os.environ | {"GOALS_FAILPOINTS": specification},
        check=False,
        capture_output=True,
        text=True,
    )


def test_failpoints_are_off_by_default() -> None:
    assert failpoints.ARMED == {}


@pytest.mark.parametrize(
    ("specification", "arms"),
    [
        ("", {}),
        ("no.such_point", {}),
        ("relay.claimed", {"relay.claimed": Arm(1, signal.SIGKILL)}),
        ("relay.claimed:3", {"relay.claimed": Arm(3, signal.SIGKILL)}),
        ("sink.mid_write:2:stop", {"sink.mid_write": Arm(2, signal.SIGSTOP)}),
        (
            "relay.claimed:2, sink.mid_write",
            {
                "relay.claimed": Arm(2, signal.SIGKILL),
                "sink.mid_write": Arm(1, signal.SIGKILL),
            },
        ),
    ],
)
def test_what_is_armed_is_what_the_variable_names(specification: str, arms: dict[str, Arm]) -> None:
    assert read_arms(specification) == arms


def test_hits_that_are_no_number_are_refused() -> None:
    with pytest.raises(ValueError, match="often"):
        read_arms("relay.claimed:often")


@pytest.mark.parametrize(
    ("specification", "survived", "code"),
    [
        ("", ["1", "2", "3"], 0),
        ("sink.after_tx2", ["1", "2", "3"], 0),
        ("sink.mid_write", [], -signal.SIGKILL),
        ("sink.mid_write:3", ["1", "2"], -signal.SIGKILL),
    ],
)
def test_a_process_dies_at_the_hit_that_is_armed(
    specification: str, survived: list[str], code: int
) -> None:
    process = run_with(specification)

    assert (process.stdout.split(), process.returncode) == (survived, code)
