"""What the agent counts in this process, by Prometheus' rules: runs and model calls.

No label has a value that comes from a user or a model: kinds, states and codes are the program's
own, a model's name is the operator's.
"""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
AGENT: Final = CollectorRegistry()
OK: Final = "OK"

RUNS: Final = Counter(
    "goals_runs_total",
    "Runs of the agent that ended or wait for a decision, by kind and by how.",
    ["kind", "state"],
    registry=AGENT,
)
ACTIVE_RUNS: Final = Gauge(
    "goals_runs_active",
    "Runs that this process works on now.",
    ["kind"],
    registry=AGENT,
)
MODEL_CALLS: Final = Counter(
    "goals_model_calls_total",
    "Calls of the chat model; the code is OK or that of the error which the call came to.",
    ["model", "code"],
    registry=AGENT,
)
MODEL_SECONDS: Final = Histogram(
    "goals_model_call_seconds",
    "Seconds of a call of the chat model, to its last word or its error.",
    ["model"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600),
    registry=AGENT,
)
MODEL_TOKENS: Final = Counter(
    "goals_model_tokens_total",
    "Tokens of the chat model, as its server counted them.",
    ["model", "direction"],
    registry=AGENT,
)


def count_call(model: str, *, code: str, started: float, tokens: tuple[int, int]) -> None:
    """Count a call that began at the `time.perf_counter` of `started`; tokens in and out."""
    MODEL_CALLS.labels(model=model, code=code).inc()
    MODEL_SECONDS.labels(model=model).observe(time.perf_counter() - started)
    for direction, number in zip(("input", "output"), tokens, strict=True):
        if number:
            MODEL_TOKENS.labels(model=model, direction=direction).inc(number)


def count_run(kind: str, state: str) -> None:
    """Count a run that came to `state`: finished, waiting, failed or cancelled."""
    RUNS.labels(kind=kind, state=state).inc()
