"""Goals over HTTP: rows, events, index, and whose they are."""

import pytest

from tests.service import Learner, Service

GOAL = {
    "title": "Crear una API REST con JWT",
    "description": "Registro, inicio de sesión y rutas protegidas.",
    "priority": "high",
    "criteria": ["Implementar login y registro", "Generar tokens JWT"],
    "due_date": "2027-03-31T18:00:00+02:00",
}


async def test_a_created_goal_is_answered_with_its_address_and_can_be_read(ana: Learner) -> None:
    response = await ana.client.post("/v1/goals", json=GOAL)

    created = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/goals/{created['id']}"
    assert await ana.read(response.headers["location"]) == created
    assert created["user_id"] == ana.id
    assert created["status"] == "pending"
    assert created["ai_generated"] is False
    assert created["created_at"].endswith("Z")
    assert created["due_date"] == "2027-03-31T16:00:00Z"
    assert [c["text"] for c in created["criteria"]] == GOAL["criteria"]


async def test_criteria_are_stored_as_the_data_model_says_with_their_ids(
    ana: Learner, service: Service
) -> None:
    created = await ana.make("goals", **GOAL)

    stored = await service.count(
        "select count(*) from goals where validation_criteria ->> 'criteria' = "
        '\'["Implementar login y registro", "Generar tokens JWT"]\''
        " and validation_criteria -> 'ids' = cast(:ids as jsonb)",
        ids=str([c["id"] for c in created["criteria"]]).replace("'", '"'),
    )
    assert stored == 1


async def test_a_criterion_whose_text_stays_keeps_its_id(ana: Learner) -> None:
    created = await ana.make("goals", **GOAL)
    login, tokens = created["criteria"]

    response = await ana.client.patch(
        f"/v1/goals/{created['id']}",
        json={"criteria": ["Validar tokens", tokens["text"], login["text"]]},
    )

    added, *kept = response.json()["criteria"]
    assert kept == [tokens, login]
    assert added["text"] == "Validar tokens"
    assert added["id"] not in {login["id"], tokens["id"]}


async def test_a_write_records_one_event_and_indexes_the_text(
    ana: Learner, service: Service
) -> None:
    created = await ana.make("goals", **GOAL)

    events = (await ana.read("/v1/events", type="goal.created"))["items"]
    assert [event["payload"] for event in events] == [
        {
            "goal_id": created["id"],
            "title": created["title"],
            "course_id": None,
            "priority": "high",
            "ai_generated": False,
        }
    ]
    assert events[0]["metadata"] == {"source": "api", "version": 1}
    indexed = "select count(*) from embeddings where entity_id = :id and user_id = :user"
    assert await service.count(indexed, id=created["id"], user=ana.id) == 1


async def test_a_patch_changes_the_given_fields_only_and_null_empties_one(ana: Learner) -> None:
    created = await ana.make("goals", **GOAL)

    response = await ana.client.patch(
        f"/v1/goals/{created['id']}", json={"title": " Nuevo ", "description": None}
    )

    assert response.status_code == 200
    changed = response.json()
    assert changed["updated_at"] > created["updated_at"]
    assert changed == created | {
        "title": "Nuevo",
        "description": None,
        "updated_at": changed["updated_at"],
    }
    [event, _] = (await ana.read("/v1/events", limit=2))["items"]
    assert event["event_type"] == "goal.updated"
    assert event["payload"]["changed"] == ["description", "title"]


@pytest.mark.parametrize("patch", [{}, {"title": GOAL["title"], "priority": "high"}])
async def test_a_patch_that_changes_nothing_records_nothing(
    ana: Learner, patch: dict[str, str]
) -> None:
    created = await ana.make("goals", **GOAL)

    response = await ana.client.patch(f"/v1/goals/{created['id']}", json=patch)

    assert response.json() == created
    assert await ana.event_types() == ["goal.created"]


async def test_an_unchanged_text_is_not_embedded_again(ana: Learner, service: Service) -> None:
    created = await ana.make("goals", **GOAL)
    vector_row = "select xmin::text::int from embeddings where entity_id = :id"
    before = await service.count(vector_row, id=created["id"])

    await ana.client.patch(f"/v1/goals/{created['id']}", json={"priority": "low"})
    assert await service.count(vector_row, id=created["id"]) == before

    await ana.client.patch(f"/v1/goals/{created['id']}", json={"title": "Otra cosa"})
    assert await service.count(vector_row, id=created["id"]) != before


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("in_progress", "goal.started"),
        ("completed", "goal.completed"),
        ("blocked", "goal.blocked"),
        ("cancelled", "goal.updated"),
    ],
)
async def test_a_status_is_recorded_by_its_own_event_where_there_is_one(
    ana: Learner, status: str, event: str
) -> None:
    created = await ana.make("goals", title="Aprender SQL")

    response = await ana.client.patch(f"/v1/goals/{created['id']}", json={"status": status})

    assert response.json()["status"] == status
    assert await ana.event_types() == ["goal.created", event]


