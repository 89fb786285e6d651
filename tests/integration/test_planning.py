"""Suggestion and breakdown by their promises: what is new, what stays, what a review leaves."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import respx

from agent.job import Job
from agent.nodes.breakdown import BREAK_DOWN_GOAL
from agent.nodes.suggest import SUGGEST_GOALS
from agent.review import Decision
from agent.state import AgentState, Tokens
from tests.agents import COMPLETIONS, said, suggested
from tests.service import Learner, Service, fill_pending
from tools.errors import Conflict

WISH = {"wish": "Quiero probar mi API", "count": 2}
CRITERIA = ["Hay login", "Hay tokens", "Hay rutas protegidas"]
ODD = {**suggested("Probar la API")["goals"][0], "criteria": ["Se ve.", "se ve"]}


def planned(key: str, title: str, *depends_on: str, serves: int = 1) -> dict[str, Any]:
    return {
        "key": key,
        "serves": [serves],
        "title": title,
        "description": title,
        "task_type": "code",
        "acceptance": ["Se ve", "Se mide"],
        "depends_on": list(depends_on),
        "hours_low": 1,
        "hours_likely": 2,
        "hours_high": 3,
        "complexity": 2,
        "reason": "Es corto",
    }


async def make_goal(ana: Learner) -> str:
    goal = await ana.make("goals", title="API con JWT", criteria=CRITERIA)
    return str(goal["id"])


async def break_down(ana: Learner, goal_id: str, **body: Any) -> dict[str, Any]:
    response = await ana.client.post(f"/v1/goals/{goal_id}/breakdown", json=body)
    answer: dict[str, Any] = response.json()
    assert response.status_code == 201, answer
    return answer


async def tasks_of(ana: Learner, goal_id: str) -> dict[str, Any]:
    page = await ana.read("/v1/tasks", goal_id=goal_id, limit=100)
    return {task["id"]: task for task in page["items"]}


async def drafted(
    service: Service, learner: Learner, job: Job, *, operation: str, **request: Any
) -> AgentState:
    """Return the state of a run whose draft is ready to be decided on."""
    context = service.services.agent_context(learner.id)
    asked = {"review": True, **request}
    async with context.open_tools() as tools:
        subject = await job.load(tools, asked)
    state = AgentState(
        job=job.name,
        operation_id=operation,
        request=asked,
        language="es",
        subject=subject,
        sources=[],
        repairs=0,
        complaint=None,
        tokens=Tokens(input=0, output=0, calls=0),
    )
    state.update(await job.answer(state, context))
    state.update(await job.check(state, context))
    return state


async def stored(
    service: Service,
    learner: Learner,
    job: Job,
    state: AgentState,
    *,
    decisions: Mapping[str, Decision],
) -> dict[str, Any]:
    """Return the answer of a run after the user's decisions; what nobody names is accepted."""
    assert job.items is not None
    assert job.decide is not None
    complete = {item["key"]: Decision("accept") for item in job.items(state["draft"])}
    state["draft"] = job.decide(state["draft"], {**complete, **decisions})
    context = service.services.agent_context(learner.id)
    async with context.open_tools() as tools:
        return await job.persist(tools, state, context)


