"""`mode=facts`: editors ask on every save, so no model is asked and nothing is written."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import pytest
from jsonschema import Draft4Validator
from sqlalchemy import text

from agent.models import ChatModel
from agent.proposals import statement_hash
from api.app import create_app
from tests.agents import with_agent
from tests.service import Learner, Service
from tools.embedders import Embedder

SCHEMA = Path(__file__).parents[1] / "schemas" / "sarif-2.1.0-rtm.5.json"
WRONG = "def doble(n):\n    return n + 1\n"
RIGHT = "def doble(n):\n    return n * 2\n"
TASK = {"title": "Doblar", "description": "doble(n): el doble. Ejemplo: doble(4) == 8"}
SARIF = {"Accept": "application/sarif+json"}


class Untouchable:
    """A model that is down: whatever is asked of it fails the test."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"a model was asked: {name}")


def without_models(service: Service) -> Service:
    """Return the application with a chat model and an embedding service that must not be asked."""
    down: Any = Untouchable()
    services = replace(service.services, embedder=Embedder("down", down))
    return with_agent(services, chat=ChatModel("down", down), checkpointer=None)


def code(source: str, **more: Any) -> dict[str, Any]:
    return {
        "file_path": "doble.py",
        "programming_language": "python",
        "code": source,
        "mode": "facts",
        **more,
    }


async def check(ana: Learner, task: dict[str, Any], source: str, **more: Any) -> dict[str, Any]:
    response = await ana.client.post(f"/v1/tasks/{task['id']}/validate", json=code(source, **more))
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def content_of_tables(service: Service) -> dict[str, Any]:
    """Return the rows and a hash of every table."""
    tables = "select tablename from pg_tables where schemaname = 'public' order by 1"
    hashed = "select count(*), md5(string_agg(t::text, '|' order by t::text)) from {} as t"
    found = {}
    async with service.services.system() as session:
        for (table,) in (await session.execute(text(tables))).all():
            found[table] = (await session.execute(text(hashed.format(table)))).one()
    return found


@pytest.mark.parametrize(
    ("source", "passed", "score", "status"),
    [(WRONG, False, 0.0, "fail"), (RIGHT, True, 1.0, "pass")],
)
async def test_the_examples_decide_without_a_model(
    service: Service, source: str, *, passed: bool, score: float, status: str
) -> None:
    ana = await without_models(service).sign_in("ana")
    task = await ana.make("tasks", **TASK)

    answer = await check(ana, task, source, document_version=7)

    assert (answer["passed"], answer["score"], answer["document_version"]) == (passed, score, 7)
    assert [(run["expression"], run["status"]) for run in answer["runs"]] == [("doble(4)", status)]
    assert answer["sha256"] == hashlib.sha256(source.encode()).hexdigest()
    assert (answer["mode"], answer["model"], answer["task"]) == ("facts", None, None)
    assert (answer["code_snapshot_id"], answer["next_step"]) == (None, None)
    assert answer["tokens"] == {"input": 0, "output": 0, "calls": 0}
    assert [one["basis"] for one in answer["criteria"]] == ["unjudged"]


async def test_nothing_is_written(service: Service) -> None:
    ana = await without_models(service).sign_in("ana")
    task = await ana.make("tasks", **TASK)
    before = await content_of_tables(service)

    key = {"Idempotency-Key": "k1"}
    validated = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate", json=code(WRONG), headers=key
    )
    reviewed = await ana.client.post("/v1/feedback", json=code(WRONG), headers=key)

    assert (validated.status_code, reviewed.status_code) == (200, 200)
    assert await content_of_tables(service) == before


async def test_it_works_where_no_agent_was_opened_at_all(service: Service) -> None:
    ana = await service.sign_in("ana")

    response = await ana.client.post("/v1/feedback", json=code(WRONG))

    assert response.status_code == 200, response.text


async def test_without_a_task_there_are_facts_and_no_verdict(service: Service) -> None:
    ana = await without_models(service).sign_in("ana")

    response = await ana.client.post("/v1/feedback", json=code("def f(:\n    pass\n"))

    answer = response.json()
    assert response.status_code == 200, answer
    assert (answer["passed"], answer["score"], answer["criteria"]) == (None, None, [])
    [issue] = answer["issues"]
    assert (issue["source"], issue["rule"], issue["severity"]) == ("syntax", "syntax", "high")
    assert (issue["start_line"], issue["quote"]) == (1, "def f(:")


