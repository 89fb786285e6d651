"""Courses over HTTP: rows, events, index, and whose they are."""

import pytest

from tests.service import Learner, Service

COURSE = {
    "title": "FastAPI desde cero",
    "description": "Aprende FastAPI.",
    "status": "active",
    "progress_percentage": 45.5,
    "metadata": {
        "technologies": ["Python", "FastAPI"],
        "difficulty": "intermediate",
        "estimated_hours": 40,
    },
}


async def test_a_created_course_is_answered_with_its_address_and_can_be_read(ana: Learner) -> None:
    response = await ana.client.post("/v1/courses", json=COURSE)

    created = response.json()
    assert response.status_code == 201
    assert await ana.read(response.headers["location"]) == created
    assert {name: created[name] for name in COURSE} == COURSE
    assert await ana.event_types() == ["course.created"]


async def test_a_course_is_found_by_its_technologies(ana: Learner) -> None:
    course = await ana.make("courses", **COURSE)

    found = await ana.read("/v1/search", q="python", type="course")

    assert [hit["entity_id"] for hit in found["hits"]] == [course["id"]]


async def test_metadata_are_merged_key_by_key(ana: Learner) -> None:
    course = await ana.make("courses", **COURSE)

    response = await ana.client.patch(
        f"/v1/courses/{course['id']}",
        json={"metadata": {"difficulty": None, "teacher": {"name": "Eva"}}},
    )

    assert response.json()["metadata"] == {
        "technologies": ["Python", "FastAPI"],
        "estimated_hours": 40,
        "teacher": {"name": "Eva"},
    }


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("completed", "course.completed"),
        ("archived", "course.archived"),
        ("draft", "course.updated"),
    ],
)
async def test_a_status_is_recorded_by_its_own_event_where_there_is_one(
    ana: Learner, status: str, event: str
) -> None:
    course = await ana.make("courses", **COURSE)

    response = await ana.client.patch(f"/v1/courses/{course['id']}", json={"status": status})

    assert response.json()["status"] == status
    assert await ana.event_types() == ["course.created", event]


async def test_a_completed_course_is_at_100(ana: Learner) -> None:
    course = await ana.make("courses", **COURSE)
    path = f"/v1/courses/{course['id']}"

    completed = (await ana.client.patch(path, json={"status": "completed"})).json()
    archived = (await ana.client.patch(path, json={"status": "archived"})).json()
    opened = (await ana.client.patch(path, json={"status": "active"})).json()

    assert completed["progress_percentage"] == 100.0
    assert completed["completed_at"] == archived["completed_at"] is not None
    assert opened["status"] == "active"


async def test_courses_are_filtered_by_status_and_paged(ana: Learner) -> None:
    made = [await ana.make("courses", title=f"Curso {number}") for number in range(3)]
    await ana.make("courses", title="Activo", status="active")

    page = await ana.read("/v1/courses", status="draft", limit=2)
    rest = await ana.read("/v1/courses", status="draft", limit=2, cursor=page["next_cursor"])

    assert [*page["items"], *rest["items"]] == list(reversed(made))


async def test_the_goals_of_a_deleted_course_stay_without_one(
    ana: Learner, service: Service
) -> None:
    course = await ana.make("courses", **COURSE)
    goal = await ana.make("goals", title="Dentro", course_id=course["id"])

    response = await ana.client.delete(f"/v1/courses/{course['id']}")

    assert response.status_code == 204
    assert (await ana.read(f"/v1/goals/{goal['id']}"))["course_id"] is None
    indexed = "select count(*) from embeddings where entity_id = :id"
    assert await service.count(indexed, id=course["id"]) == 0


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_another_users_course_looks_like_a_missing_one(
    ana: Learner, bruno: Learner, method: str
) -> None:
    course = await ana.make("courses", **COURSE)
    body = {"title": "Robado"} if method == "PATCH" else None

    others = await bruno.client.request(method, f"/v1/courses/{course['id']}", json=body)
    missing = await bruno.client.request(method, "/v1/courses/crs_missing", json=body)

    assert others.status_code == 404
    assert others.content == missing.content
    assert await ana.read(f"/v1/courses/{course['id']}") == course
