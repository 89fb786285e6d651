"""What is wrong with stored goals and tasks: pure functions over the rows."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from db.enums import TaskStatus
from tools.schemas import GoalOut, TaskOut

Vector = NDArray[np.float32]

_VAGUE: Final = re.compile(
    r"\b(?:intuitiv\w+|user[- ]friendly|easy to (?:use|understand)|effective(?:ly)?"
    r"|efficient(?:ly)?|appropriate(?:ly)?|proper(?:ly)?|as expected|maintainable|readable"
    r"|well[- ](?:organi[sz]ed|structured|designed)|(?:high|good)[- ]quality"
    r"|understand(?:s|ing)?|learn(?:s|ed)?|fácil(?:es)? de (?:usar|entender|leer)|fácilmente"
    r"|efectiv\w+|eficiente(?:s|mente)?|adecuad\w+|apropiad\w+|mantenible|atractiv\w+"
    r"|confiables?|bien (?:estructurad|organizad|diseñad)\w+|de (?:alta|buena) calidad"
    r"|como se espera(?:ba)?|entender|entiendo|entiende|aprende[rn]?|soy capaz)\b",
    re.IGNORECASE,
)
"""Words after which two people need not agree whether a criterion holds."""


@dataclass(frozen=True)
class Stored:
    """A row's title, and the text by which it is compared with others."""

    title: str
    text: str


def plan_faults(tasks: Sequence[TaskOut], criteria: Sequence[str]) -> list[str]:
    """Return why the tasks of a goal are no plan; `criteria` are the ids of the goal's.

    A plan has at least one task, its edges lead to tasks of the goal and never in a circle, and
    every criterion is served by a task that is not skipped.
    """
    if not tasks:
        return ["the goal has no task"]
    edges = {task.id: _ids(task.metadata, "depends_on") for task in tasks}
    titles = {task.id: task.title for task in tasks}
    faults = [
        f"“{titles[task]}” depends on what is no task of the goal"
        for task, needed in edges.items()
        if not needed <= edges.keys()
    ]
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        circle = " → ".join(titles.get(task, task) for task in error.args[1])
        faults.append(f"a circle: {circle}")
    served = {
        criterion
        for task in tasks
        if task.status is not TaskStatus.SKIPPED
        for criterion in _ids(task.metadata, "serves")
    }
    faults += [
        f"no task serves criterion {number}"
        for number, criterion in enumerate(criteria, start=1)
        if criterion not in served
    ]
    return faults + [f"a task serves {one}, which is no criterion" for one in served - {*criteria}]


def repeats(
    known: Sequence[Stored],
    stored: Sequence[Stored],
    vectors: Sequence[Vector],
    *,
    threshold: float,
) -> list[str]:
    """Return the pairs that say the same, as text: of new rows, and of a new row and a known one.

    `vectors` has one for each text of `known`, then of `stored`. Two rows say the same where their
    titles are equal but for case and spaces, or the cosine of their vectors reaches `threshold`.
    """
    rows = [*known, *stored]
    alike = _cosines(vectors)
    return [
        f"“{rows[one].title}” and “{rows[other].title}” ({alike[one, other]:.2f})"
        for one, other in _new_pairs(len(known), len(rows))
        if alike[one, other] >= threshold or _plain(rows[one]) == _plain(rows[other])
    ]


def most_alike(known: int, vectors: Sequence[Vector]) -> float:
    """Return the largest cosine of a new row with any other; the first `known` rows are not new."""
    alike = _cosines(vectors)
    return max((float(alike[pair]) for pair in _new_pairs(known, len(vectors))), default=0.0)


def vague(criteria: Iterable[str]) -> list[str]:
    """Return the criteria that two people may judge differently, by words that promise nothing."""
    return [text for text in criteria if _VAGUE.search(text)]


def goal_texts(goal: GoalOut) -> tuple[str, ...]:
    """Return what a learner reads of a goal."""
    return (goal.title, goal.description or "", *(one.text for one in goal.criteria))


def task_texts(task: TaskOut) -> tuple[str, ...]:
    """Return what a learner reads of a task that the agent has made."""
    estimate: Any = task.metadata.get("estimate") or {}
    reason = str(estimate.get("reason") or "")
    return (task.title, task.description or "", *acceptance_of(task), reason)


def acceptance_of(task: TaskOut) -> tuple[str, ...]:
    """Return the acceptance criteria of a task that the agent has made."""
    said: Any = task.metadata.get("acceptance_criteria") or ()
    return tuple(said)


def _ids(metadata: Mapping[str, Any], name: str) -> set[str]:
    return set(metadata.get(name) or ())


def _new_pairs(known: int, rows: int) -> Iterator[tuple[int, int]]:
    return (pair for pair in combinations(range(rows), 2) if pair[1] >= known)


def _cosines(vectors: Sequence[Vector]) -> NDArray[np.float32]:
    if not vectors:
        return np.zeros((0, 0), dtype=np.float32)
    rows = np.vstack(vectors)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines: NDArray[np.float32] = unit @ unit.T
    return cosines


def _plain(row: Stored) -> str:
    return " ".join(row.title.casefold().split())
