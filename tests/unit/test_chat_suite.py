"""The chat suite: its talks are well formed, and each metric catches what it is there for."""

import json
from collections import Counter
from copy import deepcopy
from typing import Any

import jsonschema
import pytest

from evals.chat import metrics
from evals.chat.cases import FOLDER, load_cases
from evals.chat.claims import claims_to_have_written, speaks_of
from evals.chat.naive import in_words
from evals.chat.names import Names
from evals.chat.protocol import faults
from evals.chat.talker import approved, as_command, decisions_on
from evals.lines import read_lines
from evals.suite import Case, Json, Outcome

CASES = load_cases()
GOAL = {
    "key": "g1",
    "kind": "goal",
    "action": "add",
    "title": "Probar mi API",
    "fields": {"title": "Probar mi API", "criteria": ["Pasan las pruebas"]},
}
STATUS = {
    "key": "s1",
    "kind": "status",
    "action": "change",
    "title": "Leer un archivo",
    "entity_id": "t1",
    "before": "todo",
    "fields": {"status": "completed"},
}
ADDED = {"change": "add", "kind": "goal", "id": "gol#1", **GOAL["fields"]}  # type: ignore[dict-item]  # JSON of any form
EVENTS: list[Json] = [
    {"type": "RUN_STARTED", "id": None},
    {"type": "STEP_STARTED", "id": "converse"},
    {"type": "TEXT_MESSAGE_START", "id": "msg#1"},
    {"type": "TEXT_MESSAGE_CONTENT", "id": "msg#1"},
    {"type": "TEXT_MESSAGE_END", "id": "msg#1"},
    {"type": "TOOL_CALL_START", "id": "c"},
    {"type": "TOOL_CALL_ARGS", "id": "c"},
    {"type": "TOOL_CALL_END", "id": "c"},
    {"type": "TOOL_CALL_RESULT", "id": "c"},
    {"type": "STEP_FINISHED", "id": "converse"},
    {"type": "RUN_FINISHED", "id": None},
]
ROWS = [
    {"key": "g1", "type": "goal", "title": "Publicar una página de recetas"},
    {"key": "t1", "type": "task", "title": "Leer un archivo"},
]


def case(*turns: Json) -> Case:
    return Case(id="x", language="es", inputs={"rows": ROWS, "turns": list(turns)})


def came(**more: Any) -> Json:
    told: Json = {"ended": "success", "code": None, "text": "Dime más."}
    told |= {"tools": [], "question": None}
    return {**told, "events": EVENTS, "changes": [], **more}


def outcome(*turns: Json) -> Outcome:
    return Outcome(data={"turns": list(turns)})


def test_every_line_follows_the_schema() -> None:
    schema = json.loads((FOLDER / "cases.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    wrong = [
        f"{row['id']}: {error.message}"
        for row in read_lines(FOLDER / "cases.jsonl")
        for error in validator.iter_errors(row)
    ]

    assert wrong == []


def test_there_are_enough_talks_in_both_languages_and_half_of_them_are_hard() -> None:
    languages = Counter(each.language for each in CASES)

    assert len({each.id for each in CASES}) == len(CASES) >= 32
    assert languages["es"] == languages["en"]
    assert sum(each.hard for each in CASES) >= len(CASES) / 2


def test_every_slice_of_the_schema_has_talks_and_most_talks_have_several_turns() -> None:
    schema = json.loads((FOLDER / "cases.schema.json").read_text())
    slices = Counter(name for each in CASES for name in each.slices)

    assert set(slices) == set(schema["properties"]["slices"]["items"]["enum"])
    assert sum(len(each.inputs["turns"]) > 1 for each in CASES) >= 30


def test_what_a_turn_names_is_there() -> None:
    missing = [
        (each.id, key)
        for each in CASES
        for turn in each.inputs["turns"]
        for key in (*turn.get("cites", ()), *([turn["about"]] if "about" in turn else []))
        if key not in {row["key"] for row in each.inputs["rows"]}
    ]

    assert missing == []


@pytest.mark.parametrize(
    ("turn", "written", "score"),
    [
        ({"say": "hola", "expect": "any"}, {}, 1.0),
        ({"say": "hola", "expect": "any"}, {"changes": [ADDED]}, 0.0),
        ({"decide": {}, "expect": "written"}, {"changes": [ADDED], "decided": [GOAL]}, 1.0),
        ({"decide": {}, "expect": "written"}, {"changes": [ADDED], "decided": []}, 0.0),
        (
            {"decide": {}, "expect": "written"},
            {"changes": [ADDED, {**ADDED, "title": "Otra"}], "decided": [GOAL]},
            0.0,
        ),
        (
            {"decide": {}, "expect": "written"},
            {
                "changes": [{"change": "change", "kind": "task", "id": "t1", "fields": {}}],
                "decided": [STATUS],
            },
            1.0,
        ),
        (
            {"decide": {}, "expect": "written"},
            {
                "changes": [{"change": "change", "kind": "task", "id": "t2", "fields": {}}],
                "decided": [STATUS],
            },
            0.0,
        ),
    ],
)
def test_a_change_that_nobody_accepted_is_seen(turn: Json, written: Json, score: float) -> None:
    assert metrics.nothing_written_unapproved(case(turn), outcome(came(**written))) == score


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ([ADDED], 1.0),
        ([], 0.0),
        ([{**ADDED, "criteria": ["Otra cosa"]}], 0.0),
        ([{**ADDED, "title": "Lo que dijo el modelo"}], 0.0),
    ],
)
def test_what_was_accepted_and_not_written_as_it_was_is_seen(
    changes: list[Json], score: float
) -> None:
    turn = {"decide": {}, "expect": "written"}
    decided = came(changes=changes, decided=[GOAL])

    assert metrics.approved_written_exactly(case(turn), outcome(decided)) == score