async def test_missing_goals_are_asked_for_once_and_join_those_that_can_be_used(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    first = {"goals": [ODD, *suggested("Desplegar en un servidor")["goals"]]}
    second = suggested("Documentar con ejemplos", "Cocinar arroz")
    route = httpx2_mock.post(COMPLETIONS).mock(side_effect=[said(first), said(second)])

    answer = (await ana.client.post("/v1/goals/suggest", json=WISH)).json()

    assert [one["goal"]["title"] for one in answer["suggestions"]] == [
        "Desplegar en un servidor",
        "Documentar con ejemplos",
    ]
    assert [(one["title"], one["reason"]) for one in answer["dropped"]] == [
        ("Probar la API", "criteria")
    ]
    _, asked = json.loads(route.calls.last.request.content)["messages"]
    assert "exactamente 1 metas" in asked["content"]
    assert asked["content"].endswith(
        "Ya están, y no las quiere otra vez ni con otras palabras: Desplegar en un servidor. "
        "Cada meta con dos criterios distintos. Escribe 1 que sean otra cosa."
    )


async def test_a_repair_turn_that_fails_leaves_the_goals_that_can_be_used(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    httpx2_mock.post(COMPLETIONS).mock(
        side_effect=[said(suggested("Desplegar en un servidor")), said("no es JSON")]
    )

    answer = (await ana.client.post("/v1/goals/suggest", json=WISH)).json()

    assert [one["goal"]["title"] for one in answer["suggestions"]] == ["Desplegar en un servidor"]


async def test_goals_in_the_other_language_twice_are_an_error(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    english = {
        **suggested("Write the tests of the API")["goals"][0],
        "description": "All of the tests are run with each change",
        "criteria": ["The tests are green for each change", "It is run by the pipeline"],
    }
    httpx2_mock.post(COMPLETIONS).mock(return_value=said({"goals": [english]}))

    response = await ana.client.post("/v1/goals/suggest", json=WISH)

    assert (response.status_code, response.json()["code"]) == (502, "LLM_BAD_OUTPUT")


async def test_a_goal_that_is_too_old_to_be_shown_is_still_not_repeated(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    old = await ana.make("goals", title="Desplegar en un servidor")
    for number in range(30):
        await ana.make("goals", title=f"Meta número {number}")
    route = httpx2_mock.post(COMPLETIONS).mock(
        return_value=said(suggested("desplegar en un  servidor"))
    )

    answer = (await ana.client.post("/v1/goals/suggest", json={**WISH, "count": 1})).json()

    assert "Desplegar en un servidor" not in route.calls[0].request.content.decode()
    assert answer["suggestions"] == []
    assert [one["continue_goal_id"] for one in answer["dropped"]] == [old["id"]]


async def test_never_more_goals_than_asked_are_stored(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    many = suggested("Desplegar en un servidor", "Documentar con ejemplos", "Medir la velocidad")
    httpx2_mock.post(COMPLETIONS).mock(return_value=said(many))

    answer = (await ana.client.post("/v1/goals/suggest", json=WISH)).json()

    assert len(answer["suggestions"]) == 2
    assert await remote.count("select count(*) from goals") == 2


@pytest.mark.parametrize(("label", "grounds"), [("S1", "cited"), ("S9", "nearest")])
async def test_a_suggestion_says_whether_the_model_or_code_found_what_it_rests_on(
    remote: Service, httpx2_mock: respx.Router, label: str, grounds: str
) -> None:
    ana = await remote.sign_in("ana")
    task = await ana.make("tasks", title="Quiero probar mi API")
    await fill_pending(remote)
    goal = {**suggested("Quiero probar mi API de pagos")["goals"][0], "based_on": [label]}
    httpx2_mock.post(COMPLETIONS).mock(return_value=said({"goals": [goal]}))

    answer = (await ana.client.post("/v1/goals/suggest", json={**WISH, "count": 1})).json()

    [suggestion] = answer["suggestions"]
    assert suggestion["grounds"] == grounds
    assert suggestion["based_on"] == [task["id"]]


async def test_of_reviewed_goals_only_the_accepted_are_stored_under_the_ids_that_were_proposed(
    scripted: Service,
) -> None:
    ana = await scripted.sign_in("ana")
    state = await drafted(scripted, ana, SUGGEST_GOALS, operation="opr_1", **WISH, course_id=None)
    context = scripted.services.agent_context(ana.id)
    assert SUGGEST_GOALS.record_proposed is not None
    async with context.open_tools() as tools:
        await SUGGEST_GOALS.record_proposed(tools, state, context)
    proposed = [goal["goal_id"] for goal in state["draft"]["goals"]]

    answer = await stored(scripted, ana, SUGGEST_GOALS, state, decisions={"g1": Decision("reject")})

    events = (await ana.read("/v1/events", limit=100))["items"]
    suggestions = [one for one in events if one["event_type"] == "ai.goal_suggested"]
    assert [one["goal"]["id"] for one in answer["suggestions"]] == proposed[1:]
    assert sorted(one["entity_id"] for one in suggestions) == sorted(proposed)
    assert [goal["id"] for goal in (await ana.read("/v1/goals"))["items"]] == proposed[1:]


async def test_the_same_breakdown_again_asks_no_model_and_changes_nothing(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    goal_id = await make_goal(ana)
    said_tasks = [
        planned("t1", "Crear el login"),
        planned("t2", "Firmar con clave", "t1", serves=2),
        planned("t3", "Cerrar rutas", "t2", serves=3),
    ]
    route = httpx2_mock.post(COMPLETIONS).mock(return_value=said({"tasks": said_tasks}))
    first = await break_down(ana, goal_id)
    before = await tasks_of(ana, goal_id)
    events = await ana.event_types()

    again = await break_down(ana, goal_id)

    assert route.call_count == 1
    assert again["unchanged"] is True
    assert again["diff"]["kept"] == [task["id"] for task in first["tasks"]]
    assert [again["diff"][name] for name in ("added", "changed", "removed")] == [[], [], []]
    assert [task["id"] for task in again["tasks"]] == [task["id"] for task in first["tasks"]]
    assert again["critical_path"] == first["critical_path"]
    assert again["coverage"] == first["coverage"]
    assert again["tokens"]["calls"] == 0
    assert await tasks_of(ana, goal_id) == before
    assert await ana.event_types() == events


async def test_the_same_words_for_another_wish_are_an_empty_diff(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    goal_id = await make_goal(ana)
    said_tasks = [planned(f"t{n}", f"Parte número {n} distinta", serves=n) for n in (1, 2, 3)]
    httpx2_mock.post(COMPLETIONS).mock(return_value=said({"tasks": said_tasks}))
    await break_down(ana, goal_id)
    before = await tasks_of(ana, goal_id)

    again = await break_down(ana, goal_id, instructions="igual")

    assert again["unchanged"] is False
    assert [again["diff"][name] for name in ("added", "changed", "removed")] == [[], [], []]
    assert await tasks_of(ana, goal_id) == before


async def test_another_plan_changes_removes_and_adds_but_never_what_the_learner_has_touched(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    goal_id = await make_goal(ana)
    own = await ana.make("tasks", title="Leer la documentación", goal_id=goal_id)
    titles = ["Crear el login", "Firmar con clave", "Cerrar rutas", "Medir tiempos", "Publicar"]
    first = [planned(f"t{n}", title) for n, title in enumerate(titles, start=1)]
    second = [
        {**planned("t1", "Crear el login"), "description": "Otra cosa"},
        planned("t2", "Revisar seguridad", "t1", "E1", serves=3),
    ]
    route = httpx2_mock.post(COMPLETIONS).mock(
        side_effect=[said({"tasks": first}), said({"tasks": second})]
    )
    made = (await break_down(ana, goal_id))["tasks"]
    edited, finished, submitted, login, gone = made[1], made[2], made[3], made[0], made[4]
    await ana.client.patch(f"/v1/tasks/{edited['id']}", json={"title": "Mi propio título"})
    await ana.client.patch(f"/v1/tasks/{finished['id']}", json={"status": "completed"})
    await ana.make(
        "snapshots", task_id=submitted["id"], file_path="a.py", language="python", code="x = 1\n"
    )
    before = await tasks_of(ana, goal_id)

    answer = await break_down(ana, goal_id, instructions="Con una revisión de seguridad")

    after = await tasks_of(ana, goal_id)
    new = answer["tasks"][1]
    prompt = route.calls.last.request.content.decode()
    assert "Con una revisión de seguridad" in prompt
    assert "E1. Leer la documentación" in prompt
    assert "- Publicar" in prompt
    assert answer["diff"]["changed"] == [login["id"]]
    assert answer["diff"]["removed"] == [gone["id"]]
    assert answer["diff"]["added"] == [new["id"]]
    untouched = {own["id"], edited["id"], finished["id"], submitted["id"]}
    assert set(answer["diff"]["kept"]) == untouched
    assert {task_id: after[task_id] for task_id in untouched} == {
        task_id: before[task_id] for task_id in untouched
    }
    assert after[login["id"]]["description"] == "Otra cosa"
    assert "edited_by_user" not in after[login["id"]]["metadata"]
    assert after.keys() == untouched | {login["id"], new["id"]}
    assert new["metadata"]["depends_on"] == [login["id"], own["id"]]


async def test_a_change_by_the_learner_while_the_model_talked_stays_and_is_said(
    scripted: Service,
) -> None:
    ana = await scripted.sign_in("ana")
    goal_id = await make_goal(ana)
    made = (await break_down(ana, goal_id))["tasks"]
    await ana.client.patch(f"/v1/goals/{goal_id}", json={"criteria": ["Hay login", "Hay logs"]})
    state = await drafted(
        scripted, ana, BREAK_DOWN_GOAL, operation="opr_2", goal_id=goal_id, count=None
    )
    removed = [one["task_id"] for one in state["draft"]["removed"]]
    await ana.client.patch(f"/v1/tasks/{removed[0]}", json={"status": "in_progress"})

    answer = await stored(scripted, ana, BREAK_DOWN_GOAL, state, decisions={})

    kinds = [one["kind"] for one in answer["repairs"]]
    assert removed[0] in {task["id"] for task in made}
    assert removed[0] in await tasks_of(ana, goal_id)
    assert removed[0] not in answer["diff"]["removed"]
    assert "changed_meanwhile" in kinds


async def test_two_breakdowns_of_a_goal_at_a_time_store_one_plan(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    goal_id = await make_goal(ana)
    one = await drafted(
        scripted, ana, BREAK_DOWN_GOAL, operation="opr_1", goal_id=goal_id, count=None
    )
    other = await drafted(
        scripted, ana, BREAK_DOWN_GOAL, operation="opr_2", goal_id=goal_id, count=None
    )
    await stored(scripted, ana, BREAK_DOWN_GOAL, one, decisions={})

    with pytest.raises(Conflict):
        await stored(scripted, ana, BREAK_DOWN_GOAL, other, decisions={})

    assert len(await tasks_of(ana, goal_id)) == 3


async def test_a_rejected_task_is_not_stored_and_its_edges_are_spliced(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    goal_id = await make_goal(ana)
    state = await drafted(
        scripted, ana, BREAK_DOWN_GOAL, operation="opr_1", goal_id=goal_id, count=None
    )
    decisions = {"t2": Decision("reject"), "t3": Decision("edit", {"title": "Mi título"})}

    answer = await stored(scripted, ana, BREAK_DOWN_GOAL, state, decisions=decisions)

    one, three = answer["tasks"]
    uncovered = [repair["detail"] for repair in answer["repairs"] if repair["kind"] == "uncovered"]
    again = await drafted(
        scripted, ana, BREAK_DOWN_GOAL, operation="opr_2", goal_id=goal_id, count=None
    )
    assert three["metadata"]["depends_on"] == [one["id"]]
    assert (three["title"], three["metadata"]["edited_by_user"]) == ("Mi título", True)
    assert uncovered == ["Hay tokens"]
    assert again["draft"]["unchanged"] is False


async def test_estimates_follow_the_pace_of_the_learner(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    for number in range(5):
        task = await ana.make("tasks", title=f"Tarea {number}", estimated_hours=1.0)
        done = {"status": "completed", "actual_hours": 2.0}
        await ana.client.patch(f"/v1/tasks/{task['id']}", json=done)
    goal_id = await make_goal(ana)

    answer = await break_down(ana, goal_id)

    assert answer["calibration"] == {"ratio": 1.41, "tasks": 5}
    assert [task["estimated_hours"] for task in answer["tasks"]] == [2.75, 2.75, 2.75]
    assert answer["tasks"][0]["metadata"]["estimate"]["uncalibrated"] == 2.0


async def test_the_pace_of_another_learner_counts_for_nothing(scripted: Service) -> None:
    ana, bruno = await scripted.sign_in("ana"), await scripted.sign_in("bruno")
    for number in range(5):
        task = await bruno.make("tasks", title=f"Tarea {number}", estimated_hours=1.0)
        done = {"status": "completed", "actual_hours": 2.0}
        await bruno.client.patch(f"/v1/tasks/{task['id']}", json=done)

    answer = await break_down(ana, await make_goal(ana))

    assert answer["calibration"] is None


async def test_tasks_in_the_other_language_twice_are_an_error_and_nothing_is_stored(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    goal_id = await make_goal(ana)
    titles = [
        "Write the tests for the login",
        "Deploy it to the server",
        "Measure all of the times",
    ]
    english = [planned(f"t{n}", title) for n, title in enumerate(titles, start=1)]
    route = httpx2_mock.post(COMPLETIONS).mock(return_value=said({"tasks": english}))

    response = await ana.client.post(f"/v1/goals/{goal_id}/breakdown", json={"language": "es"})

    assert (response.status_code, response.json()["code"]) == (502, "LLM_BAD_OUTPUT")
    asked = route.calls.last.request.content.decode()
    assert "Escribe cada título, descripción, criterio y razón en español." in asked
    assert titles[0] not in asked, "it is not shown what it would say again"
    assert await tasks_of(ana, goal_id) == {}


async def test_progress_follows_the_tasks_of_a_breakdown(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    goal_id = await make_goal(ana)
    tasks = (await break_down(ana, goal_id))["tasks"]

    await ana.client.patch(f"/v1/tasks/{tasks[0]['id']}", json={"status": "completed"})

    goal = await ana.read(f"/v1/goals/{goal_id}")
    following = await ana.read(f"/v1/goals/{goal_id}/next")
    assert goal["progress_percentage"] == 33.33
    assert following["task"]["id"] == tasks[1]["id"]


@pytest.mark.parametrize("wish", ["$count ${fence} $$ {} {0} %s", "{{wish}} $wish"])
async def test_what_looks_like_a_template_arrives_as_it_was_written(
    remote: Service, httpx2_mock: respx.Router, wish: str
) -> None:
    ana = await remote.sign_in("ana")
    goal_id = await make_goal(ana)
    said_tasks = [planned(f"t{n}", f"Parte número {n} distinta", serves=n) for n in (1, 2, 3)]
    route = httpx2_mock.post(COMPLETIONS).mock(
        side_effect=[said(suggested("Probar")), said({"tasks": said_tasks})]
    )

    await ana.client.post("/v1/goals/suggest", json={"wish": wish, "count": 1, "language": "es"})
    await break_down(ana, goal_id, instructions=wish)

    goals, tasks = (call.request.content.decode() for call in route.calls)
    assert f"Deseo: {wish}\\n" in goals
    assert f"sea distinto: {wish}\\n" in tasks
