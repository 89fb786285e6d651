"""Tasks over HTTP and the verdict on them: rows, events, progress, and whose they are."""

import asyncio

import pytest
from pydantic import JsonValue

from tests.service import Learner, Service
from tools.verdicts import apply_validation, hold_for_verdict


async def _goal_with_tasks(ana: Learner, count: int) -> tuple[str, list[str]]:
    goal = await ana.make("goals", title="Aprender SQL")
    tasks = [
        await ana.make("tasks", title=f"Paso {number}", goal_id=goal["id"])
        for number in range(count)
    ]
    return goal["id"], [task["id"] for task in tasks]


async def _progress(ana: Learner, goal_id: str) -> JsonValue:
    progress: JsonValue = (await ana.read(f"/v1/goals/{goal_id}"))["progress_percentage"]
    return progress


async def test_a_created_task_is_answered_with_its_address_and_can_be_read(ana: Learner) -> None:
    goal = await ana.make("goals", title="Aprender SQL")
    task = {
        "title": "Implementar /login",
        "description": "Devuelve un token o 401.",
        "goal_id": goal["id"],
        "task_type": "testing",
        "priority": 10,
        "estimated_hours": 2.5,
    }

    response = await ana.client.post("/v1/tasks", json=task)

    created = response.json()
    assert response.status_code == 201
    assert await ana.read(response.headers["location"]) == created
    assert {name: created[name] for name in task} == task
    assert created["status"] == "todo"
    assert created["validation_result"] is None
    assert await ana.event_types() == ["goal.created", "task.created"]


async def test_a_task_may_stand_without_a_goal(ana: Learner) -> None:
    created = await ana.make("tasks", title="Leer la guía")

    assert created["goal_id"] is None
    assert created["task_type"] == "code"
    assert created["priority"] == 100


async def test_the_goals_progress_follows_its_tasks_that_are_not_skipped(ana: Learner) -> None:
    goal_id, [first, second, third] = await _goal_with_tasks(ana, 3)

    await ana.client.patch(f"/v1/tasks/{first}", json={"status": "completed"})
    assert await _progress(ana, goal_id) == 33.33

    await ana.client.patch(f"/v1/tasks/{second}", json={"status": "skipped"})
    assert await _progress(ana, goal_id) == 50.0

    await ana.client.delete(f"/v1/tasks/{third}")
    assert await _progress(ana, goal_id) == 100.0

    await ana.make("tasks", title="Uno más", goal_id=goal_id)
    assert await _progress(ana, goal_id) == 50.0


async def test_tasks_completed_at_the_same_moment_are_all_counted(ana: Learner) -> None:
    goal_id, tasks = await _goal_with_tasks(ana, 8)

    answers = await asyncio.gather(
        *(ana.client.patch(f"/v1/tasks/{id_}", json={"status": "completed"}) for id_ in tasks)
    )

    assert [answer.status_code for answer in answers] == [200] * 8
    assert await _progress(ana, goal_id) == 100.0


async def test_tasks_made_at_the_same_moment_do_not_wait_for_each_other_for_ever(
    ana: Learner,
) -> None:
    goal = await ana.make("goals", title="Aprender SQL")

    answers = await asyncio.gather(
        *(
            ana.client.post("/v1/tasks", json={"title": f"Paso {n}", "goal_id": goal["id"]})
            for n in range(8)
        )
    )

    assert [answer.status_code for answer in answers] == [201] * 8


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("in_progress", "task.started"),
        ("completed", "task.completed"),
        ("skipped", "task.updated"),
        ("in_review", "task.updated"),
    ],
)
async def test_a_status_is_recorded_by_its_own_event_where_there_is_one(
    ana: Learner, status: str, event: str
) -> None:
    task = await ana.make("tasks", title="SELECT")

    response = await ana.client.patch(f"/v1/tasks/{task['id']}", json={"status": status})

    assert response.json()["status"] == status
    assert await ana.event_types() == ["task.created", event]


async def test_a_change_of_status_and_of_a_field_is_two_facts(ana: Learner) -> None:
    task = await ana.make("tasks", title="SELECT")

    response = await ana.client.patch(
        f"/v1/tasks/{task['id']}", json={"status": "completed", "actual_hours": 1.5}
    )

    changed = response.json()
    assert changed["actual_hours"] == 1.5
    assert changed["completed_at"] == changed["updated_at"]
    assert await ana.event_types() == ["task.created", "task.completed", "task.updated"]
    updated = (await ana.read("/v1/events", type="task.updated"))["items"]
    assert updated[0]["payload"]["changed"] == ["actual_hours"]