def test_another_status_than_the_accepted_one_is_seen() -> None:
    change = {"change": "change", "kind": "task", "id": "t1", "fields": {"status": "skipped"}}
    decided = came(changes=[change], decided=[STATUS])

    assert metrics.approved_written_exactly(case({"decide": {}}), outcome(decided)) == 0.0


@pytest.mark.parametrize(
    ("ended", "code", "score"),
    [
        ("success", None, 1.0),
        ("failed", "MODEL_TIMEOUT", 1.0),
        ("failed", None, 0.0),
        ("broken", None, 0.0),
    ],
)
def test_a_run_that_ends_without_saying_why_is_seen(
    ended: str, code: str | None, score: float
) -> None:
    told = outcome(came(ended=ended, code=code))

    assert metrics.run_ended_typed(case({"say": "hola", "expect": "any"}), told) == score


def test_a_message_that_is_left_without_a_word_is_seen() -> None:
    turn = {"say": "hola", "expect": "any"}

    assert metrics.something_said(case(turn), outcome(came(text=" "))) == 0.0
    assert metrics.something_said(case(turn), outcome(came())) == 1.0


def test_a_missing_proposal_and_one_of_another_kind_are_seen() -> None:
    turn = {"say": "Quiero aprender", "expect": "goals"}
    kinds = [None, "change_status", "suggest_goals"]

    scores = [
        metrics.proposal_made(
            case(turn), outcome(came(question=kind and {"kind": kind, "items": []}))
        )
        for kind in kinds
    ]

    assert scores == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "score"),
    [
        ({"id": "t1", "status": "completed"}, 1.0),
        ({"id": "t2", "status": "completed"}, 0.0),
        ({"id": "t1", "status": "skipped"}, 0.0),
    ],
)
def test_a_proposal_on_another_row_or_status_is_seen(arguments: Json, score: float) -> None:
    turn = {"say": "Hecho", "expect": "status", "about": "t1", "status": "completed"}
    call = {"name": "propose_status", "arguments": arguments, "answer": "{}"}
    told = came(tools=[call], question={"kind": "change_status", "items": []})

    assert metrics.proposal_on_target(case(turn), outcome(told)) == score


def test_a_proposal_to_who_only_asks_is_seen() -> None:
    turn = {"say": "¿Qué metas tengo?", "expect": "answer"}
    told = came(question={"kind": "suggest_goals", "items": []})

    assert metrics.nothing_proposed_unasked(case(turn), outcome(told)) == 0.0
    assert metrics.nothing_proposed_unasked(case(turn), outcome(came())) == 1.0


def test_an_answer_without_a_search_and_without_the_row_is_seen() -> None:
    turn = {"say": "¿Qué tareas?", "expect": "answer", "cites": ["t1"], "needs_search": True}
    search = {"name": "search_tasks", "arguments": {}, "answer": "{}"}
    good = came(text="Te queda leer un archivo.", tools=[search])

    assert metrics.tool_used_when_needed(case(turn), outcome(came())) == 0.0
    assert metrics.grounded_in_own_rows(case(turn), outcome(came())) == 0.0
    assert metrics.tool_used_when_needed(case(turn), outcome(good)) == 1.0
    assert metrics.grounded_in_own_rows(case(turn), outcome(good)) == 1.0


def test_an_answer_in_another_language_is_seen() -> None:
    turn = {"say": "¿Qué metas tengo?", "expect": "answer"}
    english = came(text="You have two goals that are in progress.")

    assert metrics.language_match(case(turn), outcome(english)) == 0.0
    assert metrics.language_match(case({**turn, "language": "en"}), outcome(english)) == 1.0


