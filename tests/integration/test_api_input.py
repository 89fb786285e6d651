"""Input that hurts: every one ends in a 4xx with a code, and nothing is written."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.service import Learner, Service, fill_pending

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"title": "a\\u0000b"}', 422, "TEXT_INVALID"),
        (b'{"title": "\\ud800"}', 422, "TEXT_INVALID"),
        (b'{"title": "ok", "\\ud800": 1}', 422, "TEXT_INVALID"),
        (b'{"title": "\xff"}', 422, "TEXT_INVALID"),
        (b'{"title": "ok", "progress_percentage": NaN}', 422, "VALIDATION"),
        (b'{"title": "ok", "progress_percentage": 1e400}', 422, "VALIDATION"),
        (b'{"title": "ok", "progress_percentage": 1' + b"0" * 30 + b"}", 422, "VALIDATION"),
        (b'{"title": "ok", "metadata": {"n": 1' + b"0" * 30 + b"}}", 422, "VALIDATION"),
        (b'{"title": "one", "title": "two"}', 422, "VALIDATION"),
        (b'{"title": "   "}', 422, "VALIDATION"),
        (b'{"title": "' + b"x" * 501 + b'"}', 422, "VALIDATION"),
        (b'{"title": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 422, "TOO_DEEP"),
        (b'{"title": "ok", "metadata": ' + b'{"a":' * 40 + b"1" + b"}" * 41, 422, "TOO_DEEP"),
        (b"null", 422, "VALIDATION"),
        (b"[]", 422, "VALIDATION"),
        (b'"title"', 422, "VALIDATION"),
        (b"", 422, "VALIDATION"),
        (b'{"title": "' + b"x" * 2_000_000 + b'"}', 413, "TOO_LARGE"),
    ],
)
async def test_a_bad_body_gets_its_code_and_writes_nothing(
    ana: Learner, service: Service, body: bytes, status: int, code: str
) -> None:
    response = await ana.client.post("/v1/courses", content=body, headers=JSON)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert await service.count("select count(*) from courses") == 0
    assert await ana.event_types() == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/goals", {"title": "ok", "user_id": "usr_1"}),
        ("/v1/goals", {"title": "ok", "id": "gol_1"}),
        ("/v1/goals", {"title": "ok", "ai_generated": True}),
        ("/v1/tasks", {"title": "ok", "created_at": "2026-01-01T00:00:00Z"}),
        ("/v1/tasks", {"title": "ok", "validation_result": {"passed": True}}),
        ("/v1/courses", {"title": "ok", "completed_at": "2026-01-01T00:00:00Z"}),
        ("/v1/snapshots", {"file_path": "a", "language": "b", "code": "", "processed_at": None}),
        ("/v1/snapshots", {"file_path": "a", "language": "b", "code": "", "validation_score": 1}),
    ],
)
async def test_what_the_server_owns_is_refused(
    ana: Learner, path: str, fields: dict[str, Any]
) -> None:
    response = await ana.client.post(path, json=fields)

    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")


async def test_a_code_file_of_2_mb_is_too_large_announced_or_in_chunks(ana: Learner) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"file_path": "a.py", "language": "python", "code": "'
        for _ in range(32):
            yield b"x" * 65_536
        yield b'"}'

    fields = {"file_path": "a.py", "language": "python", "code": "x" * 2_097_152}
    announced = await ana.client.post("/v1/snapshots", json=fields)
    chunked = await ana.client.post("/v1/snapshots", content=chunks(), headers=JSON)

    for response in (announced, chunked):
        assert (response.status_code, response.json()["code"]) == (413, "TOO_LARGE")


async def test_code_just_below_the_limit_is_kept(ana: Learner) -> None:
    code = "x" * 1_000_000

    created = await ana.make("snapshots", file_path="a.js", language="javascript", code=code)

    assert (await ana.read(f"/v1/snapshots/{created['id']}"))["code_content"] == code


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": ""},
        {"q": "   "},
        {"q": "x" * 2_001},
        {"q": "x", "limit": 0},
        {"q": "x", "limit": 1_000},
        {"q": "x", "limit": "many"},
        {"q": "x", "type": "user"},
        {"q": "x", "type": ["goal", "event"]},
    ],
)
async def test_a_search_that_makes_no_sense_is_refused(ana: Learner, query: Any) -> None:
    response = await ana.client.get("/v1/search", params=query)

    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")


async def test_a_search_text_with_a_nul_is_refused(ana: Learner) -> None:
    response = await ana.client.get("/v1/search?q=a%00b")

    assert (response.status_code, response.json()["code"]) == (422, "TEXT_INVALID")


async def test_a_search_finds_ones_own_things_only_best_first(
    service: Service, ana: Learner, bruno: Learner
) -> None:
    jwt = await ana.make("goals", title="Autenticación con JWT")
    sql = await ana.make("goals", title="Consultas con SQL")
    task = await ana.make("tasks", title="Autenticación con JWT: login")
    await bruno.make("goals", title="Autenticación con JWT")
    await fill_pending(service)

    everything = await ana.read("/v1/search", q="autenticación con jwt")
    goals = await ana.read("/v1/search", q="autenticación con jwt", type="goal")

    ids = [hit["entity_id"] for hit in everything["hits"]]
    assert ids == [jwt["id"], task["id"], sql["id"]]
    assert [hit["entity_id"] for hit in goals["hits"]] == [jwt["id"], sql["id"]]
    assert everything["hits"][0]["title"] == "Autenticación con JWT"
    assert everything["hits"][0]["score"] == 1.0


@pytest.mark.parametrize("path", ["goals", "tasks", "courses", "snapshots", "events"])
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=%00", "cursor=AAAA"]
)
async def test_a_list_with_a_bad_limit_or_cursor_is_refused(
    ana: Learner, path: str, query: str
) -> None:
    response = await ana.client.get(f"/v1/{path}?{query}")

    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")


@pytest.mark.parametrize(
    "query",
    [
        "goals?status=nope",
        "goals?course_id=a%20b",
        "tasks?status=",
        "tasks?goal_id=%00",
        "courses?status=pending",
        "events?type=goal.exploded",
        "snapshots?task_id=%27",
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(ana: Learner, query: str) -> None:
    response = await ana.client.get(f"/v1/{query}")

    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")


@pytest.mark.parametrize("entity_id", ["%00", "a%20b", "x" * 200, "%F0%9F%99%82", "'; select 1"])
@pytest.mark.parametrize("path", ["goals", "tasks", "courses", "snapshots"])
async def test_an_id_that_can_be_no_id_is_not_found(
    ana: Learner, path: str, entity_id: str
) -> None:
    response = await ana.client.get(f"/v1/{path}/{entity_id}")

    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "title",
    [
        "'; drop table goals; --",
        "<script>alert(1)</script>",
        "${jndi:ldap://127.0.0.1/a}",
        "{{ 7 * 7 }} %s %(a)s {0} :name $1",
        "Ω≈ç√∫˜µ≤≥÷ 田中さん 𝕋𝕖𝕩𝕥 👩‍👩‍👧‍👦",
        "\u202etxet desrever\u202c",
        "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
        "null",
        "\x1b[31mrojo\x07",
    ],
)
async def test_a_naughty_string_is_stored_exactly(ana: Learner, title: str) -> None:
    created = await ana.make("goals", title=title, description=title)

    assert created["title"] == title.strip()
    assert (await ana.read(f"/v1/goals/{created['id']}"))["description"] == title


async def test_events_are_paged_filtered_and_ones_own(ana: Learner, bruno: Learner) -> None:
    await bruno.make("goals", title="De Bruno")
    for number in range(3):
        await ana.make("goals", title=f"Meta {number}")

    page = await ana.read("/v1/events", type="goal.created", limit=2)
    rest = await ana.read("/v1/events", type="goal.created", limit=2, cursor=page["next_cursor"])

    titles = [item["payload"]["title"] for item in [*page["items"], *rest["items"]]]
    assert titles == ["Meta 2", "Meta 1", "Meta 0"]
    assert rest["next_cursor"] is None


async def test_every_operation_documents_its_errors_as_problems_under_a_stable_name(
    service: Service,
) -> None:
    async with service.client() as client:
        schema = (await client.get("/openapi.json")).json()

    operations = {
        operation["operationId"]: (path, operation)
        for path, methods in schema["paths"].items()
        for operation in methods.values()
    }
    for verb in ("create", "get", "update", "delete"):
        assert f"{verb}_goal" in operations
    assert {"list_goals", "list_events", "search", "check_alive", "check_ready"} <= set(operations)
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operation in operations.values():
        errors = {
            status: response
            for status, response in operation["responses"].items()
            if int(status) >= 400
        }
        assert all(response["content"] == problem for response in errors.values())
        if path.startswith("/v1/"):
            assert {"401", "422", "429", "500", "503"} <= set(errors)
            if not path.startswith("/v1/auth/"):
                assert operation["security"] == [{"HTTPBearer": []}, {"Password": []}]
            assert operation["tags"]
    examples = schema["components"]["schemas"]["GoalIn"]["examples"]
    assert [example["title"].split()[0] for example in examples] == ["Crear", "Build"]


async def test_of_50_mb_no_more_is_read_than_the_limit(ana: Learner) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"title": "'
        for _ in range(800):
            sent += 65_536
            yield b"x" * 65_536
        yield b'"}'

    announced = await ana.client.post(
        "/v1/goals", content=chunks(), headers=JSON | {"content-length": "52428800"}
    )
    sent_before, sent = sent, 0
    chunked = await ana.client.post("/v1/goals", content=chunks(), headers=JSON)

    for response in (announced, chunked):
        assert (response.status_code, response.json()["code"]) == (413, "TOO_LARGE")
    assert sent_before <= 65_536
    assert sent <= 1_048_576 + 65_536


async def test_a_compressed_body_is_not_unpacked(ana: Learner, service: Service) -> None:
    bomb = gzip.compress(b'{"title": "' + b"x" * 20_000_000 + b'"}')
    small = gzip.compress(b'{"title": "ok"}')

    answers = [
        await ana.client.post(
            "/v1/goals", content=body, headers=JSON | {"content-encoding": encoding}
        )
        for body in (bomb, small)
        for encoding in ("gzip", "deflate", "br")
    ]

    for response in answers:
        assert (response.status_code, response.json()["code"]) == (422, "TEXT_INVALID")
    assert await service.count("select count(*) from goals") == 0
