"""Shares of cases with Wilson's interval, which is honest near 0 and 1 and for few cases."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Z: Final = 1.959964
"""The normal quantile of a two-sided interval that holds with 95 % confidence."""


@dataclass(frozen=True)
class Share:
    """How many of `total` cases are as they should be; of no cases at all it is 0 in [0, 1]."""

    right: int
    total: int

    @property
    def value(self) -> float:
        """Return the share."""
        return self.right / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Return the ends of Wilson's 95 % interval."""
        if not self.total:
            return 0.0, 1.0
        ratio = Z * Z / self.total
        middle = (self.value + ratio / 2) / (1 + ratio)
        spread = self.value * (1 - self.value) / self.total + ratio / (4 * self.total)
        half = Z * math.sqrt(spread) / (1 + ratio)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.right}/{self.total} = {self.value:.1%} [{low:.1%}, {high:.1%}]"


def share(holds: Iterable[bool]) -> Share:
    """Return the share of the cases for which it holds."""
    judged = list(holds)
    return Share(sum(judged), len(judged))
