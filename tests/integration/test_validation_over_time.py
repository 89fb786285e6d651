"""Validation of one task again and again: proposed examples, progress, dismissals, status."""

from typing import Any

import respx

from tests.agents import COMPLETIONS, answering, shape_of
from tests.service import Learner, Service

TASK = {"title": "Doblar", "description": "doble(n): el doble. Ejemplo: doble(4) == 8"}
OPEN_TASK = {"title": "Doblar", "description": "Escribe doble(n), que devuelve el doble de n."}
WRONG = "def doble(n):\n    return n + 1\n"
RIGHT = "def doble(n):\n    return n * 2\n"
REVIEW = {
    "criteria": [{"number": 1, "verdict": "met", "why": "lo hace"}],
    "findings": [],
    "feedback": "Piensa en qué pasa con el cuatro.",
    "next_step": "Prueba con 4",
}
PROPOSED = {
    "Review": REVIEW,
    "Solution": {"code": RIGHT},
    "ProposedCalls": {"calls": ["doble(4)", "doble(0)", "doble(-1)", "doble(10)"]},
}


async def validate(learner: Learner, task: dict[str, Any], code: str, **more: Any) -> Any:
    response = await learner.client.post(
        f"/v1/tasks/{task['id']}/validate",
        json={"file_path": "d.py", "programming_language": "python", "code": code, **more},
    )
    assert response.status_code in {200, 201}, response.text
    return response.json()


async def test_a_task_without_examples_is_judged_by_what_the_models_solutions_agree_on(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    task = await ana.make("tasks", **OPEN_TASK)
    route = httpx2_mock.post(COMPLETIONS).mock(side_effect=answering(**PROPOSED))

    wrong = await validate(ana, task, WRONG)
    right = await validate(ana, task, RIGHT)

    asked = [shape_of(call.request) for call in route.calls]
    assert (wrong["passed"], right["passed"]) == (False, True)
    assert {run["origin"] for run in wrong["runs"]} == {"proposed"}
    assert {(run["votes"], run["solutions"]) for run in wrong["runs"]} == {(5, 5)}
    assert (asked.count("Solution"), asked.count("ProposedCalls")) == (5, 1)
    assert wrong["tokens"]["calls"] == 7
    assert right["tokens"]["calls"] == 1


async def test_a_model_is_never_shown_the_submission_when_it_proposes(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    task = await ana.make("tasks", **OPEN_TASK)
    route = httpx2_mock.post(COMPLETIONS).mock(side_effect=answering(**PROPOSED))

    await validate(ana, task, "def doble(n):\n    return n + n  # canary\n")

    proposing = [
        call.request.content.decode()
        for call in route.calls
        if shape_of(call.request) in {"Solution", "ProposedCalls"}
    ]
    assert len(proposing) == 6
    assert not any("canary" in body for body in proposing)


async def test_a_changed_statement_is_solved_again(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    task = await ana.make("tasks", **OPEN_TASK)
    route = httpx2_mock.post(COMPLETIONS).mock(side_effect=answering(**PROPOSED))
    await validate(ana, task, RIGHT)

    await ana.client.patch(f"/v1/tasks/{task['id']}", json={"title": "Doblar números"})
    await validate(ana, task, RIGHT)

    asked = [shape_of(call.request) for call in route.calls]
    assert asked.count("Solution") == 10


async def test_the_next_submission_says_what_is_fixed(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)

    first = await validate(ana, task, WRONG)
    second = await validate(ana, task, RIGHT)

    assert first["progress"] is None
    assert second["progress"]["code_snapshot_id"] == first["code_snapshot_id"]
    assert [one["rule"] for one in second["progress"]["fixed"]] == ["run"]
    assert second["progress"]["open"] == second["progress"]["new"] == []


async def test_what_was_dismissed_is_not_shown_again(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)
    code = RIGHT + "\n\ndef otra():\n    return sin_definir\n"
    first = await validate(ana, task, code)
    [undefined] = first["issues"]

    dismissed = await ana.client.post(
        f"/v1/snapshots/{first['code_snapshot_id']}/dismissals",
        json={"fingerprint": undefined["fingerprint"], "reason": "lo uso después"},
    )
    second = await validate(ana, task, "\n\n" + code)

    assert dismissed.status_code == 201
    assert (undefined["rule"], undefined["start_line"]) == ("ruff/F821", 6)
    assert (second["issues"], second["dismissed_findings"]) == ([], 1)


async def test_a_task_that_nobody_can_judge_waits_in_review(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", title="Escribir un programa", description="Algo con números")

    answer = await validate(ana, task, "x = 1\n")

    assert (answer["passed"], answer["task"]["status"]) == (None, "in_review")
    assert "task.failed" not in await ana.event_types()


async def test_feedback_loses_code_that_solves_the_task(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    task = await ana.make("tasks", **TASK)
    telling = REVIEW | {"feedback": "Cambia la línea por `return n * 2` y ya está."}
    httpx2_mock.post(COMPLETIONS).mock(side_effect=answering(Review=telling))

    answer = await validate(ana, task, WRONG)

    assert "n * 2" not in answer["feedback"]
    assert "[código omitido]" in answer["feedback"]
