"""The planning set: what a learner has, what they ask for, and which of their rows it rests on.

Written for this project. A case is one learner: their rows, one request for goals or for tasks, and
the keys of the rows that somebody who knows them would name as the reason (`relevant`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from evals.lines import read_lines

FOLDER: Final = Path(__file__).parent / "fixtures" / "planning"

Job = Literal["suggest_goals", "break_down_goal"]
Language = Literal["es", "en"]


@dataclass(frozen=True)
class Case:
    """One learner and one request.

    `language` is the one that the answer must have, `preference` the one that the learner has
    chosen. `rows` are in the order in which they were made; each has a `key`, a `type` and the
    fields of that type, and names other rows by their keys, as `request` does.
    """

    id: str
    job: Job
    learner: str
    language: Language
    preference: Language | None
    traits: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    request: Mapping[str, Any]
    relevant: frozenset[str]
    origin: str


def load_cases(folder: Path = FOLDER) -> tuple[Case, ...]:
    """Read `cases.jsonl` of `folder`."""
    return tuple(_case(row) for row in read_lines(folder / "cases.jsonl"))


def _case(row: dict[str, Any]) -> Case:
    return Case(
        **{
            **row,
            "traits": tuple(row["traits"]),
            "rows": tuple(row["rows"]),
            "relevant": frozenset(row["relevant"]),
        }
    )
