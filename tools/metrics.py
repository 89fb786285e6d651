"""What the verbs count in this process, by Prometheus' rules: budgets that had nothing left."""

from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
TOOLS: Final = CollectorRegistry()

REFUSED: Final = Counter(
    "goals_budget_refusals_total",
    "Runs that were refused or ended because a budget was used up: a user's day, or the run's own.",
    ["budget"],
    registry=TOOLS,
)

# A series that begins at its first event hides that event from `rate`.
for _budget in ("day", "run"):
    REFUSED.labels(budget=_budget)


def count_refusal(budget: Literal["day", "run"]) -> None:
    """Count a budget that had nothing left."""
    REFUSED.labels(budget=budget).inc()