async def test_a_task_that_is_opened_again_keeps_its_start_and_loses_its_end(ana: Learner) -> None:
    task = await ana.make("tasks", title="SELECT")
    path = f"/v1/tasks/{task['id']}"

    done = (await ana.client.patch(path, json={"status": "completed"})).json()
    opened = (await ana.client.patch(path, json={"status": "todo"})).json()

    assert opened["started_at"] == done["started_at"] is not None
    assert opened["completed_at"] is None


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_a_verdict_goes_into_the_task_and_its_goal_as_the_data_model_says(
    ana: Learner, service: Service, status: str
) -> None:
    goal_id, [task_id] = await _goal_with_tasks(ana, 1)
    issues = [{"line": 3, "text": "falta el caso vacío"}]
    passed = status == "completed"

    async with service.services.open_tools(ana.id) as tools:
        returned = await apply_validation(
            tools,
            await hold_for_verdict(tools, task_id),
            passed=passed,
            score=0.75,
            issues=issues,
            feedback="Casi.",
            extra={"runs": 2, "passed": "never mind"},
        )

    task = await ana.read(f"/v1/tasks/{task_id}")
    assert task == returned.model_dump(mode="json")
    assert task["status"] == status
    assert task["ai_feedback"] == "Casi."
    assert task["validation_result"] == {
        "passed": passed,
        "score": 0.75,
        "issues": issues,
        "validated_at": task["updated_at"],
        "runs": 2,
    }
    assert task["validation_result"]["validated_at"].endswith("Z")
    assert (task["completed_at"] is not None) == passed
    assert await _progress(ana, goal_id) == (100.0 if passed else 0.0)
    assert await ana.event_types() == ["goal.created", "task.created"]


async def test_the_score_of_a_validated_task_is_in_its_completion(
    ana: Learner, service: Service
) -> None:
    task = await ana.make("tasks", title="SELECT")
    async with service.services.open_tools(ana.id) as tools:
        held = await hold_for_verdict(tools, task["id"])
        await apply_validation(tools, held, passed=False, score=0.4, issues=[], feedback="No.")

    await ana.client.patch(f"/v1/tasks/{task['id']}", json={"status": "completed"})

    [event] = (await ana.read("/v1/events", type="task.completed"))["items"]
    assert event["payload"]["validation_score"] == 0.4


async def test_tasks_are_filtered_by_goal_and_status_and_paged(ana: Learner) -> None:
    goal_id, [first, second, third] = await _goal_with_tasks(ana, 3)
    await ana.make("tasks", title="Sin meta")
    await ana.client.patch(f"/v1/tasks/{second}", json={"status": "completed"})

    page = await ana.read("/v1/tasks", goal_id=goal_id, limit=2)
    rest = await ana.read("/v1/tasks", goal_id=goal_id, limit=2, cursor=page["next_cursor"])
    done = await ana.read("/v1/tasks", goal_id=goal_id, status="completed")

    assert [task["id"] for task in page["items"]] == [third, second]
    assert [task["id"] for task in rest["items"]] == [first]
    assert [task["id"] for task in done["items"]] == [second]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_another_users_task_looks_like_a_missing_one(
    ana: Learner, bruno: Learner, method: str
) -> None:
    task = await ana.make("tasks", title="SELECT")
    body = {"title": "Robada"} if method == "PATCH" else None

    others = await bruno.client.request(method, f"/v1/tasks/{task['id']}", json=body)
    missing = await bruno.client.request(method, "/v1/tasks/tsk_missing", json=body)

    assert others.status_code == 404
    assert others.content == missing.content
    assert await ana.read(f"/v1/tasks/{task['id']}") == task


async def test_a_task_cannot_join_another_users_goal(
    ana: Learner, bruno: Learner, service: Service
) -> None:
    goal = await ana.make("goals", title="Aprender SQL")

    response = await bruno.client.post(
        "/v1/tasks", json={"title": "Intrusa", "goal_id": goal["id"]}
    )

    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
    assert await service.count("select count(*) from tasks") == 0
    assert await bruno.event_types() == []


async def test_a_task_stays_with_its_goal(ana: Learner) -> None:
    goal = await ana.make("goals", title="Aprender SQL")
    task = await ana.make("tasks", title="SELECT")

    response = await ana.client.patch(f"/v1/tasks/{task['id']}", json={"goal_id": goal["id"]})

    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")
