"""A disk that is full in the middle of a file: nothing half-written is seen, and it goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.event_path import all_published
from tests.event_samples import record_events, samples
from tests.faults.carriers import ADAPTER, ROOT, Carrying
from tests.faults.full_disk import Outcome
from tests.faults.tally import Tally

MOUNTING = (
    ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
)


@pytest.fixture(scope="module")
def mounting() -> list[str]:
    """Return how to start a program that may mount; its mounts go when it ends."""
    command = [*MOUNTING, "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        reason = done.stderr if done.returncode else ""
    except FileNotFoundError:
        reason = "unshare is not installed"
    if reason and os.environ.get("CI") == "true" and os.geteuid() == 0:
        pytest.fail(f"cannot mount a small disk: {reason}", pytrace=False)
    if reason:
        pytest.skip(f"cannot mount a small disk: {reason}")
    return MOUNTING


@pytest.mark.parametrize("role", ["worker", "consumer"])
@pytest.mark.faults
def test_a_full_disk_leaves_no_file_and_is_gone_on_with_when_there_is_space(
    role: str,
    mounting: list[str],
    database_url: str,
    outbox: Engine,
    amqp_url: str,
    channel: Any,
    tmp_path: Path,
    tally: Tally,
) -> None:
    record_events(database_url, samples(270))
    carrying = Carrying(database_url=database_url, amqp_url=amqp_url, lake=tmp_path, rows=100)
    if role == "consumer":
        carrying.run("relay", outbox, stop=all_published(outbox))

    child = subprocess.run(
        [*mounting, sys.executable, "-m", "tests.faults.full_disk", role],
        input=ADAPTER.dump_json(carrying),
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=120,
    )

    assert child.returncode == 0, child.stderr.decode()
    outcome = Outcome(**json.loads(child.stdout.splitlines()[-1]))
    tally.events += outcome.events
    assert outcome.failures > 0
    assert outcome.left_in_staging == []
    assert outcome.readable_rows == outcome.processed_while_full < outcome.events
