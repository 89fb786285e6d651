"""What an analyzer can say about code; the words that the analyzers share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["low", "medium", "high"]

MAX_FACTS: Final = 50
MAX_MESSAGE: Final = 300


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing that is so; the lines are 1-based and inclusive, the rule's name is stable."""

    analyzer: str
    rule: str
    line: int
    end_line: int
    message: str
    severity: Severity


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Sizes of a file.

    `lines` counts all lines, `code_lines` those that are neither blank nor comment, `functions`
    those with a body (methods too), `max_complexity` is McCabe's number of the most branched one
    (1 for a straight line, 0 where there is no function), `longest_function` is in lines.
    """

    lines: int
    code_lines: int
    functions: int
    max_complexity: int
    longest_function: int


@dataclass(frozen=True, kw_only=True)
class Unavailable:
    """An analyzer that would apply to this language and gave no answer, and why."""

    analyzer: str
    reason: str


class Unusable(Exception):
    """An analyzer gives no answer for this code; the text says why."""


def in_order(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the first `MAX_FACTS` facts by line."""
    by_line = sorted(facts, key=lambda fact: (fact.line, fact.end_line, fact.rule))
    return tuple(by_line[:MAX_FACTS])
