"""What the service says of drafts and of what was written: only what they hold."""

import re
from typing import get_args

import pytest

from agent.told import STATUSES, as_read, tell_nothing, tell_proposal, tell_result
from agent.words import Language
from api.routes.page import FOLDER
from db.enums import GoalStatus, TaskStatus

PROPOSAL = {
    "interrupt_id": "int_1",
    "items": [
        {
            "key": "t1",
            "kind": "task",
            "action": "add",
            "title": "Escribir pruebas",
            "fields": {"description": "Con pytest.", "estimated_hours": 2.5},
        },
        {"key": "t2", "kind": "task", "action": "change", "title": "Medir", "fields": {}},
        {"key": "t3", "kind": "task", "action": "remove", "title": "Esperar", "fields": {}},
    ],
    "dropped": [
        {"title": "Otra", "repeats": "Esa", "reason": "overlap"},
        {"title": "Sin criterios", "repeats": None, "reason": "criteria"},
    ],
}


def test_a_proposal_is_told_item_by_item_with_the_command_that_accepts_it() -> None:
    text = tell_proposal("es", "break_down_goal", PROPOSAL)

    assert text.splitlines() == [
        "Propongo este plan de tareas:",
        "t1. Escribir pruebas",
        "   Con pytest.",
        "   - 2.5 h",
        "t2. (cambia) Medir",
        "t3. (se quita) Esperar",
        "Descartada por repetir «Esa»: Otra",
        "",
        "Nada está guardado todavía. Acepta, edita o rechaza cada punto:",
        "/accept int_1 all",
    ]


def test_a_goal_is_told_with_its_reason_and_criteria() -> None:
    goal = {
        "key": "g1",
        "kind": "goal",
        "action": "add",
        "title": "Test the API",
        "why": "It has none",
        "fields": {"criteria": ["It runs", "It fails"]},
    }

    text = tell_proposal("en", "suggest_goals", {**PROPOSAL, "items": [goal], "dropped": []})

    assert text.splitlines()[1:5] == [
        "g1. Test the API",
        "   It has none",
        "   - It runs",
        "   - It fails",
    ]


@pytest.mark.parametrize(
    ("job", "result", "text"),
    [
        (
            "suggest_goals",
            {"suggestions": [{"goal": {"title": "Test it"}}]},
            "Goals saved: “Test it”.",
        ),
        ("suggest_goals", {"suggestions": []}, "Nothing was saved."),
        (
            "break_down_goal",
            {"diff": {"added": ["a"], "changed": [], "removed": ["b"], "kept": ["c"]}},
            "Tasks added: 1; changed: 0; removed: 1.",
        ),
        (
            "break_down_goal",
            {"diff": {"added": [], "changed": [], "removed": [], "kept": ["c"]}},
            "Nothing was saved.",
        ),
        (
            "change_status",
            {"title": "Test it", "before": "todo", "after": "completed"},
            "“Test it”: to do → done.",
        ),
        ("change_status", {"title": "T", "before": "todo", "after": "todo"}, "Nothing was saved."),
    ],
)
def test_what_was_written_is_told_from_the_rows(job: str, result: object, text: str) -> None:
    assert tell_result("en", job, result) == text  # type: ignore[arg-type]  # JSON of a test


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_model_reads_a_proposal_without_the_question_and_its_command(
    language: Language,
) -> None:
    text = tell_proposal(language, "break_down_goal", PROPOSAL)

    read = as_read(f"{text}\n\nhasta luego")

    assert "/accept" not in read
    assert read.splitlines()[:4] == text.splitlines()[:4]
    assert read.endswith("Otra\n\nhasta luego")


def test_other_words_are_read_as_they_are() -> None:
    assert as_read("Metas guardadas: “Una”.") == "Metas guardadas: “Una”."


def test_where_nothing_is_left_to_propose_it_is_said_why() -> None:
    assert tell_nothing("es", PROPOSAL).splitlines() == [
        "No hay nada nuevo que proponer.",
        "Descartada por repetir «Esa»: Otra",
    ]


def test_a_status_has_a_name_in_the_words_of_the_page() -> None:
    change = {
        "key": "s1",
        "kind": "status",
        "action": "change",
        "title": "Medir",
        "before": "in_review",
        "fields": {"status": "completed"},
    }

    text = tell_proposal("es", "change_status", {**PROPOSAL, "items": [change], "dropped": []})

    assert "   - en evaluación → hecha" in text.splitlines()
    script = (FOLDER / "words.js").read_text(encoding="utf-8")
    for language in get_args(Language):
        assert set(STATUSES[language]) == {*GoalStatus, *TaskStatus}
        for status, name in STATUSES[language].items():
            assert name in re.findall(rf'"status\.{status}": "(.*)"', script)
