"""What the agent answers when the model fails, and that nothing is half-written then."""

from typing import Any

import httpx
import httpx2
import pytest
import respx

from tests.agents import COMPLETIONS, completion, said, shape_of, suggested
from tests.service import Learner, Service

WISH = {"wish": "Quiero probar mi API", "count": 2}
COUNTED = "select (select count(*) from goals) + (select count(*) from embeddings) \
+ (select count(*) from operations) \
+ (select count(*) from events where event_type <> 'user.created')"


async def suggest(learner: Learner) -> httpx.Response:
    response: Any = await learner.client.post("/v1/goals/suggest", json=WISH)
    return response  # type: ignore[no-any-return]  # httpx2's own type, the same interface


@pytest.mark.parametrize(
    ("response", "status", "code"),
    [
        (httpx.Response(401, json={"error": {"message": "bad key"}}), 503, "LLM_UNAVAILABLE"),
        (httpx.Response(400, json={"error": {"message": "odd"}}), 503, "LLM_UNAVAILABLE"),
        (httpx.Response(200, html="<html>"), 502, "LLM_BAD_OUTPUT"),
        (httpx.Response(200, json=completion("no es JSON")), 502, "LLM_BAD_OUTPUT"),
        (httpx.Response(200, json=completion("{}", finish="length")), 502, "LLM_TRUNCATED"),
        (httpx.Response(200, json=completion("{}", finish=None)), 502, "LLM_TRUNCATED"),
        (httpx.Response(200, json=completion("", refusal="no")), 422, "LLM_REFUSED"),
    ],
)
async def test_a_failing_model_has_its_code_and_leaves_nothing_behind(
    remote: Service,
    httpx2_mock: respx.Router,
    response: httpx.Response,
    status: int,
    code: str,
) -> None:
    ana = await remote.sign_in("ana")
    httpx2_mock.post(COMPLETIONS).mock(return_value=response)

    answer = await suggest(ana)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await remote.count(COUNTED) == 0


async def test_who_has_no_room_for_the_answer_is_told_before_the_model_is_asked(
    remote: Service, httpx2_mock: respx.Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.quotas.MOST", {"goals": 1, "code_snapshots": 0, "tasks": 9})
    ana = await remote.sign_in("ana")
    task = await ana.make("tasks", title="Sumar")
    code = {"file_path": "a.py", "programming_language": "python", "code": "x = 1\n"}

    goals = await suggest(ana)
    verdict = await ana.client.post(f"/v1/tasks/{task['id']}/validate", json=code)
    facts = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate", json={**code, "mode": "facts"}
    )

    for refused in (goals, verdict):
        assert (refused.status_code, refused.json()["code"]) == (409, "LIMIT_REACHED")
    assert facts.status_code == 200
    assert not httpx2_mock.calls


async def test_a_model_that_is_down_is_unavailable_with_a_time_to_come_back(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    httpx2_mock.post(COMPLETIONS).mock(side_effect=httpx2.ConnectError("refused"))

    answer = await suggest(ana)

    assert (answer.status_code, answer.json()["code"]) == (503, "LLM_UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0
    assert await remote.count(COUNTED) == 0


async def test_garbage_is_mended_by_one_repair_turn(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    route = httpx2_mock.post(COMPLETIONS).mock(
        side_effect=[said('{"goals": []}'), said(suggested("Probar la API"))]
    )

    answer = await suggest(ana)

    assert answer.status_code == 201
    assert answer.json()["tokens"] == {"input": 22, "output": 14, "calls": 2}
    repair = route.calls.last.request.content.decode()
    assert "no sirve" in repair


async def test_garbage_twice_is_an_error_and_not_a_third_call(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    route = httpx2_mock.post(COMPLETIONS).mock(return_value=said({"goals": []}))

    answer = await suggest(ana)

    assert (answer.status_code, answer.json()["code"]) == (502, "LLM_BAD_OUTPUT")
    assert route.call_count == 2


async def test_a_review_that_leaves_out_a_criterion_is_sent_back_then_refused(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    goal = await ana.make("goals", title="Meta", criteria=["Uno", "Dos"])
    task = await ana.make("tasks", title="Tarea", goal_id=goal["id"])
    review = {"criteria": [], "findings": [], "feedback": "Está bien así.", "next_step": "Sigue"}
    route = httpx2_mock.post(COMPLETIONS).mock(return_value=said(review))

    answer = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate",
        json={"file_path": "a.py", "programming_language": "python", "code": "x = 1\n"},
    )

    asked = [shape_of(call.request) for call in route.calls]
    assert (answer.status_code, answer.json()["code"]) == (502, "LLM_BAD_OUTPUT")
    assert asked.count("Review") == 2
    assert await remote.count("select count(*) from code_snapshots") == 0


async def test_a_goal_of_somebody_else_is_not_found_and_the_model_is_not_asked(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana, bruno = await remote.sign_in("ana"), await remote.sign_in("bruno")
    goal = await bruno.make("goals", title="De Bruno")
    path = "/v1/goals/{}/breakdown"

    others = await ana.client.post(path.format(goal["id"]), json={})
    missing = await ana.client.post(path.format("gol_missing"), json={})

    assert (others.status_code, others.json()["code"]) == (404, "NOT_FOUND")
    assert others.json() == missing.json()


async def test_an_unknown_task_is_not_found(remote: Service) -> None:
    ana = await remote.sign_in("ana")

    answer = await ana.client.post(
        "/v1/tasks/tsk_missing/validate",
        json={"file_path": "a.py", "programming_language": "python", "code": "x = 1\n"},
    )

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_two_megabytes_of_code_are_too_large(remote: Service) -> None:
    ana = await remote.sign_in("ana")

    answer = await ana.client.post(
        "/v1/feedback",
        json={"file_path": "a.py", "programming_language": "python", "code": "x" * 2_000_000},
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


@pytest.mark.parametrize("body", [{"count": 0}, {"count": 8}, {"wish": "x" * 2_001}, {"who": 1}])
async def test_a_request_out_of_bounds_is_refused_before_the_model_is_asked(
    remote: Service, body: dict[str, Any]
) -> None:
    ana = await remote.sign_in("ana")

    answer = await ana.client.post("/v1/goals/suggest", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION")
