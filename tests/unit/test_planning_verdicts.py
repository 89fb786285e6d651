"""What is wrong with stored rows, told without the agent's own checks."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from db.enums import TaskStatus, TaskType
from evals.planning_verdicts import Stored, Vector, most_alike, plan_faults, repeats, vague
from tools.schemas import TaskOut

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CRITERIA = ["crt_1", "crt_2"]


def task(
    name: str,
    *,
    depends_on: Sequence[str] = (),
    serves: Sequence[str] = (),
    status: TaskStatus = TaskStatus.TODO,
) -> TaskOut:
    return TaskOut(
        id=name,
        user_id="usr_1",
        goal_id="gol_1",
        title=name.upper(),
        description=None,
        task_type=TaskType.CODE,
        status=status,
        priority=10,
        estimated_hours=1.0,
        actual_hours=None,
        validation_result=None,
        ai_feedback=None,
        metadata={"depends_on": list(depends_on), "serves": list(serves)},
        created_at=NOW,
        updated_at=NOW,
        started_at=None,
        completed_at=None,
    )


def unit(*numbers: float) -> Vector:
    vector = np.asarray(numbers, dtype=np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def test_a_plan_without_faults_has_none() -> None:
    tasks = [task("a", serves=["crt_1"]), task("b", depends_on=["a"], serves=["crt_2", "crt_1"])]

    assert plan_faults(tasks, CRITERIA) == []


@pytest.mark.parametrize(
    ("tasks", "fault"),
    [
        ([], "the goal has no task"),
        ([task("a", depends_on=["a"], serves=CRITERIA)], "a circle: A → A"),
        ([task("a", depends_on=["x"], serves=CRITERIA)], "“A” depends on what is no task"),
        ([task("a", serves=["crt_1"])], "no task serves criterion 2"),
        ([task("a", serves=[*CRITERIA, "crt_9"])], "serves crt_9, which is no criterion"),
        (
            [task("a", serves=["crt_1"]), task("b", serves=["crt_2"], status=TaskStatus.SKIPPED)],
            "no task serves criterion 2",
        ),
        (
            [task("a", depends_on=["b"], serves=CRITERIA), task("b", depends_on=["a"])],
            "a circle: ",
        ),
    ],
)
def test_a_fault_of_a_plan_is_named(tasks: list[TaskOut], fault: str) -> None:
    faults = plan_faults(tasks, CRITERIA)

    assert len(faults) == 1
    assert fault in faults[0]


def test_new_rows_that_are_near_each_other_or_a_known_one_repeat() -> None:
    known = [Stored("Known", "known"), Stored("Also known", "also known")]
    stored = [Stored("New", "new"), Stored("Near the known", "near"), Stored("Near the new", "it")]
    vectors = [unit(1, 0, 0), unit(1, 0.01, 0), unit(0, 0, 1), unit(1, 0.1, 0), unit(0, 0.1, 1)]

    found = repeats(known, stored, vectors, threshold=0.9)

    assert [pair.rsplit(" (", 1)[0] for pair in found] == [
        "“Known” and “Near the known”",
        "“Also known” and “Near the known”",
        "“New” and “Near the new”",
    ]
    assert most_alike(2, vectors) == pytest.approx(0.9959, abs=1e-3)


def test_equal_titles_repeat_whatever_their_vectors_say() -> None:
    stored = [Stored("Write  the tests", "a"), Stored("write the Tests", "b")]

    found = repeats([], stored, [unit(1, 0), unit(0, 1)], threshold=0.9)

    assert found == ["“Write  the tests” and “write the Tests” (0.00)"]


def test_a_criterion_is_vague_where_its_words_promise_nothing() -> None:
    criteria = [
        "The page loads in less than 2 s",
        "The interface is intuitive and easy to use",
        "Dos cartas iguales quedan descubiertas",
        "Soy capaz de entender cómo se usa map",
        "The program should be well-organized and maintainable",
    ]

    assert vague(criteria) == [criteria[1], criteria[3], criteria[4]]


def test_nothing_stored_repeats_nothing() -> None:
    known = [Stored("Same", "same"), Stored("Same", "same")]

    assert repeats(known, [], [unit(1, 0), unit(1, 0)], threshold=0.9) == []
    assert most_alike(2, [unit(1, 0), unit(1, 0)]) == 0.0
    assert repeats([], [], [], threshold=0.9) == []
