"""Hold one example of what a learner's program must do."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["doctest", "call", "assert", "truth", "json", "io"]


@dataclass(frozen=True)
class Example:
    """`expression` gives `expected`, or raises `raises`; `quote` is where the task says so.

    Expressions are one line of JavaScript where the task is in it, else of Python. Of kind
    `truth`, only the truth of the value counts; of kind `io`, they are string literals of Python:
    what the program reads, and what it prints.
    """

    kind: Kind
    expression: str
    expected: str | None
    raises: str | None
    quote: str
