"""A plan as a diff to the tasks that a goal has, and what is left of it after a review."""

import asyncio
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.checks.plan_diff import decided, match_titles, uncovered
from agent.checks.plan_draft import draft_plan, kept_draft
from agent.nodes.breakdown import decide, items
from agent.outputs import PlannedTask
from agent.review import Decision
from tests.plans import goal_with, goals, planned, plans, stored_task
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.errors import InputError

Draft = dict[str, Any]
SAME = settings(max_examples=60)


def draft_of(said: list[PlannedTask], subject: Draft) -> Draft:
    return asyncio.run(draft_plan(said, subject, Embedder(SCRIPTED_MODEL, ScriptedEmbeddings())))


def applied(draft: Draft, subject: Draft) -> Draft:
    """Return the goal as it is when the draft was stored."""
    ids = {
        step["key"]: step["task_id"] or f"tsk_new_{step['key']}_{len(subject['tasks'])}"
        for step in draft["steps"]
    }
    gone = {one["task_id"] for one in draft["removed"]}
    rows = {task["id"]: task for task in subject["tasks"] if task["id"] not in gone}
    for step in draft["steps"]:
        task_id = ids[step["key"]]
        if step["action"] == "keep":
            continue
        fields = {
            name: step[name] for name in stored_task("x", "y", protected=False) if name in step
        }
        needed = [ids.get(one, one) for one in step["depends_on"]]
        rows[task_id] = {
            **stored_task(task_id, "", protected=False),
            **fields,
            "id": task_id,
            "depends_on": [one for one in needed if one in rows],
        }
    return {**subject, "tasks": list(rows.values())}


def has_cycle(subject: Draft) -> bool:
    needs = {task["id"]: set(task["depends_on"]) for task in subject["tasks"]}
    left = {task_id: {one for one in found if one in needs} for task_id, found in needs.items()}
    while left:
        free = [task_id for task_id, found in left.items() if not found & left.keys()]
        if not free:
            return True
        for task_id in free:
            del left[task_id]
    return False


def protected_of(subject: Draft) -> list[Draft]:
    return [task for task in subject["tasks"] if task["protected"]]


@given(goals(), plans())
@SAME
def test_what_is_stored_has_no_cycle_and_never_touches_what_is_protected(
    subject: Draft, said: list[PlannedTask]
) -> None:
    before = copy.deepcopy(subject)

    draft = draft_of(said, subject)

    after = applied(draft, subject)
    touched = {step["task_id"] for step in draft["steps"]}
    touched |= {one["task_id"] for one in draft["removed"]}
    assert not has_cycle(after)
    assert protected_of(after) == protected_of(before)
    assert not touched & {task["id"] for task in protected_of(before)}


@given(goals(), plans())
@SAME
def test_every_criterion_is_served_or_reported(subject: Draft, said: list[PlannedTask]) -> None:
    draft = draft_of(said, subject)

    reported = [one["detail"] for one in draft["repairs"] if one["kind"] == "uncovered"]
    assert reported == [criterion["text"] for criterion in uncovered(draft)]
    assert draft["steps"] == [] or reported == []


@given(goals(), plans())
@SAME
def test_the_same_plan_a_second_time_is_an_empty_diff(
    subject: Draft, said: list[PlannedTask]
) -> None:
    after = applied(draft_of(said, subject), subject)

    again = draft_of(said, after)

    assert [step["action"] for step in again["steps"] if step["action"] != "keep"] == []
    assert again["removed"] == []


@given(goals(), plans(), st.data())
@SAME
def test_whatever_is_rejected_the_rest_has_no_cycle_and_says_what_it_leaves_uncovered(
    subject: Draft, said: list[PlannedTask], data: st.DataObject
) -> None:
    draft = draft_of(said, subject)
    keys = [item["key"] for item in items(draft)]
    rejected = data.draw(st.sets(st.sampled_from(keys))) if keys else set()

    rest = decided(draft, rejected=rejected)

    after = applied(rest, subject)
    known = {step["key"] for step in rest["steps"]} | {task["id"] for task in subject["tasks"]}
    told = {one["detail"] for one in rest["repairs"] if one["kind"] == "uncovered"}
    assert not has_cycle(after)
    assert not rejected & {item["key"] for item in items(rest)}
    assert all(one in known for step in rest["steps"] for one in step["depends_on"])
    assert {criterion["text"] for criterion in uncovered(rest)} <= told
    assert protected_of(after) == protected_of(subject)


def test_a_rejected_task_hands_what_it_needed_to_those_that_needed_it() -> None:
    said = [
        planned("t1", title="uno", serves=[1]),
        planned("t2", title="dos", serves=[2], depends_on=["t1"]),
        planned("t3", title="tres", serves=[1], depends_on=["t2"]),
    ]
    draft = draft_of(said, goal_with([]))

    rest = decided(draft, rejected={"t2"})

    assert [(step["key"], step["depends_on"]) for step in rest["steps"]] == [
        ("t1", []),
        ("t3", ["t1"]),
    ]
    assert [(one["kind"], one["detail"]) for one in rest["repairs"]] == [
        ("uncovered", "criterio 2")
    ]


