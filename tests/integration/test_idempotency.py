"""`Idempotency-Key` on what writes rows: done once, answered as often as asked."""

import asyncio
from typing import Any

import pytest

import api.deps
from db.engine import make_in_flight
from db.in_flight import UnderWay
from tests.service import Learner, Service

GOAL = {"title": "Aprender SQL", "criteria": ["Hay consultas"]}
KEY = {"Idempotency-Key": "k1"}
NEW: list[tuple[str, dict[str, Any]]] = [
    ("goals", GOAL),
    ("tasks", {"title": "SELECT", "metadata": {"zz": 1, "a": 2}}),
    ("courses", {"title": "FastAPI"}),
    ("snapshots", {"file_path": "a.py", "language": "python", "code": "print('ñ\\u0001')\n"}),
]


async def test_the_same_request_again_gets_the_same_answer_and_writes_nothing(
    ana: Learner, service: Service
) -> None:
    for kind, new in NEW:
        key = {"Idempotency-Key": f"k-{kind}"}
        first = await ana.client.post(f"/v1/{kind}", json=new, headers=key)
        events = await ana.event_types()
        again = await ana.client.post(f"/v1/{kind}", json=new, headers=key)

        assert (again.status_code, again.content) == (201, first.content)
        for name in ("location", "etag", "content-type"):
            assert again.headers[name] == first.headers[name]
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert await ana.event_types() == events
        table = {"snapshots": "code_snapshots"}.get(kind, kind)
        assert await service.count(f"select count(*) from {table}") == 1


async def test_the_answer_is_the_first_one_even_when_the_thing_has_changed_or_gone(
    ana: Learner,
) -> None:
    first = await ana.client.post("/v1/goals", json=GOAL, headers=KEY)
    await ana.client.delete(first.headers["location"])

    again = await ana.client.post("/v1/goals", json=GOAL, headers=KEY)

    assert again.content == first.content
    assert (await ana.read("/v1/goals"))["items"] == []


async def test_the_same_key_for_another_request_is_refused(ana: Learner) -> None:
    await ana.client.post("/v1/goals", json=GOAL, headers=KEY)

    for path, body in (
        ("/v1/goals", {**GOAL, "title": "Otra"}),
        ("/v1/goals?x=1", GOAL),
        ("/v1/courses", {"title": "Aprender SQL"}),
        ("/v1/goals", {"not": "valid"}),
    ):
        other = await ana.client.post(path, json=body, headers=KEY)

        assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")


async def test_the_same_values_written_otherwise_are_the_same_request(ana: Learner) -> None:
    first = await ana.client.post("/v1/goals", json={"title": "a", "description": "b"}, headers=KEY)

    again = await ana.client.post(
        "/v1/goals",
        content='{ "description": "b",\n "title": "\\u0061" }',
        headers={**KEY, "content-type": "application/json; charset=utf-8"},
    )

    assert again.content == first.content


async def test_another_user_with_the_same_key_is_independent(ana: Learner, bruno: Learner) -> None:
    one = await ana.client.post("/v1/goals", json=GOAL, headers=KEY)
    other = await bruno.client.post("/v1/goals", json=GOAL, headers=KEY)

    assert other.status_code == 201
    assert other.json()["id"] != one.json()["id"]
    assert other.json()["user_id"] == bruno.id


async def test_many_at_once_write_once_and_the_others_are_told(
    ana: Learner, service: Service
) -> None:
    answers = await asyncio.gather(
        *(ana.client.post("/v1/goals", json=GOAL, headers=KEY) for _ in range(20))
    )

    made = {answer.content for answer in answers if answer.status_code == 201}
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert len(made) == 1
    assert refused <= {"IDEMPOTENCY_IN_PROGRESS"}
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert await service.count("select count(*) from goals") == 1
    assert await ana.event_types() == ["goal.created"]


