"""Progress goes up from tasks to goals to courses, whoever changes what at the same time."""

import asyncio
import random
from typing import Any

from pydantic import JsonValue

from tests.service import JsonObject, Learner
from tools.goals import MOVED


async def course_with(ana: Learner, *goals: int) -> tuple[str, list[tuple[str, list[str]]]]:
    """Make a course with goals of so many tasks; return its id and theirs."""
    course = await ana.make("courses", title="FastAPI", status="active")
    made = []
    for number, tasks in enumerate(goals):
        goal = await ana.make("goals", title=f"Meta {number}", course_id=course["id"])
        made.append(
            (
                goal["id"],
                [
                    (await ana.make("tasks", title=f"Paso {n}", goal_id=goal["id"]))["id"]
                    for n in range(tasks)
                ],
            )
        )
    return course["id"], made


async def progress(ana: Learner, kind: str, entity_id: str) -> JsonValue:
    found: JsonValue = (await ana.read(f"/v1/{kind}/{entity_id}"))["progress_percentage"]
    return found


async def patch(ana: Learner, path: str, **fields: Any) -> JsonObject:
    answer = await ana.client.patch(f"/v1/{path}", json=fields)
    assert answer.status_code == 200, answer.text
    changed: JsonObject = answer.json()
    return changed


async def test_a_courses_progress_is_the_mean_of_its_goals_that_are_not_cancelled(
    ana: Learner,
) -> None:
    course, [(one, [a, b]), (other, [c])] = await course_with(ana, 2, 1)

    await patch(ana, f"tasks/{a}", status="completed")
    assert await progress(ana, "courses", course) == 25.0
    await patch(ana, f"tasks/{c}", status="completed")
    assert await progress(ana, "courses", course) == 75.0
    await patch(ana, f"goals/{other}", status="blocked")
    assert await progress(ana, "courses", course) == 75.0
    await patch(ana, f"goals/{other}", status="cancelled")
    assert await progress(ana, "courses", course) == 50.0
    await patch(ana, f"tasks/{b}", status="skipped")
    assert await progress(ana, "courses", course) == 100.0
    await patch(ana, f"goals/{other}", status="pending")
    await patch(ana, f"tasks/{a}", status="todo")
    assert await progress(ana, "courses", course) == 50.0
    await ana.make("tasks", title="Otro", goal_id=other)
    assert await progress(ana, "courses", course) == 25.0
    await ana.client.delete(f"/v1/goals/{one}")
    assert await progress(ana, "courses", course) == 50.0
    await patch(ana, f"goals/{other}", course_id=None)
    third = await ana.make("goals", title="Tercera", course_id=course)
    assert await progress(ana, "courses", course) == 0.0
    await patch(ana, f"goals/{third['id']}", status="completed")
    assert await progress(ana, "courses", course) == 100.0


async def test_a_completed_course_stays_at_100_and_an_archived_one_as_it_was(ana: Learner) -> None:
    course, [(_, [a, _b])] = await course_with(ana, 2)
    path = f"courses/{course}"

    by_hand = await ana.client.patch(f"/v1/{path}", json={"progress_percentage": 10.0})
    completed = await patch(ana, path, status="completed")
    await patch(ana, f"tasks/{a}", status="completed")
    stays = await ana.read(f"/v1/{path}")
    archived = await patch(ana, path, status="archived")
    opened = await patch(ana, path, status="active")

    assert (by_hand.status_code, by_hand.json()["code"]) == (409, "CONFLICT_STATE")
    assert completed["progress_percentage"] == stays["progress_percentage"] == 100.0
    assert completed["completed_at"] == archived["completed_at"] is not None
    assert (opened["progress_percentage"], opened["completed_at"]) == (50.0, None)


async def test_an_illegal_status_is_refused_with_what_is_allowed_and_changes_nothing(
    ana: Learner,
) -> None:
    goal = await ana.make("goals", title="Aprender SQL")
    path = f"/v1/goals/{goal['id']}"
    await ana.client.patch(path, json={"status": "cancelled"})
    before = await ana.read(path)

    refused = await ana.client.patch(path, json={"status": "completed", "title": "Hecha"})

    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "CONFLICT_STATE"
    assert refused.json()["detail"] == (
        "a goal that is cancelled cannot become completed; it can become: pending"
    )
    assert await ana.read(path) == before
    assert await ana.event_types() == ["goal.created", "goal.updated"]


async def test_changes_all_over_a_course_at_once_end_in_the_right_numbers(ana: Learner) -> None:
    course, goals = await course_with(ana, 4, 4, 4)
    extra = await ana.make("courses", title="Otro", status="active")
    tasks = [task for _, its_tasks in goals for task in its_tasks]
    randomly = random.Random(7)

    async def change(number: int) -> list[Any]:
        goal, its_tasks = randomly.choice(goals)
        path, client = f"/v1/goals/{goal}", ana.client
        if number % 5 == 0:
            return [await client.patch(path, json={"status": "blocked"})]
        if number % 5 == 1:
            courses = (extra["id"], course)
            return [await client.patch(path, json={"course_id": one}) for one in courses]
        if number % 5 == 2:
            return [await client.post("/v1/tasks", json={"title": "Más", "goal_id": goal})]
        if number % 5 == 3:
            return [await client.patch(f"/v1/courses/{course}", json={"title": f"T{number}"})]
        return [await client.patch(f"/v1/tasks/{its_tasks[0]}", json={"status": "skipped"})]

    async def complete(task_id: str) -> list[Any]:
        return [await ana.client.patch(f"/v1/tasks/{task_id}", json={"status": "completed"})]

    answered = await asyncio.gather(
        *(complete(one) for one in tasks), *(change(number) for number in range(40))
    )

    answers = [answer for several in answered for answer in several]
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert all(one["code"] == "CONFLICT_STATE" or one["detail"] == MOVED for one in refused)
    for holder in (course, extra["id"]):
        its_goals = (await ana.read("/v1/goals", course_id=holder))["items"]
        for goal in its_goals:
            its = (await ana.read("/v1/tasks", goal_id=goal["id"], limit=100))["items"]
            counted = [task for task in its if task["status"] != "skipped"]
            completed = [task for task in counted if task["status"] == "completed"]
            assert goal["progress_percentage"] == round(100 * len(completed) / len(counted), 2)
        if its_goals:
            mean = sum(goal["progress_percentage"] for goal in its_goals) / len(its_goals)
            assert await progress(ana, "courses", holder) == round(mean, 2)
