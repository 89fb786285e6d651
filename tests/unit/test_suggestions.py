"""What code demands of a suggested goal, and what a user's decisions make of the draft."""

import asyncio
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from agent.checks.suggestions import (
    Judged,
    NewGoal,
    distinct,
    drop_repeats,
    find_fault,
    find_parts,
    nearest_source,
    usable_criteria,
)
from agent.models import without_titles
from agent.nodes.suggest import decide, items
from agent.outputs import SuggestedGoal, SuggestedGoals, goals_shape, tasks_shape
from agent.review import Decision
from agent.state import Source
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.errors import InputError

EMBEDDER = Embedder(SCRIPTED_MODEL, ScriptedEmbeddings())
X, Y, Z = (np.eye(3, dtype=np.float32)[at] for at in range(3))


def suggested(title: str, *criteria: str, description: str = "Una meta") -> SuggestedGoal:
    return SuggestedGoal(
        based_on=[],
        title=title,
        description=description,
        why="Es el paso siguiente",
        priority="high",
        criteria=list(criteria) or ["Se ve en la pantalla", "Pasa la prueba"],
    )


def draft(*titles: str) -> dict[str, Any]:
    goals = [
        {
            "goal_id": f"gol_{number}",
            "title": title,
            "description": "Una meta",
            "why": "Porque sí",
            "priority": "high",
            "criteria": ["Se ve", "Se mide"],
            "based_on": [],
            "grounds": "none",
        }
        for number, title in enumerate(titles)
    ]
    return {"goals": goals, "dropped": []}


def test_criteria_in_the_other_language_do_not_count_once_nobody_can_be_asked_again() -> None:
    criteria = ("Speed of build", "La imagen pesa menos de 100 MB", "Docker Compose")
    goal = suggested("Reducir la imagen", *criteria)

    assert usable_criteria(goal, "es", strict=False) == list(criteria[1:])
    assert find_fault(goal, "es", strict=False) is None
    assert (
        find_fault(suggested("Reducir la imagen", *criteria[:2]), "es", strict=False) == "criteria"
    )


def test_a_criterion_that_comes_twice_counts_once() -> None:
    assert distinct(["Se ve.", "se  ve", "Se mide"]) == ["Se ve.", "Se mide"]


def test_a_goal_whose_criteria_are_one_and_the_same_cannot_be_used() -> None:
    goal = suggested("Probar la API", "Se ve.", "se ve")

    assert find_fault(goal, "es", strict=False) == "criteria"


@pytest.mark.parametrize(("strict", "fault"), [(True, "language"), (False, None)])
def test_one_sentence_in_the_other_language_is_refused_while_there_is_a_turn_left(
    *, strict: bool, fault: str | None
) -> None:
    goal = suggested(
        "Probar la API con pytest",
        "Todas las pruebas de la API pasan en cada cambio",
        "La prueba que falta se ve en la lista",
        "The user can log in with the token of the session",
        description="Se escriben las pruebas de los casos que fallan y de los que no",
    )

    assert find_fault(goal, "es", strict=strict) == fault


def test_a_goal_in_the_other_language_is_never_used() -> None:
    goal = suggested(
        "Write tests for the API",
        "All of the tests are green",
        "The pipeline is run for each change",
        description="Tests that are run with each change of the code",
    )

    assert find_fault(goal, "es", strict=False) == "language"
    assert find_fault(goal, "en", strict=True) is None


def test_a_goal_whose_criteria_another_has_is_a_part_of_it() -> None:
    small, big = Judged(None, "pequeña", (X,)), Judged(None, "grande", (X, Y))

    parts = find_parts([small, big], [], threshold=0.9)

    assert [(part.index, part.of.title) for part in parts] == [(0, "grande")]


def test_of_two_goals_with_the_same_criteria_the_first_stays() -> None:
    twins = [Judged(None, "una", (X, Y)), Judged(None, "otra", (Y, X))]

    assert [part.index for part in find_parts(twins, [], threshold=0.9)] == [1]