def test_tasks_of_the_earlier_plan_are_changed_kept_or_removed_by_what_they_say() -> None:
    said = [planned("t1", title="Crear el login", serves=[1]), planned("t2", title="Publicar")]
    first = applied(draft_of(said, goal_with([])), goal_with([]))
    again = [said[0], planned("t2", title="Medir"), planned("t3", title="Crear tokens")]

    draft = draft_of(again, first)

    assert [(step["title"], step["action"]) for step in draft["steps"]] == [
        ("Crear el login", "keep"),
        ("Medir", "add"),
        ("Crear tokens", "add"),
    ]
    assert [one["title"] for one in draft["removed"]] == ["Publicar"]


def test_an_edge_to_a_repeat_of_an_existing_task_goes_to_that_task() -> None:
    own = stored_task("tsk_own", "Crear el login", protected=True)
    said = [
        planned("t1", title="crear el login", serves=[1]),
        planned("t2", title="Publicar", serves=[2], depends_on=["t1"]),
    ]

    draft = draft_of(said, goal_with([own]))

    assert [(step["title"], step["depends_on"]) for step in draft["steps"]] == [
        ("Publicar", ["tsk_own"])
    ]
    assert [one["kind"] for one in draft["repairs"]] == ["merged_duplicate"]
    assert draft["stands_in"] == {"tsk_own": ["crt_1"]}


def test_an_edge_through_a_protected_task_back_to_a_replaced_one_is_cut() -> None:
    earlier = stored_task("tsk_old", "Crear el login", protected=False)
    own = stored_task("tsk_own", "Mi tarea", protected=True, depends_on=["tsk_old"])
    said = [planned("t1", title="Crear el login", depends_on=["E1"], serves=[1, 2])]

    draft = draft_of(said, goal_with([earlier, own]))

    assert draft["steps"][0]["depends_on"] == []
    assert [one["kind"] for one in draft["repairs"]] == ["cycle"]


def test_a_model_that_says_nothing_new_removes_nothing() -> None:
    own = stored_task("tsk_own", "Crear el login", protected=True)
    earlier = stored_task("tsk_old", "Publicar", protected=False)

    draft = draft_of([planned("t1", title="Crear el login")], goal_with([own, earlier]))

    assert (draft["steps"], draft["removed"]) == ([], [])


def test_nothing_of_an_unchanged_plan_is_to_be_decided() -> None:
    earlier = stored_task("tsk_old", "Publicar", protected=False)

    assert items(kept_draft(goal_with([earlier]))) == []


def test_the_nearest_titles_are_matched_once_each() -> None:
    embedder = Embedder(SCRIPTED_MODEL, ScriptedEmbeddings())
    one, other = asyncio.run(embedder.embed_documents(["crear login", "publicar"]))

    matched = match_titles(
        [("crear login", one), ("Crear login", one)],
        [("publicar", other), ("crear  login", one)],
        threshold=0.9,
    )

    assert matched == {0: 1}


def test_an_edit_of_a_task_changes_its_words_and_its_estimate_and_marks_it() -> None:
    draft = draft_of([planned("t1", serves=[1, 2])], goal_with([]))
    fields = {"title": "Mi título", "estimated_hours": 9.0}

    step = decide(draft, {"t1": Decision("edit", fields)})["steps"][0]

    assert (step["title"], step["estimated_hours"], step["edited"]) == ("Mi título", 9.0, True)
    assert (step["estimate"]["likely"], step["estimate"]["high"]) == (9.0, 9.0)


@pytest.mark.parametrize("fields", [{"title": " "}, {"priority": -1}, {"task_type": "odd"}])
def test_an_edit_that_no_task_can_have_is_refused(fields: Draft) -> None:
    draft = draft_of([planned("t1", serves=[1, 2])], goal_with([]))

    with pytest.raises(InputError):
        decide(draft, {"t1": Decision("edit", fields)})


def test_a_rejected_change_keeps_its_old_edges_and_no_new_one_closes_a_circle_with_them() -> None:
    login = stored_task("tsk_x", "Crear el login", protected=False, depends_on=["tsk_y"])
    publish = stored_task("tsk_y", "Publicar", protected=False)
    said = [
        planned("t1", title="Crear el login", serves=[1]),
        planned("t2", title="Publicar", depends_on=["t1"], serves=[2]),
    ]
    subject = goal_with([login, publish])

    rest = decided(draft_of(said, subject), rejected={"t1"})

    assert [(step["task_id"], step["depends_on"]) for step in rest["steps"]] == [("tsk_y", [])]
    assert "cycle" in [one["kind"] for one in rest["repairs"]]
    assert not has_cycle(applied(rest, subject))
