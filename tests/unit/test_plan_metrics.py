"""Each thing that can be wrong with suggestions and breakdowns has the metric that catches it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evals.breakdown import suite as breakdown
from evals.planner import Text, find_nearest
from evals.suggestion import suite as suggestion
from evals.suite import Case, Json, Metric, Outcome

METRICS = {
    "suggestion": {metric.name: metric for metric in suggestion.SUITE.metrics},
    "breakdown": {metric.name: metric for metric in breakdown.SUITE.metrics},
}
WISH = Case(
    id="wish",
    language="es",
    inputs={"rows": [], "request": {"wish": "x", "count": 2, "course": None}},
    expected={"relevant": ["g1"]},
)
GOAL = Case(
    id="goal",
    language="es",
    inputs={
        "rows": [{"key": "g1", "type": "goal", "criteria": ["Una cosa", "Otra cosa"]}],
        "request": {"goal": "g1", "count": 2},
    },
)


def row(title: str, **changed: Any) -> Json:
    return {
        "title": title,
        "description": "Una página con los datos.",
        "why": "Porque sigue a lo que tienes.",
        "criteria": ["La página carga en 2 s", "Los datos son de este año"],
        "based_on": ["g1"],
        "nearest": {"title": "Otra", "similarity": 0.7},
        **changed,
    }


def goals(*new: Json, **changed: Any) -> Outcome:
    said = list(new or (row("Publicar la página"), row("Medir la página")))
    return Outcome(data={"new": said, "same": 0.9, "found": ["g1"], "touched": [], **changed})


def step(key: str, *depends_on: str, serves: tuple[int, ...] = (1, 2)) -> Json:
    return {"key": key, "title": key, "serves": list(serves), "depends_on": list(depends_on)}


def plan(*steps: Json, **changed: Any) -> Outcome:
    return goals(**{"plan": list(steps or (step("a"), step("b", "a"))), **changed})


def failed(suite: str, case: Case, outcome: Outcome) -> set[str]:
    """Return the metrics that fail a case."""
    scores = {name: (one, one.score(case, outcome)) for name, one in METRICS[suite].items()}
    return {
        name
        for name, (metric, score) in scores.items()
        if score is not None and (score < 1.0 or not metric.passes(score))
    }


def test_good_goals_and_a_good_plan_fail_nothing() -> None:
    assert failed("suggestion", WISH, goals()) == set()
    assert failed("breakdown", GOAL, plan()) == set()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("schema_valid", Outcome(data={"unusable": "ModelBadOutput"})),
        ("language_match", goals(row("Build the page with the data"), row("Medir la página"))),
        ("language_match", goals(row("A", why="because it is the next"), row("Medir la página"))),
        ("no_duplicate_goal", goals(row("A", nearest={"title": "B", "similarity": 0.9}), row("C"))),
        ("enough_criteria", goals(row("A", criteria=["Una"]), row("B"))),
        ("enough_criteria", goals(row("A", criteria=["Una", "a", "b", "c", "d", "e"]), row("B"))),
        ("criteria_checkable", goals(row("A", criteria=["Es intuitiva", "Carga"]), row("B"))),
        ("grounded", goals(row("A", based_on=["g2"]), row("B", based_on=[]))),
        ("found_relevant", goals(found=["g2"])),
        ("count_honoured", goals(row("A"))),
        ("own_rows_untouched", goals(touched=["t1"])),
    ],
)
def test_what_is_wrong_with_goals_is_caught_by_its_metric(name: str, wrong: Outcome) -> None:
    assert failed("suggestion", WISH, wrong) == {name}


def test_more_goals_than_asked_for_are_caught() -> None:
    assert failed("suggestion", WISH, goals(row("A"), row("B"), row("C"))) == {
        "never_too_many",
        "count_honoured",
    }


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("dag_valid", plan(step("a", "b"), step("b", "a"))),
        ("dag_valid", plan(step("a", "a"))),
        ("dag_valid", plan(step("a", "nowhere"))),
        ("criteria_covered", plan(step("a", serves=(1,)))),
        ("criteria_covered", plan(step("a", serves=(1, 2, 3)))),
        (
            "tasks_not_repeated",
            plan(new=[row("A", nearest={"title": "B", "similarity": 1.0}), row("C")]),
        ),
        ("own_rows_untouched", plan(touched=["t1"])),
    ],
)
def test_what_is_wrong_with_a_plan_is_caught_by_its_metric(name: str, wrong: Outcome) -> None:
    assert failed("breakdown", GOAL, wrong) == {name}


def test_no_task_at_all_is_no_plan() -> None:
    assert failed("breakdown", GOAL, plan(plan=[], new=[])) == {
        "dag_valid",
        "criteria_covered",
        "count_honoured",
    }


@pytest.mark.parametrize("suite", ["suggestion", "breakdown"])
def test_every_bound_is_met_by_what_is_perfect_and_missed_by_half_of_it(suite: str) -> None:
    bounds: dict[str, Callable[[float], bool]] = {
        name: lambda value, metric=metric: value >= metric.bound  # type: ignore[misc]  # its own
        for name, metric in METRICS[suite].items()
        if metric.bound is not None
    }

    assert len(bounds) >= 6
    assert all(met(1.0) and not met(0.5) for met in bounds.values())


def test_nothing_is_asked_of_citations_where_no_relevant_row_was_found() -> None:
    grounded: Metric = METRICS["suggestion"]["grounded"]

    assert grounded.score(WISH, goals(found=["g2"])) is None
    assert grounded.score(WISH, goals(row("A", based_on=["g9"]), found=["g1", "g9"])) == 0.0


class WithVectors:
    """Gives each text the vector that it is written as."""

    async def embed_documents(self, texts: list[str]) -> list[NDArray[np.float32]]:
        return [np.asarray(text.split(), dtype=np.float32) for text in texts]


async def test_a_row_is_compared_with_known_ones_and_with_the_new_ones_before_it() -> None:
    known = [Text("Known", "1 0 0")]
    new = [Text("Near", "1 0.1 0"), Text("Far", "0 0 1"), Text("Nearer", "0 0.1 1")]

    nearest = await find_nearest(known, new, WithVectors())  # type: ignore[arg-type]  # one method

    assert [one["title"] if one else None for one in nearest] == ["Known", "Known", "Far"]
    assert [one["similarity"] if one else None for one in nearest] == [0.995, 0.0, 0.995]


async def test_equal_titles_repeat_whatever_their_vectors_say() -> None:
    new = [Text("Write  the tests", "1 0"), Text("write the Tests", "0 1")]

    nearest = await find_nearest([], new, WithVectors())  # type: ignore[arg-type]  # one method

    assert nearest == [None, {"title": "Write  the tests", "similarity": 1.0}]
