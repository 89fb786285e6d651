"""Exceptions in the log: where they come from and of what type, never what a learner sent.

A driver's error repeats the values that it refused, a validator's its input, a KeyError its key.
"""

import traceback
from types import TracebackType
from typing import Any, Final

from tools.errors import GoalsError

SPEAKS_OF_US: Final = (GoalsError, ImportError, AttributeError, NameError, TypeError, OSError)
"""Errors whose words are about the program and its machine."""
MAX_LINKS: Final = 8

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def format_exception(exc_info: ExcInfo) -> str:
    """Return a traceback with the types of the errors, and the words of those that tell nothing."""
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    for _ in range(MAX_LINKS):
        if error is None:
            break
        frames = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{_named(error)}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\ncaused what follows:\n\n".join(reversed(parts))


def _named(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    cause: Any = getattr(error, "orig", None) or error
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate is not None:
        return f"{name}: SQLSTATE {sqlstate}"
    speaks_of_us = isinstance(error, SPEAKS_OF_US) and not isinstance(error, UnicodeError)
    return f"{name}: {error}" if speaks_of_us else name