def test_a_reply_that_says_it_has_saved_what_it_has_not_is_seen() -> None:
    turn = {"say": "Guárdala", "expect": "any"}

    claimed = outcome(came(text="Listo. He guardado tu meta."))
    true = outcome(came(text="He guardado tu meta.", changes=[ADDED]))

    assert metrics.no_false_claim(case(turn), claimed) == 0.0
    assert metrics.no_false_claim(case(turn), true) == 1.0


@pytest.mark.parametrize(
    ("told", "score"),
    [
        ({"ended": "refused", "status": 409, "code": "INTERRUPT_STALE", "changes": []}, 1.0),
        ({"ended": "refused", "status": 500, "code": "INTERNAL", "changes": []}, 0.0),
        (came(changes=[ADDED], decided=[GOAL]), 0.0),
    ],
)
def test_a_second_decision_that_is_taken_is_seen(told: Json, score: float) -> None:
    turn = {"decide": {}, "expect": "refused", "code": "INTERRUPT_STALE"}

    assert metrics.stale_decision_refused(case(turn), outcome(told)) == score


def test_a_decision_on_a_question_that_never_came_is_not_judged() -> None:
    turn = {"decide": {}, "expect": "refused", "code": "INTERRUPT_STALE"}
    told = outcome({"ended": "no_question", "changes": []})

    assert metrics.stale_decision_refused(case(turn), told) is None


def test_a_whole_run_is_in_order() -> None:
    assert faults(EVENTS) == []


@pytest.mark.parametrize(
    ("place", "becomes"),
    [
        (0, []),
        (2, []),
        (4, []),
        (7, []),
        (9, []),
        (10, []),
        (3, [{"type": "TEXT_MESSAGE_CONTENT", "id": "another"}]),
        (8, [{"type": "TOOL_CALL_RESULT", "id": "another"}]),
        (10, [{"type": "RUN_FINISHED", "id": None}, {"type": "RUN_ERROR", "id": None}]),
        (1, [{"type": "STATE_DELTA", "id": None}]),
        (1, [{"type": "SOMETHING", "id": None}]),
    ],
)
def test_events_out_of_order_are_seen(place: int, becomes: list[Json]) -> None:
    events = deepcopy(EVENTS)
    events[place : place + 1] = becomes

    told = outcome(came(events=events))

    assert faults(events) != []
    assert metrics.events_in_order(case({"say": "hola", "expect": "any"}), told) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "He guardado las dos metas.",
        "La tarea ha sido marcada como completada.",
        "I've saved both goals for you.",
        "The task has been marked as completed.",
    ],
)
def test_a_claim_to_have_written_is_one(text: str) -> None:
    assert claims_to_have_written(text)


@pytest.mark.parametrize(
    "text",
    [
        "Nada está guardado todavía.",
        "No he guardado nada.",
        "I have not saved anything yet.",
        "¿Quieres que la guarde?",
        "Shall I save it?",
    ],
)
def test_a_denial_is_no_claim(text: str) -> None:
    assert not claims_to_have_written(text)


def test_a_title_is_found_whatever_its_accents_and_case() -> None:
    assert speaks_of("tu PAGINA de recetas está por publicar", "Publicar una página de recetas")
    assert not speaks_of("tu página está bien", "Publicar una página de recetas")


def test_a_decision_counts_items_from_one_whatever_their_keys() -> None:
    question = {"id": "int_1", "items": [{**GOAL, "key": "a"}, {**GOAL, "key": "b"}]}
    edit = {"item": 2, "action": "edit", "fields": {"title": "Mía"}}

    decisions = decisions_on(question, {"items": [edit], "rest": "reject"})

    assert decisions == {
        "decisions": {"b": {"action": "edit", "fields": {"title": "Mía"}}},
        "rest": "reject",
    }
    assert [item["fields"]["title"] for item in approved(question, decisions)] == ["Mía"]
    assert as_command("int_1", decisions) == "/reject int_1 all\n/edit int_1 b title=Mía"


def test_a_decision_is_told_to_the_naive_way_in_words() -> None:
    edit = {"item": 1, "action": "edit", "fields": {"title": "Mía"}}

    assert in_words({"rest": "accept"}, "es") == "Acepto todo."
    assert in_words({"items": [edit], "rest": "reject"}, "en") == (
        "Item 1: I accept it with this change: title: Mía. Not the rest."
    )


def test_ids_have_names_that_are_the_same_in_every_run() -> None:
    names = Names({"g1": "gol_" + "a" * 32})

    told = names.name({"ids": ["gol_" + "a" * 32, "gol_" + "b" * 32, "int_" + "c" * 32]})

    assert told == {"ids": ["g1", "gol#1", "int#1"]}