async def test_code_that_cannot_be_parsed_fails_its_task(service: Service) -> None:
    ana = await without_models(service).sign_in("ana")
    task = await ana.make("tasks", **TASK)

    answer = await check(ana, task, "def doble(n:\n    return n * 2\n")

    assert (answer["passed"], answer["score"], answer["runs"]) == (False, 0.0, [])


async def test_a_task_without_examples_gets_no_verdict(service: Service) -> None:
    ana = await without_models(service).sign_in("ana")
    task = await ana.make("tasks", title="Doblar un número")

    answer = await check(ana, task, RIGHT, language="en")

    assert (answer["passed"], answer["score"], answer["runs"]) == (None, None, [])
    assert answer["criteria"] == [
        {
            "text": "It does what the task asks",
            "verdict": "cannot_judge",
            "why": "Only facts and executed examples were looked at.",
            "basis": "unjudged",
        }
    ]


async def keep_examples(service: Service, task: dict[str, Any], *, strength: str) -> None:
    """Keep an example for a task as the full mode does, once a model has proposed it."""
    statement = f"{task['title']}\n{task['description']}"
    kept = {
        "statement": statement_hash(statement, "python"),
        "model": "m",
        "calls": [],
        "examples": [
            {
                "kind": "call",
                "expression": "doble(4)",
                "expected": "8",
                "votes": 4,
                "solutions": 5,
                "strength": strength,
            }
        ],
    }
    change = "update tasks set metadata = cast(:meta as jsonb) where id = :id"
    async with service.services.system.begin() as session:
        values = {"meta": json.dumps({"proposed_examples": kept}), "id": task["id"]}
        await session.execute(text(change), values)


@pytest.mark.parametrize(("strength", "passed"), [("strong", False), ("weak", None)])
async def test_examples_that_a_model_proposed_before_are_run_again(
    service: Service, strength: str, passed: object
) -> None:
    ana = await without_models(service).sign_in("ana")
    task = await ana.make("tasks", title="Doblar", description="doble(n) da el doble de n")
    await keep_examples(service, task, strength=strength)

    answer = await check(ana, task, WRONG)

    assert answer["passed"] is passed
    [run] = answer["runs"]
    assert (run["origin"], run["strength"], run["status"]) == ("proposed", strength, "fail")
    assert (run["votes"], run["solutions"]) == (4, 5)


async def test_examples_of_another_statement_are_not_run(service: Service) -> None:
    ana = await without_models(service).sign_in("ana")
    task = await ana.make("tasks", title="Doblar", description="doble(n) da el doble de n")
    await keep_examples(service, task, strength="strong")
    changed = await ana.client.patch(
        f"/v1/tasks/{task['id']}", json={"description": "doble(n) suma uno a n"}
    )

    answer = await check(ana, task, WRONG)

    assert changed.status_code == 200
    assert (answer["passed"], answer["runs"]) == (None, [])


async def test_the_task_of_another_learner_is_not_found(service: Service) -> None:
    complete = without_models(service)
    ana, bruno = await complete.sign_in("ana"), await complete.sign_in("bruno")
    task = await bruno.make("tasks", **TASK)

    theirs = await ana.client.post(f"/v1/tasks/{task['id']}/validate", json=code(RIGHT))
    nobodys = await ana.client.post("/v1/tasks/tsk_1/validate", json=code(RIGHT))

    assert (theirs.status_code, theirs.json()["code"]) == (404, "NOT_FOUND")
    assert theirs.json() == nobodys.json()


@pytest.mark.parametrize("mode", ["facts", "full"])
async def test_sarif_is_given_to_who_asks_for_it(scripted: Service, mode: str) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)
    body = code(WRONG, mode=mode, document_version=7, file_path="mi año/doble.py")

    judged = await ana.client.post(f"/v1/tasks/{task['id']}/validate", json=body, headers=SARIF)
    reviewed = await ana.client.post("/v1/feedback", json=body, headers=SARIF)

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for response in (judged, reviewed):
        assert response.status_code == {"facts": 200, "full": 201}[mode], response.text
        assert response.headers["content-type"] == "application/sarif+json"
        assert response.headers["vary"] == "Accept"
        Draft4Validator(schema).validate(response.json())
    [run] = judged.json()["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["run/fail"]
    assert run["artifacts"][0]["location"]["uri"] == "mi%20a%C3%B1o/doble.py"
    assert run["properties"]["documentVersion"] == 7


async def test_an_error_stays_a_problem_for_who_asks_for_sarif(service: Service) -> None:
    ana = await without_models(service).sign_in("ana")

    response = await ana.client.post("/v1/feedback", json=code(""), headers=SARIF)

    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")


@pytest.mark.parametrize("mode", ["facts", "full"])
@pytest.mark.parametrize(
    ("source", "status", "problem"),
    [
        ("", 422, "VALIDATION"),
        ("x = 1\n" * 350_000, 413, "TOO_LARGE"),
        ("x" * 1_000_001, 422, "VALIDATION"),
        ("\x7fELF\x00\x01", 422, "TEXT_INVALID"),
    ],
    ids=["empty", "2 MB", "1 MB", "binary"],
)
async def test_code_that_cannot_be_judged_is_refused(
    scripted: Service, mode: str, source: str, status: int, problem: str
) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)
    body = code(source, mode=mode)

    for path in (f"/v1/tasks/{task['id']}/validate", "/v1/feedback"):
        response = await ana.client.post(path, json=body)

        assert (response.status_code, response.json()["code"]) == (status, problem)


