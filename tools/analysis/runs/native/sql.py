"""SQL by Python's own SQLite, in the box of CPython: the rows of a query, a line for each.

SQLite is not every database: what it refuses for its syntax or a function that it lacks may be
right elsewhere, and is not runnable. A column that no table has is wrong everywhere.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tools.analysis.examples.example import Example
from tools.analysis.examples.literals import evaluate_literal
from tools.analysis.examples.sql_cases import ANY_ORDER
from tools.analysis.runs import cpython
from tools.analysis.runs.program import Outcome, make_outcome

RUNNER: Final = "sqlite"
_WRONG: Final = re.compile(r"no such column|ambiguous column name|misuse of aggregate")
_PROGRAM: Final = """
import sqlite3, sys
given = sys.stdin.read()
base = sqlite3.connect(":memory:")
base.executescript(given)
rows, waiting = None, ""
for letter in CODE + "\\n;":
    waiting += letter
    if letter == ";" and sqlite3.complete_statement(waiting):
        if waiting.strip(" \\n\\t;"):
            cursor = base.execute(waiting)
            rows = cursor.fetchall() if cursor.description else rows
        waiting = ""
if rows is None:
    raise LookupError("no query gives rows")
def plain(cell):
    cell = {"true": 1, "false": 0}.get(str(cell).lower(), cell)
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return "" if cell is None else str(cell)
    return format(number, ".10g")
lines = ["|".join(map(plain, row)) for row in rows]
print("\\n".join(sorted(lines) if given.startswith(ANY_ORDER) else lines))
"""


def run_queries(
    code: str, examples: Sequence[Example], *, seconds: float, memory_mb: int
) -> list[Outcome]:
    """Run the query on the tables of each example, which are its input."""
    program = _PROGRAM.replace("ANY_ORDER", repr(ANY_ORDER)).replace("CODE", repr(code))
    outcomes = []
    deadline = time.monotonic() + 2 * seconds
    for example in examples:
        if example.kind != "io":
            detail = "a query has no calls"
            outcomes.append(make_outcome(example, "not_runnable", detail=detail, runner=RUNNER))
            continue
        wanted = _plain_lines(example)
        (outcome,) = cpython.run_in_box(
            program,
            [replace(example, expected=repr(wanted))],
            seconds=seconds,
            memory_mb=memory_mb,
            deadline=deadline,
        )
        outcomes.append(_judge(example, outcome))
    return outcomes


def _plain_lines(example: Example) -> str:
    lines = str(evaluate_literal(example.expected or "''")).strip("\n").split("\n")
    plain = ["|".join(_plain(cell.strip()) for cell in line.split("|")) for line in lines]
    ordered = not str(evaluate_literal(example.expression)).startswith(ANY_ORDER)
    return "\n".join(plain if ordered else sorted(plain))


def _plain(cell: str) -> str:
    cell = {"true": "1", "false": "0"}.get(cell.lower(), cell)
    try:
        return format(float(cell), ".10g")
    except ValueError:
        return cell


def _judge(example: Example, outcome: Outcome) -> Outcome:
    detail = outcome.detail or ""
    known = re.match(r"(?:\w+Error|Warning|LookupError): (?P<said>.*?)(?: \(line \d+\))?$", detail)
    if outcome.status != "error" or known is None:
        return replace(outcome, example=example, expected=example.expected, runner=RUNNER)
    status = outcome.status if _WRONG.search(known["said"]) else "not_runnable"
    return make_outcome(example, status, detail=f"SQLite: {known['said']}", runner=RUNNER)
