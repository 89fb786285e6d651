"""The whole job with the real local model: minutes, so `make test-local` alone runs it."""

import os
import subprocess

import pytest

from api.settings import Settings
from tests.e2e.conftest import GOALS, ROOT, Program

pytestmark = pytest.mark.local_model


def test_the_demo_tells_the_whole_story_with_the_local_model(program: Program) -> None:
    model = Settings(_env_file=None).local_model
    if not model.is_file():
        pytest.fail(f"there is no model at {model}: run `goals models pull`")
    environment = program.environment | {
        "GOALS_CHAT": "local",
        "GOALS_EMBEDDINGS": "local",
        "GOALS_LOCAL_MODEL": str(model),
        "COLUMNS": "120",
        "PATH": os.environ["PATH"],
    }

    done = subprocess.run(
        [*GOALS, "demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "the task is now failed" in done.stdout
    assert "the task is now completed" in done.stdout
    assert "ai.goal_suggested" in done.stdout
    rows = program.run(
        "psql",
        "-Atc",
        "select (select count(*) from goals where ai_generated) > 0, "
        "(select count(*) from code_snapshots), "
        "(select count(*) from events where parquet_path is null)",
    )
    assert rows.stdout.strip() == "t|3|0"
