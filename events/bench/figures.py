"""What is measured, how it compares, and which goals it is held against. Nothing here measures."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Sense = Literal["at least", "at most"]


class BenchFailed(Exception):
    """A measurement could not be made; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row: its values in `unit`, one for each round, and in words what they are of."""

    name: str
    what: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.values)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound for a figure, or for its ratio to `over`, by the median; without a bound, news."""

    figure: str
    over: str | None = None
    sense: Sense = "at least"
    bound: float | None = None


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """How a goal came out: the median of `values`; `met` is None where it has no bound."""

    goal: Goal
    values: tuple[float, ...]
    met: bool | None

    @property
    def value(self) -> float:
        """Return what is held against the bound."""
        return statistics.median(self.values)


GOALS: Final = (
    Goal(figure="publish.ours", over="publish.socket", bound=0.6),
    Goal(figure="publish.ours", over="publish.each_confirmed", bound=8),
    Goal(figure="publish.ours", over="publish.pika"),
    Goal(figure="drain", bound=5_000),
    Goal(figure="drain", over="publish.pika", bound=0.3),
    Goal(figure="drain", over="consume.pika"),
    Goal(figure="drain", over="write.pyarrow"),
    Goal(figure="request.with", over="request.without", sense="at most", bound=1.15),
    Goal(figure="requests.with", over="requests.without", bound=0.9),
    Goal(figure="update.with", over="update.without", sense="at most", bound=1.15),
    # Beside the request they show what an event weighs where less is done around it.
    Goal(figure="updates.with", over="updates.without"),
    Goal(figure="insert.with", over="insert.without", sense="at most"),
    Goal(figure="inserts.with", over="inserts.without"),
    Goal(figure="visible.p99", sense="at most", bound=50),
    Goal(figure="memory.relay.peak", sense="at most", bound=300),
    Goal(figure="memory.sink.peak", sense="at most", bound=300),
    # "Flat" in figures: what is kept for each event would show as a factor, not as a tenth.
    Goal(figure="memory.relay.end", over="memory.relay.quarter", sense="at most", bound=1.1),
    Goal(figure="memory.sink.end", over="memory.sink.quarter", sense="at most", bound=1.1),
)


def assess(figures: Sequence[Figure], goals: Sequence[Goal] = GOALS) -> list[Assessment]:
    """Return how those goals came out whose figures were measured, in the order of `goals`."""
    measured = {figure.name: figure for figure in figures}
    return [
        _assess(goal, measured)
        for goal in goals
        if goal.figure in measured and (goal.over is None or goal.over in measured)
    ]


def _assess(goal: Goal, measured: Mapping[str, Figure]) -> Assessment:
    figure = measured[goal.figure]
    values = figure.values if goal.over is None else ratios(figure, measured[goal.over])
    value = statistics.median(values)
    if goal.bound is None:
        return Assessment(goal=goal, values=values, met=None)
    met = value >= goal.bound if goal.sense == "at least" else value <= goal.bound
    return Assessment(goal=goal, values=values, met=met)


def ratios(figure: Figure, over: Figure) -> tuple[float, ...]:
    """Return the ratio of each round; of the medians where the rounds are not the same.

    Two figures of one round met the same machine: on a shared one their ratio moves less.
    """
    pairs = [(figure.median, over.median)]
    if len(figure.values) == len(over.values):
        pairs = list(zip(figure.values, over.values, strict=True))
    return tuple(above / below if below else math.inf for above, below in pairs)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of the values do not exceed."""
    rank = max(1, math.ceil(share * len(values)))
    return sorted(values)[rank - 1]


def make_report(
    figures: Sequence[Figure],
    *,
    environment: Mapping[str, Any],
    parameters: Mapping[str, Any],
    goals: Sequence[Goal] = GOALS,
) -> dict[str, Any]:
    """Return everything as JSON-ready values; a ratio without an end is null."""
    return {
        "environment": dict(environment),
        "parameters": dict(parameters),
        "figures": [
            {
                "name": figure.name,
                "what": figure.what,
                "unit": figure.unit,
                "median": figure.median,
                "min": min(figure.values),
                "max": max(figure.values),
                "values": list(figure.values),
            }
            for figure in figures
        ],
        "goals": [
            {
                "figure": each.goal.figure,
                "over": each.goal.over,
                "value": each.value if math.isfinite(each.value) else None,
                "values": [value if math.isfinite(value) else None for value in each.values],
                "sense": None if each.goal.bound is None else each.goal.sense,
                "bound": each.goal.bound,
                "met": each.met,
            }
            for each in assess(figures, goals)
        ],
    }