async def test_what_failed_leaves_nothing_and_may_be_tried_again(
    ana: Learner, service: Service
) -> None:
    invalid = await ana.client.post("/v1/goals", json={"title": ""}, headers=KEY)
    missing = await ana.client.post(
        "/v1/goals", json={"title": "a", "course_id": "crs_no"}, headers=KEY
    )
    kept = await service.count("select count(*) from operations")
    again = await ana.client.post("/v1/goals", json=GOAL, headers=KEY)

    assert (invalid.status_code, missing.status_code, kept) == (422, 404, 0)
    assert again.status_code == 201


async def test_an_answer_that_was_lost_after_the_commit_is_given_again(
    ana: Learner, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(point: str) -> None:
        if point == "request.committed":
            raise ConnectionResetError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr(api.deps, "hit", die)
        lost = await ana.client.post("/v1/goals", json=GOAL, headers=KEY)
    again = await ana.client.post("/v1/goals", json=GOAL, headers=KEY)

    assert (lost.status_code, again.status_code) == (500, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert await ana.read(again.headers["location"]) == again.json()
    assert await service.count("select count(*) from goals") == 1


async def test_a_request_that_died_before_its_commit_is_done_the_second_time(
    ana: Learner, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(point: str) -> None:
        if point == "request.before_commit":
            raise ConnectionResetError("the process died here")

    with monkeypatch.context() as patch:
        patch.setattr(api.deps, "hit", die)
        lost = await ana.client.post("/v1/goals", json=GOAL, headers=KEY)
    again = await ana.client.post("/v1/goals", json=GOAL, headers=KEY)

    assert (lost.status_code, again.status_code) == (500, 201)
    assert "idempotency-replayed" not in again.headers
    assert await service.count("select count(*) from goals") == 1
    assert await ana.event_types() == ["goal.created"]


async def test_a_key_has_1_to_255_visible_characters(ana: Learner) -> None:
    for key in ("", "a b", "x" * 256, "ñ", "\x7f", " "):
        response = await ana.client.post(
            "/v1/goals", json=GOAL, headers={b"Idempotency-Key": key.encode()}
        )
        assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")

    longest = {"Idempotency-Key": "~" * 255}
    assert (await ana.client.post("/v1/goals", json=GOAL, headers=longest)).status_code == 201


async def test_a_key_is_held_across_processes_and_goes_with_the_one_that_holds_it(
    database_url: str, service: Service
) -> None:
    one, other = make_in_flight(database_url), make_in_flight(database_url)
    killed = (
        "select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory'"
        " and granted and database = (select oid from pg_database"
        " where datname = current_database())"
    )

    async with one.hold("opr_1"), other.hold("opr_2"):
        for busy, operation in ((one, "opr_1"), (other, "opr_1"), (one, "opr_2")):
            with pytest.raises(UnderWay):
                await busy.hold(operation).__aenter__()
        assert await service.count(killed) == 2
        async with other.hold("opr_1"):
            pass

    async with one.hold("opr_1"), other.hold("opr_2"):
        pass
    await one.close()
    await other.close()


async def test_what_asks_a_model_needs_a_key_and_every_post_says_so(ana: Learner) -> None:
    ana.client.event_hooks = {}
    code = {"file_path": "a.py", "programming_language": "python", "code": "x = 1\n"}
    for path, body in (
        ("/v1/goals/suggest", {"wish": "SQL"}),
        ("/v1/goals/gol_1/breakdown", {}),
        ("/v1/runs", {"message": "hola"}),
        ("/v1/tasks/tsk_1/validate", code),
        ("/v1/feedback", code),
    ):
        response = await ana.client.post(path, json=body)

        assert (response.status_code, response.json()["code"]) == (422, "VALIDATION"), path

    paths = (await ana.client.get("/openapi.json")).json()["paths"]
    named = {
        path: [
            one["required"]
            for one in methods["post"].get("parameters", ())
            if one["name"] == "Idempotency-Key"
        ]
        for path, methods in paths.items()
        if "post" in methods
    }
    without = {path for path, found in named.items() if not found}
    signing_in = {"/v1/auth/register", "/v1/auth/token"}
    assert without == {"/v1/agui", "/v1/runs/{run_id}/cancel", *signing_in}
    required = {path for path, found in named.items() if found == [True]}
    assert required == {"/v1/goals/suggest", "/v1/goals/{goal_id}/breakdown", "/v1/runs"}
