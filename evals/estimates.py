"""Means with confidence intervals, by bootstrap over cases: the same seed, the same interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evals.suite import Scored, mean

Gather = Callable[[Sequence[Scored]], float]

RESAMPLES: Final = 2_000
GATHERED_RESAMPLES: Final = 500
"""Of figures that are no means, and so are made of each resample in Python."""
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
    drawn = _draws(values.size, RESAMPLES, seed)
    return _estimate(float(values.mean()), values[drawn].mean(axis=1), values.size)


def paired_difference(
    ours: Sequence[float], theirs: Sequence[float], *, seed: int = SEED
) -> Estimate:
    """Return the mean of `ours` minus `theirs`, case by case, and its interval.

    An interval above 0 says that ours is better on these cases beyond the luck of their choice.
    Raises ValueError for no scores or for two lists that are not of the same cases.
    """
    return estimate([a - b for a, b in zip(ours, theirs, strict=True)], seed=seed)


def estimate_gathered(scored: Sequence[Scored], gather: Gather) -> Estimate:
    """Return what `gather` makes of scored cases and its interval over resampled ones.

    A resample that `gather` cannot judge (no wrong program among the cases, say) is left out.
    Raises ValueError for no scores.
    """
    if gather is mean:
        return estimate([score for _, _, score in scored])
    drawn = _draws(len(scored), GATHERED_RESAMPLES, SEED)
    values = [_gathered(gather, [scored[place] for place in places]) for places in drawn]
    return _estimate(gather(scored), np.asarray(values), len(scored))


def difference_gathered(
    ours: Sequence[Scored], theirs: Sequence[Scored], gather: Gather
) -> Estimate | None:
    """Return `gather` of ours minus `gather` of theirs on the cases that both have, by their ids.

    The same cases are drawn for both. None where there is no such case.
    """
    other: Mapping[str, Scored] = {case.id: (case, out, score) for case, out, score in theirs}
    pairs = [(each, other[each[0].id]) for each in ours if each[0].id in other]
    if not pairs:
        return None
    if gather is mean:
        return paired_difference([a[2] for a, _ in pairs], [b[2] for _, b in pairs])
    drawn = _draws(len(pairs), GATHERED_RESAMPLES, SEED)
    values = [
        _gathered(gather, [pairs[place][0] for place in places])
        - _gathered(gather, [pairs[place][1] for place in places])
        for places in drawn
    ]
    middle = gather([a for a, _ in pairs]) - gather([b for _, b in pairs])
    return _estimate(middle, np.asarray(values), len(pairs))


def _draws(size: int, times: int, seed: int) -> NDArray[np.int64]:
    if size == 0:
        raise ValueError("no scores: nothing was measured")
    return np.random.default_rng(seed).integers(0, size, size=(times, size))


def _gathered(gather: Gather, scored: Sequence[Scored]) -> float:
    try:
        return gather(scored)
    except (ArithmeticError, ValueError):
        return float("nan")


def _estimate(middle: float, resampled: NDArray[np.float64], count: int) -> Estimate:
    tail = (1 - CONFIDENCE) / 2
    judged = resampled[~np.isnan(resampled)]
    low, high = np.quantile(judged, [tail, 1 - tail]) if judged.size else (middle, middle)
    return Estimate(mean=_rounded(middle), low=_rounded(low), high=_rounded(high), count=count)


def _rounded(value: float) -> float:
    """Round to what does not change between machines; + 0.0 turns -0.0 into 0.0."""
    return round(float(value), 6) + 0.0
