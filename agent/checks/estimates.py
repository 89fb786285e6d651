"""A plan's estimates, scaled by how long the learner's own tasks took."""

from typing import Final

from agent.checks.plan import LEAST_HOURS, MAX_HOURS, Step
from agent.state import Json

EXPANDABLE_FROM: Final = 8
"""Complexity from which a task is worth a breakdown of its own."""
QUARTER: Final = 0.25


def estimate(step: Step, calibration: Json | None) -> Json:
    """Return what a task's metadata keep of its estimate, in hours.

    `uncalibrated` is the model's own likely value, kept where a ratio has changed it.
    """
    ratio = calibration["ratio"] if calibration else 1.0
    low, likely, high = (
        _scaled(hours, ratio) for hours in (step.hours_low, step.hours_likely, step.hours_high)
    )
    kept: Json = {
        "low": low,
        "likely": likely,
        "high": high,
        "complexity": step.complexity,
        "reason": step.reason,
    }
    if ratio != 1.0:
        kept["uncalibrated"] = step.hours_likely
    if step.complexity >= EXPANDABLE_FROM:
        kept["expandable"] = True
    return kept


def with_likely(kept: Json, hours: float) -> Json:
    """Return an estimate whose likely value a person has set."""
    return {
        **{name: value for name, value in kept.items() if name != "uncalibrated"},
        "low": min(kept["low"], hours),
        "likely": hours,
        "high": max(kept["high"], hours),
    }


def _scaled(hours: float, ratio: float) -> float:
    if ratio == 1.0:
        return hours
    quarters = round(hours * ratio / QUARTER) * QUARTER
    return min(max(quarters, LEAST_HOURS), MAX_HOURS)
