"""Lists: filtered, sorted by any column, and whole whatever is added or changed between pages."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

import tools.quotas
from tests.service import JsonObject, Learner, Service

PRIORITIES = ["low", "medium", "high", "urgent"]
DUE = datetime(2027, 1, 1)


async def pages(ana: Learner, path: str, **query: Any) -> list[JsonObject]:
    """Return all items of a list, two at a time."""
    found: list[JsonObject] = []
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await ana.read(path, limit=2, **query, **more)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def in_order(items: list[JsonObject], sort: str, *, ranks: list[str] | None = None) -> list[str]:
    name, down = sort.removeprefix("-"), sort.startswith("-")

    def key(item: JsonObject) -> Any:
        value = item[name]
        return (ranks.index(value) if ranks else value, item["id"])

    known = sorted((one for one in items if one[name] is not None), key=key, reverse=down)
    unknown = sorted(one["id"] for one in items if one[name] is None)
    return [one["id"] for one in known] + (unknown[::-1] if down else unknown)


async def test_goals_are_paged_in_every_order_ties_by_id_and_the_undated_last(
    ana: Learner,
) -> None:
    randomly = random.Random(3)
    made = []
    for number in range(9):
        due = None if number % 3 == 0 else (DUE + timedelta(days=number % 4)).isoformat() + "Z"
        made.append(
            await ana.make(
                "goals",
                title=f"meta {number % 4}",
                priority=randomly.choice(PRIORITIES),
                due_date=due,
            )
        )

    for name in ("created_at", "updated_at", "due_date", "priority", "progress_percentage"):
        for sort in (name, f"-{name}"):
            found = await pages(ana, "/v1/goals", sort=sort)
            ranks = PRIORITIES if name == "priority" else None
            assert [one["id"] for one in found] == in_order(made, sort, ranks=ranks), sort
    for sort in ("title", "-title"):
        found = await pages(ana, "/v1/goals", sort=sort)
        assert [one["id"] for one in found] == in_order(made, sort)


async def test_what_is_added_or_deleted_between_pages_neither_doubles_nor_hides_the_rest(
    ana: Learner,
) -> None:
    made = [await ana.make("tasks", title=f"t{n}", priority=n * 10) for n in range(6)]

    first = await ana.read("/v1/tasks", sort="priority", limit=2)
    await ana.make("tasks", title="vor", priority=5)
    await ana.client.delete(f"/v1/tasks/{made[1]['id']}")
    await ana.client.delete(f"/v1/tasks/{made[2]['id']}")
    after = await ana.make("tasks", title="nach", priority=35)
    rest = await ana.read("/v1/tasks", sort="priority", limit=10, cursor=first["next_cursor"])

    assert [one["id"] for one in first["items"]] == [made[0]["id"], made[1]["id"]]
    expected = [made[3]["id"], after["id"], made[4]["id"], made[5]["id"]]
    assert [one["id"] for one in rest["items"]] == expected


async def test_filters_narrow_a_list_and_may_name_several_values(ana: Learner) -> None:
    course = await ana.make("courses", title="SQL")
    low = await ana.make("goals", title="a", priority="low", due_date="2027-01-01T00:00:00Z")
    high = await ana.make("goals", title="b", priority="high", course_id=course["id"])
    urgent = await ana.make("goals", title="c", priority="urgent", due_date="2027-02-01T00:00:00Z")
    task = await ana.make("tasks", title="d", goal_id=high["id"], task_type="testing")
    await ana.make("tasks", title="e")
    await ana.client.patch(f"/v1/goals/{low['id']}", json={"status": "blocked"})
    await ana.make("snapshots", file_path="a.py", language="python", code="1\n")

    async def ids(path: str) -> list[str]:
        page = await ana.client.get(f"/v1/{path}")
        assert page.status_code == 200, page.text
        return [one["id"] for one in page.json()["items"]]

    assert await ids("goals?priority=high&priority=urgent") == [urgent["id"], high["id"]]
    assert await ids("goals?status=blocked&status=cancelled") == [low["id"]]
    assert await ids("goals?due_before=2027-02-01T00:00:00Z") == [low["id"]]
    assert await ids("goals?due_from=2027-02-01T00:00:00%2B00:00") == [urgent["id"]]
    assert await ids(f"goals?created_before={low['created_at']}") == []
    assert len(await ids(f"goals?created_from={low['created_at']}&ai_generated=false")) == 3
    assert await ids(f"tasks?course_id={course['id']}&task_type=testing") == [task["id"]]
    assert await ids("tasks?task_type=review") == []
    assert await ids("snapshots?passed=true") == []
    for wrong in (
        "goals?sort=nope",
        "goals?due_before=yesterday",
        "tasks?sort=due_date",
        "goals?sort=title&cursor=" + (await ana.read("/v1/goals", limit=1))["next_cursor"],
        "tasks?created_from=2027-01-01",
    ):
        refused = await ana.client.get(f"/v1/{wrong}")
        assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION"), wrong


async def test_who_has_too_many_is_told_to_delete_some(
    ana: Learner, bruno: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dict.fromkeys(("courses", "goals", "tasks", "code_snapshots"), 1)
    monkeypatch.setattr(tools.quotas, "MOST", few)
    code = {"file_path": "a.py", "language": "python", "code": "1\n"}
    kinds: list[tuple[str, JsonObject]] = [
        *[(kind, {"title": "uno"}) for kind in ("courses", "goals", "tasks")],
        ("snapshots", code),
    ]
    for kind, new in kinds:
        first = await ana.make(kind, **new)
        refused = await ana.client.post(f"/v1/{kind}", json=new)
        await bruno.make(kind, **new)

        assert (refused.status_code, refused.json()["code"]) == (409, "LIMIT_REACHED")
        await ana.client.delete(f"/v1/{kind}/{first['id']}")
        await ana.make(kind, **new)


async def test_what_is_remembered_can_be_listed_and_forgotten(
    ana: Learner, bruno: Learner, service: Service
) -> None:
    goal = await ana.make("goals", title="Aprender SQL")
    task = await ana.make("tasks", title="SELECT")
    path = f"/v1/memory/goal/{goal['id']}"

    listed = await pages(ana, "/v1/memory")
    others = await bruno.client.delete(path)
    forgotten = await ana.client.delete(path)
    again = await ana.client.delete(path)
    await ana.client.patch(f"/v1/goals/{goal['id']}", json={"priority": "low"})

    titles = {(one["entity_type"], one["entity_id"]): one["title"] for one in listed}
    assert titles == {("goal", goal["id"]): "Aprender SQL", ("task", task["id"]): "SELECT"}
    assert (others.status_code, forgotten.status_code, again.status_code) == (404, 204, 404)
    assert (await ana.read("/v1/memory", entity_type="goal"))["items"] == []
    assert (await ana.read("/v1/search", q="SQL", type="goal"))["hits"] == []
    await ana.client.patch(f"/v1/goals/{goal['id']}", json={"title": "Aprender SQL y más"})
    assert len(await pages(ana, "/v1/memory")) == 2


async def test_metadata_are_ones_own_but_for_what_the_service_keeps_there(
    ana: Learner, service: Service
) -> None:
    for kind, ours in (("goals", "plan"), ("tasks", "depends_on")):
        made = await ana.make(kind, title="a", metadata={"mine": {"x": 1, "y": 2}})
        path = f"/v1/{kind}/{made['id']}"
        kept = "metadata || jsonb_build_object(cast(:key as text), 1)"
        async with service.services.system.begin() as session:
            await session.execute(text(f"update {kind} set metadata = {kept}"), {"key": ours})

        merged = await ana.client.patch(path, json={"metadata": {"mine": {"x": None}, "b": [1]}})
        refused = await ana.client.patch(path, json={"metadata": {ours: None}})
        too_many = await ana.client.patch(path, json={"metadata": {f"k{n}": n for n in range(49)}})

        assert merged.json()["metadata"] == {"mine": {"y": 2}, "b": [1], ours: 1}
        assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION")
        assert too_many.status_code == 422
        not_made = await ana.client.post(f"/v1/{kind}", json={"title": "a", "metadata": {ours: 1}})
        assert not_made.status_code == 422
        null = await ana.client.patch(path, json={"title": None})
        assert null.status_code == 422
