"""A circuit breaker: whoever fails again and again is left alone for a while.

    closed ── `failures` in a row ──► open ── its time is over ──► half-open: one may try
      ▲                                ▲                               │
      └────────────── it worked ───────┼───────────────────────────────┤
                                       └────────── it failed ──────────┘

Each time it opens again it stays open twice as long, up to `longest`; jitter keeps many processes
from trying at the same moment.
"""

import random
import time
from collections.abc import Callable
from typing import Final, Literal

BreakerState = Literal["closed", "open", "half_open"]
_JITTER: Final = random.SystemRandom()


class Breaker:
    """The state machine; seconds, and a clock that only goes forward."""

    def __init__(
        self,
        *,
        failures: int = 5,
        shortest: float = 1.0,
        longest: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = _JITTER.random,
    ) -> None:
        """Open after `failures` in a row, for `shortest` seconds at first; `jitter` is 0 to 1."""
        self._failures, self._shortest, self._longest = failures, shortest, longest
        self._clock, self._jitter = clock, jitter
        self.state: BreakerState = "closed"
        self._failed = 0
        self._openings = 0
        self._until = 0.0

    @property
    def seconds_left(self) -> float:
        """Return how long nobody will be admitted, 0 where somebody may."""
        return max(0.0, self._until - self._clock()) if self.state == "open" else 0.0

    def admit(self) -> bool:
        """Tell whether to try now; who is admitted says afterwards how it went, always."""
        if self.state == "closed":
            return True
        if self.state == "half_open" or self.seconds_left > 0:
            return False
        self.state = "half_open"
        return True

    def succeeded(self) -> None:
        """Note that it worked; what was begun before it opened does not close it."""
        if self.state == "open":
            return
        self.state, self._failed, self._openings = "closed", 0, 0

    def failed(self) -> None:
        """Note that it did not."""
        self._failed += 1
        if self.state == "open" or (self.state == "closed" and self._failed < self._failures):
            return
        pause = min(self._longest, self._shortest * 2**self._openings)
        self.state, self._failed = "open", 0
        self._openings = min(self._openings + 1, 16)
        self._until = self._clock() + pause * (0.5 + 0.5 * self._jitter())