async def test_a_completed_goal_is_at_100_and_loses_that_when_it_is_opened_again(
    ana: Learner,
) -> None:
    goal = await ana.make("goals", title="Aprender SQL")
    await ana.make("tasks", title="SELECT", goal_id=goal["id"])
    path = f"/v1/goals/{goal['id']}"

    completed = (await ana.client.patch(path, json={"status": "completed"})).json()
    opened = (await ana.client.patch(path, json={"status": "in_progress"})).json()

    assert completed["progress_percentage"] == 100.0
    assert completed["completed_at"] is not None
    assert completed["started_at"] is not None
    assert opened["progress_percentage"] == 0.0
    assert opened["completed_at"] is None
    assert opened["started_at"] == completed["started_at"]


async def test_pages_are_newest_first_and_a_goal_added_meanwhile_shifts_nothing(
    ana: Learner,
) -> None:
    made = [await ana.make("goals", title=f"Meta {number}") for number in range(5)]

    first = await ana.read("/v1/goals", limit=2)
    await ana.make("goals", title="Meta nueva")
    second = await ana.read("/v1/goals", limit=2, cursor=first["next_cursor"])
    third = await ana.read("/v1/goals", limit=2, cursor=second["next_cursor"])

    seen = [*first["items"], *second["items"], *third["items"]]
    assert seen == list(reversed(made))
    assert third["next_cursor"] is None


async def test_goals_are_filtered_by_status_and_course(ana: Learner) -> None:
    course = await ana.make("courses", title="FastAPI")
    inside = await ana.make("goals", title="Dentro", course_id=course["id"])
    outside = await ana.make("goals", title="Fuera")
    await ana.client.patch(f"/v1/goals/{outside['id']}", json={"status": "blocked"})

    of_course = await ana.read("/v1/goals", course_id=course["id"])
    blocked = await ana.read("/v1/goals", status="blocked")

    assert [goal["id"] for goal in of_course["items"]] == [inside["id"]]
    assert [goal["id"] for goal in blocked["items"]] == [outside["id"]]


async def test_a_deleted_goal_takes_its_tasks_their_code_and_their_index_with_it(
    ana: Learner, service: Service
) -> None:
    goal = await ana.make("goals", title="Aprender SQL")
    task = await ana.make("tasks", title="SELECT", goal_id=goal["id"])
    await ana.make(
        "snapshots", task_id=task["id"], file_path="a.sql", language="sql", code="select 1"
    )

    response = await ana.client.delete(f"/v1/goals/{goal['id']}")

    assert (response.status_code, response.content) == (204, b"")
    assert (await ana.client.get(f"/v1/goals/{goal['id']}")).status_code == 404
    assert (await ana.client.delete(f"/v1/goals/{goal['id']}")).status_code == 404
    for table in ("goals", "tasks", "code_snapshots", "embeddings"):
        assert await service.count(f"select count(*) from {table}") == 0
    [event, *_] = (await ana.read("/v1/events"))["items"]
    assert event["payload"]["changed"] == ["deleted"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_another_users_goal_looks_like_a_missing_one(
    ana: Learner, bruno: Learner, method: str
) -> None:
    goal = await ana.make("goals", **GOAL)
    body = {"title": "Robada"} if method == "PATCH" else None

    others = await bruno.client.request(method, f"/v1/goals/{goal['id']}", json=body)
    missing = await bruno.client.request(method, "/v1/goals/gol_missing", json=body)

    assert others.status_code == 404
    assert others.json()["code"] == "NOT_FOUND"
    assert others.content == missing.content
    assert await ana.read(f"/v1/goals/{goal['id']}") == goal
    assert (await bruno.read("/v1/goals"))["items"] == []


async def test_a_goal_cannot_join_another_users_course(ana: Learner, bruno: Learner) -> None:
    course = await ana.make("courses", title="FastAPI")
    own = await bruno.make("goals", title="Propia")

    created = await bruno.client.post(
        "/v1/goals", json={"title": "Intrusa", "course_id": course["id"]}
    )
    moved = await bruno.client.patch(f"/v1/goals/{own['id']}", json={"course_id": course["id"]})

    assert (created.status_code, moved.status_code) == (404, 404)
    assert (await bruno.read(f"/v1/goals/{own['id']}"))["course_id"] is None


async def test_a_goal_leaves_its_course_by_null(ana: Learner) -> None:
    course = await ana.make("courses", title="FastAPI")
    goal = await ana.make("goals", title="Dentro", course_id=course["id"])

    response = await ana.client.patch(f"/v1/goals/{goal['id']}", json={"course_id": None})

    assert response.json()["course_id"] is None