def test_a_goal_that_shares_one_criterion_is_no_part() -> None:
    goals = [Judged(None, "una", (X, Y)), Judged(None, "otra", (Y, Z))]

    assert find_parts(goals, [Judged("gol_1", "tercera", (X, Z))], threshold=0.9) == []


def test_a_part_of_a_goal_that_exists_points_to_it() -> None:
    existing = {
        "id": "gol_1",
        "title": "Construir la API entera",
        "description": "Con todo",
        "criteria": ["Hay login", "Hay tokens", "Hay rutas protegidas"],
    }
    goal = suggested("Añadir la seguridad", "hay login", "Hay tokens")

    kept, dropped = asyncio.run(drop_repeats([goal], [existing], EMBEDDER))

    assert kept == []
    assert [(one["reason"], one["continue_goal_id"]) for one in dropped] == [("part", "gol_1")]


@pytest.mark.parametrize(
    ("title", "found"), [("Probar la API con pytest", "tsk_1"), ("Cocinar arroz", None)]
)
def test_a_goal_without_a_source_gets_the_nearest_one_only_where_it_is_near(
    title: str, found: str | None
) -> None:
    source = Source(
        label="S1",
        entity_type="task",
        entity_id="tsk_1",
        title="Probar la API",
        content="Probar la API con pytest",
        score=0.9,
    )
    [vector] = asyncio.run(EMBEDDER.embed_documents([title]))
    goal = NewGoal(suggested(title), vector)

    assert asyncio.run(nearest_source(goal, [source], EMBEDDER)) == found


def test_a_model_under_a_grammar_says_as_many_goals_as_asked_and_names_a_source() -> None:
    schema = without_titles(goals_shape(2, ("S1", "S2")).model_json_schema())

    goals = schema["properties"]["goals"]
    based_on = goals["items"]["properties"]["based_on"]
    assert (goals["minItems"], goals["maxItems"]) == (2, 2)
    assert (based_on["minItems"], based_on["items"]) == (1, {"enum": ["S1", "S2"]})
    assert next(iter(goals["items"]["properties"])) == "based_on"


def test_what_another_model_says_beyond_the_told_bounds_still_fits() -> None:
    said = SuggestedGoals(goals=[suggested(f"Meta {number}") for number in range(5)])

    assert len(goals_shape(2, ("S1",)).model_validate(said.model_dump()).goals) == 5


def test_a_model_under_a_grammar_names_only_tasks_and_criteria_that_there_are() -> None:
    schema = without_titles(tasks_shape(2, 3, 1).model_json_schema())

    task = schema["properties"]["tasks"]["items"]["properties"]
    assert task["depends_on"]["items"] == {"enum": ["t1", "t2", "E1"]}
    assert task["serves"]["items"] == {"enum": [1, 2, 3]}


def test_only_accepted_goals_are_left_with_the_words_of_the_user() -> None:
    decisions = {
        "g1": Decision("reject"),
        "g2": Decision("accept"),
        "g3": Decision("edit", {"title": "Mi título", "criteria": ["Lo mío"]}),
    }

    left = decide(draft("uno", "dos", "tres"), decisions)["goals"]

    assert [(goal["title"], goal["criteria"]) for goal in left] == [
        ("dos", ["Se ve", "Se mide"]),
        ("Mi título", ["Lo mío"]),
    ]


@pytest.mark.parametrize("fields", [{"title": ""}, {"criteria": []}, {"priority": "odd"}])
def test_an_edit_that_no_goal_can_have_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        decide(draft("uno"), {"g1": Decision("edit", fields)})


def test_every_goal_of_a_draft_is_an_item_with_its_editable_fields() -> None:
    [item] = items(draft("uno"))

    assert (item["key"], item["kind"], item["action"]) == ("g1", "goal", "add")
    assert sorted(item["fields"]) == ["criteria", "description", "priority", "title"]


@pytest.mark.parametrize("title", ["a\0bc", "\u200b\u200b\u200b", "ab\ud800", "..."])
def test_a_text_that_cannot_be_stored_or_says_nothing_does_not_fit(title: str) -> None:
    with pytest.raises(ValidationError):
        suggested(title)
