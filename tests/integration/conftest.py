"""What the integration tests share: Alembic as a process of its own, and analyzers with time."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.migrations import ROOT
from tools.analysis.facts.analyzers import patience

StartAlembic = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def unhurried_analyzers() -> Iterator[None]:
    """Let a machine that runs many tests at once find what an idle one finds."""
    with patience(20.0):
        yield


@pytest.fixture
def start_alembic(tmp_path: Path) -> StartAlembic:
    """Return a function that starts `alembic *arguments` on the database at `url`, unattended.

    It runs outside the repository, with nothing configured but `environment`.
    """

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        clean = {
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "AMQP_URL"} and not name.startswith("GOALS_")
        }
        return subprocess.Popen(
            [sys.executable, "-m", "alembic", "-c", str(ROOT / "alembic.ini"), *arguments],
            cwd=tmp_path,
            env=clean | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
