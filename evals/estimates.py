"""Means with confidence intervals, by bootstrap over cases: the same seed, the same interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

RESAMPLES: Final = 2_000
CONFIDENCE: Final = 0.95
SEED: Final = 20_240_501


@dataclass(frozen=True)
class Estimate:
    """A mean over `count` cases and the interval that holds it with 95 % confidence."""

    mean: float
    low: float
    high: float
    count: int


def estimate(scores: Sequence[float], *, seed: int = SEED) -> Estimate:
    """Return the mean of `scores` and its percentile interval over resampled cases.

    Raises ValueError for no scores: nothing was measured, and that is not a zero.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0:
        raise ValueError("no scores: nothing was measured")
    drawn = np.random.default_rng(seed).integers(0, values.size, size=(RESAMPLES, values.size))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values[drawn].mean(axis=1), [tail, 1 - tail])
    return Estimate(
        mean=_rounded(values.mean()), low=_rounded(low), high=_rounded(high), count=values.size
    )


def paired_difference(
    ours: Sequence[float], theirs: Sequence[float], *, seed: int = SEED
) -> Estimate:
    """Return the mean of `ours` minus `theirs`, case by case, and its interval.

    An interval above 0 says that ours is better on these cases beyond the luck of their choice.
    Raises ValueError for no scores or for two lists that are not of the same cases.
    """
    return estimate([a - b for a, b in zip(ours, theirs, strict=True)], seed=seed)


def _rounded(value: float) -> float:
    """Round to what does not change between machines; + 0.0 turns -0.0 into 0.0."""
    return round(float(value), 6) + 0.0