@pytest.mark.parametrize("field", [{"mode": "quick"}, {"hint": "solution"}, {"mode": None}])
async def test_a_mode_or_a_hint_that_does_not_exist_is_refused(
    scripted: Service, field: dict[str, Any]
) -> None:
    ana = await scripted.sign_in("ana")

    response = await ana.client.post("/v1/feedback", json=code(RIGHT) | field)

    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")


@pytest.mark.parametrize("mode", ["facts", "full"])
async def test_a_wrong_language_label_fails_by_its_syntax_and_says_so(
    scripted: Service, mode: str
) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)

    response = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate",
        json=code(RIGHT, mode=mode, programming_language="java"),
    )

    answer = response.json()
    assert answer["passed"] is False
    assert {issue["source"] for issue in answer["issues"]} == {"syntax"}


@pytest.mark.parametrize("mode", ["facts", "full"])
async def test_a_language_that_nobody_knows_is_named_as_unchecked(
    scripted: Service, mode: str
) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)

    response = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate",
        json=code(RIGHT, mode=mode, programming_language="klingon"),
    )

    answer = response.json()
    assert response.is_success, answer
    assert answer["metrics"] is None
    assert [one["analyzer"] for one in answer["unavailable"]] == ["syntax"]
    assert [run["status"] for run in answer["runs"]] == ["not_runnable"]
    if mode == "facts":
        assert answer["passed"] is None


@pytest.mark.parametrize("mode", ["facts", "full"])
async def test_5000_lines_are_judged_like_any_others(scripted: Service, mode: str) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)
    source = "".join(f"def f{number}(n):\n    return n\n" for number in range(2_499)) + RIGHT

    response = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate", json=code(source, mode=mode)
    )

    answer = response.json()
    assert response.is_success, answer
    assert (answer["passed"], answer["lines"], answer["metrics"]["functions"]) == (True, 5000, 2500)


@pytest.mark.parametrize("mode", ["facts", "full"])
async def test_code_too_long_for_the_analyzers_gets_no_verdict_and_is_told_why(
    scripted: Service, mode: str
) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)

    response = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate", json=code("x = 1;" * 100_000, mode=mode)
    )

    answer = response.json()
    assert response.is_success, answer
    assert "longer than 500000 characters" in {one["reason"] for one in answer["unavailable"]}
    assert [run["status"] for run in answer["runs"]] == ["not_runnable"]
    if mode == "facts":
        assert answer["passed"] is None


@pytest.mark.parametrize("hint", ["nudge", "concept", "pseudocode", "analogue", None])
async def test_every_hint_level_is_taken_in_full_mode(scripted: Service, hint: str | None) -> None:
    ana = await scripted.sign_in("ana")

    response = await ana.client.post("/v1/feedback", json=code(RIGHT, mode="full", hint=hint))

    assert (response.status_code, response.json()["mode"]) == (201, "full")


async def test_both_statuses_and_both_formats_are_documented(service: Service) -> None:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=create_app(service.services)), base_url="http://service"
    ) as client:
        schema = (await client.get("/openapi.json")).json()

    for path, shape in (
        ("/v1/tasks/{task_id}/validate", "ValidateOut"),
        ("/v1/feedback", "ReviewOut"),
    ):
        responses = schema["paths"][path]["post"]["responses"]
        for status in ("200", "201"):
            content = responses[status]["content"]
            reference = {"$ref": f"#/components/schemas/{shape}"}
            assert content["application/json"]["schema"] == reference
            assert content["application/sarif+json"]["schema"]["title"] == "SarifLog"
    fields = schema["components"]["schemas"]["CodeIn"]["properties"]
    assert "no model is asked" in fields["mode"]["description"]
    assert fields["mode"]["default"] == "full"
