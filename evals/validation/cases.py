"""The validation set: tasks, a right and a wrong program for each, and the checks that tell.

Written for this project; every label was verified by running the checks. The product sees a task
and a program's code, never the checks, the labels or the witnesses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evals.lines import read_lines

FOLDER: Final = Path(__file__).parents[1] / "fixtures" / "validation"


@dataclass(frozen=True)
class Task:
    """What a learner is asked to program; `language` is the text's, `es` or `en`."""

    id: str
    language: str
    programming_language: str
    title: str
    description: str
    criteria: tuple[str, ...]
    examples: bool
    origin: str

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the title, the description and the criteria."""
        return (self.title, self.description, *self.criteria)


@dataclass(frozen=True)
class Witness:
    """A check that a wrong program failed: a call or standard input, and what it gave."""

    expected: str
    got: str
    call: str | None = None
    stdin: str | None = None


@dataclass(frozen=True)
class Submission:
    """A learner's program; a wrong one has its kind of bug and a witness."""

    id: str
    task_id: str
    code: str
    correct: bool
    bug: str | None
    why: str | None
    witness: Witness | None


@dataclass(frozen=True)
class CallCheck:
    """An expression that gives `expected`, a literal, or raises the exception `raises`."""

    call: str
    expected: str | None = None
    raises: str | None = None


@dataclass(frozen=True)
class ProgramCheck:
    """What a whole program prints for what it reads; for SQL, a query's rows for the tables."""

    stdin: str
    stdout: str


Check = CallCheck | ProgramCheck


def load_tasks(folder: Path = FOLDER) -> tuple[Task, ...]:
    """Read `tasks.jsonl` of `folder`."""
    return tuple(
        Task(**{**row, "criteria": tuple(row["criteria"])})
        for row in read_lines(folder / "tasks.jsonl")
    )


def load_submissions(folder: Path = FOLDER) -> tuple[Submission, ...]:
    """Read `submissions.jsonl` of `folder`."""
    return tuple(_submission(row) for row in read_lines(folder / "submissions.jsonl"))


def load_checks(folder: Path = FOLDER) -> Mapping[str, tuple[Check, ...]]:
    """Read `checks.jsonl` of `folder`: a task's id -> its checks."""
    return {
        row["task_id"]: tuple(_check(check) for check in row["checks"])
        for row in read_lines(folder / "checks.jsonl")
    }


def _submission(row: dict[str, Any]) -> Submission:
    witness = row["witness"]
    return Submission(**{**row, "witness": Witness(**witness) if witness is not None else None})


def _check(row: dict[str, str]) -> Check:
    return ProgramCheck(**row) if "stdin" in row else CallCheck(**row)
