"""`GET /v1/goals/{id}/next`, over what is really stored."""

from typing import Any

from sqlalchemy import text

from tests.service import Learner, Service


async def plan(
    service: Service, ana: Learner, **depends_on: list[str]
) -> tuple[str, dict[str, str]]:
    """Return a goal and the ids of its tasks by name, each with what it depends on."""
    goal = await ana.make("goals", title="Meta")
    ids = {
        name: (await ana.make("tasks", title=name, goal_id=goal["id"]))["id"] for name in depends_on
    }
    async with service.services.system.begin() as session:
        for name, needed in depends_on.items():
            await session.execute(
                text(
                    "update tasks set metadata = jsonb_build_object('depends_on',"
                    " to_jsonb(cast(:needed as text[]))) where id = :id"
                ),
                {"id": ids[name], "needed": [ids.get(one, one) for one in needed]},
            )
    return goal["id"], ids


async def following(ana: Learner, goal_id: str) -> dict[str, Any]:
    return await ana.read(f"/v1/goals/{goal_id}/next")


async def test_the_next_task_is_one_whose_needs_are_done(service: Service, ana: Learner) -> None:
    goal_id, ids = await plan(service, ana, c=["b"], b=["a"], a=["tsk_gone"])

    first = await following(ana, goal_id)
    await ana.client.patch(f"/v1/tasks/{ids['a']}", json={"status": "completed"})
    second = await following(ana, goal_id)

    assert (first["task"]["id"], first["waiting"], first["reason"]) == (ids["a"], 2, None)
    assert (second["task"]["id"], second["waiting"]) == (ids["b"], 1)


async def test_a_goal_without_tasks_and_one_that_is_done_say_so(
    service: Service, ana: Learner
) -> None:
    empty = await ana.make("goals", title="Vacía")
    goal_id, ids = await plan(service, ana, a=[])
    await ana.client.patch(f"/v1/tasks/{ids['a']}", json={"status": "skipped"})

    assert (await following(ana, empty["id"]))["reason"] == "no_tasks"
    assert (await following(ana, goal_id)) == {
        "task": None,
        "reason": "all_done",
        "blocked_by": [],
        "waiting": 0,
    }


async def test_a_review_that_all_wait_for_is_named(service: Service, ana: Learner) -> None:
    goal_id, ids = await plan(service, ana, a=[], b=["a"])
    await ana.client.patch(f"/v1/tasks/{ids['a']}", json={"status": "in_review"})

    answer = await following(ana, goal_id)

    assert (answer["task"], answer["reason"]) == (None, "in_review")
    assert (answer["blocked_by"], answer["waiting"]) == ([ids["a"]], 1)


async def test_tasks_in_a_circle_are_said_to_be_blocked(service: Service, ana: Learner) -> None:
    goal_id, ids = await plan(service, ana, a=["b"], b=["a"])

    answer = await following(ana, goal_id)

    assert (answer["task"], answer["reason"]) == (None, "blocked")
    assert answer["blocked_by"] == sorted(ids.values())


async def test_a_task_of_another_goal_is_waited_for_until_it_is_done(
    service: Service, ana: Learner
) -> None:
    other = await ana.make("tasks", title="Otra")
    goal_id, ids = await plan(service, ana, a=[other["id"]])

    before = await following(ana, goal_id)
    await ana.client.patch(f"/v1/tasks/{other['id']}", json={"status": "completed"})
    after = await following(ana, goal_id)

    assert before["blocked_by"] == [other["id"]]
    assert after["task"]["id"] == ids["a"]


async def test_the_goal_of_another_learner_is_not_found(
    service: Service, ana: Learner, bruno: Learner
) -> None:
    goal_id, _ = await plan(service, bruno, a=[])

    response = await ana.client.get(f"/v1/goals/{goal_id}/next")

    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
