"""When to try again, and what to say until then."""

import random
from typing import Final

FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 30.0


def retry_delay(failures: int, *, longest: float = LONGEST_DELAY_SECONDS) -> float:
    """Return the seconds to wait after so many failures in a row: growing, jittered, bounded."""
    at_most = min(longest, FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 20))
    return random.uniform(at_most / 2, at_most)  # noqa: S311 - jitter is no secret


def reason(error: Exception) -> str:
    """Return the error's first line; statements and their parameters stay out of the log."""
    lines = str(getattr(error, "orig", None) or error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
