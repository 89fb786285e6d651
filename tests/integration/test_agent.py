"""The agent through its API: what it writes, once, with which events."""

import asyncio
import base64
import hashlib
from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx
from sqlalchemy import text

from api.app import create_app
from tests.agents import COMPLETIONS, answering, said, suggested
from tests.secret_samples import CANARY, FORMATS, TOKENS
from tests.service import Service, fill_pending
from tools.embedding_models import ScriptedEmbeddings

WISH = {"wish": "Quiero probar mi API", "count": 2}
WRONG = "def doble(n):\n    return n + 1\n"
RIGHT = "def doble(n):\n    return n * 2\n"
TASK = {"title": "Doblar", "description": "doble(n): el doble. Ejemplo: doble(4) == 8"}


def code(text: str, **more: Any) -> dict[str, Any]:
    return {"file_path": "doble.py", "programming_language": "python", "code": text, **more}


async def test_suggested_goals_become_rows_vectors_and_events(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")

    response = await ana.client.post("/v1/goals/suggest", json=WISH)

    answer = response.json()
    assert response.status_code == 201, answer
    ids = [one["goal"]["id"] for one in answer["suggestions"]]
    stored = await ana.read("/v1/goals")
    assert sorted(goal["id"] for goal in stored["items"]) == sorted(ids)
    assert all(goal["ai_generated"] for goal in stored["items"])
    assert all(len(goal["criteria"]) >= 2 for goal in stored["items"])
    told = stored["items"][0]["metadata"]["ai"]
    assert told["prompt_version"] == "suggest_goals.es/2"
    assert told["model"] == "scripted-tutor-1"
    assert await scripted.count("select count(*) from embeddings where entity_type = 'goal'") == 2
    assert await ana.event_types() == ["goal.created"] * 2 + ["ai.goal_suggested"] * 2


async def test_a_finished_run_is_checkpointed_in_postgresql(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")

    await ana.client.post("/v1/goals/suggest", json=WISH)
    assert scripted.services.agent is not None
    saver: Any = scripted.services.agent.graph.checkpointer
    await saver.asettle()

    assert await scripted.count("select count(distinct thread_id) from checkpoints") == 1


async def test_the_checkpoint_of_a_user_who_was_erased_meanwhile_is_not_kept(
    scripted: Service,
) -> None:
    ana, bruno = await scripted.sign_in("ana"), await scripted.sign_in("bruno")
    for learner in (ana, bruno):
        await learner.client.post("/v1/goals/suggest", json=WISH)
    async with scripted.services.system.begin() as session:
        await session.execute(text("delete from users where id = :id"), {"id": ana.id})

    assert scripted.services.agent is not None
    saver: Any = scripted.services.agent.graph.checkpointer
    await saver.asettle()

    kept = "select count(distinct thread_id) from checkpoints"
    assert await scripted.count(kept) == 1
    assert await scripted.count(f"{kept} where user_id = :id", id=bruno.id) == 1


async def test_the_same_key_gives_the_same_answer_and_writes_once(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    key = {"Idempotency-Key": "k1"}

    first = await ana.client.post("/v1/goals/suggest", json=WISH, headers=key)
    second = await ana.client.post("/v1/goals/suggest", json=WISH, headers=key)

    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await scripted.count("select count(*) from goals") == 2


async def test_the_same_key_while_the_first_request_runs_is_refused_and_then_answered(
    scripted: Service,
) -> None:
    ana = await scripted.sign_in("ana")
    key = {"Idempotency-Key": "k1"}

    answers = await asyncio.gather(
        *(ana.client.post("/v1/goals/suggest", json=WISH, headers=key) for _ in range(5))
    )

    [first] = [answer for answer in answers if answer.status_code == 201]
    others = [answer.json()["code"] for answer in answers if answer is not first]
    assert others == ["IDEMPOTENCY_IN_PROGRESS"] * 4
    again = await ana.client.post("/v1/goals/suggest", json=WISH, headers=key)
    assert again.content == first.content
    assert await scripted.count("select count(*) from goals") == 2


async def test_runs_of_one_operation_in_several_processes_write_once(scripted: Service) -> None:
    alone = replace(scripted.services, hub=None)  # nobody tells it that the key is at work
    service = Service(create_app(alone), alone)
    ana = await service.sign_in("ana")
    key = {"Idempotency-Key": "k1"}

    answers = await asyncio.gather(
        *(ana.client.post("/v1/goals/suggest", json=WISH, headers=key) for _ in range(5))
    )

    assert {(answer.status_code, answer.content) for answer in answers} == {
        (201, answers[0].content)
    }
    assert await service.count("select count(*) from goals") == 2
    assert await ana.event_types() == ["goal.created"] * 2 + ["ai.goal_suggested"] * 2


async def test_a_proposal_is_repeated_as_it_was_whatever_was_decided(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    key, path = {"Idempotency-Key": "k1"}, "/v1/goals/suggest?review=true"
    first = await ana.client.post(path, json=WISH, headers=key)
    question = f"/v1/interrupts/{first.json()['interrupt_id']}"
    decided = await ana.client.post(question, json={"rest": "accept"}, headers=key)
    again = await ana.client.post(question, json={"rest": "accept"}, headers=key)

    repeated = await ana.client.post(path, json=WISH, headers=key)
    other = await ana.client.post(path, json={"count": 1}, headers=key)

    assert (repeated.status_code, repeated.content) == (200, first.content)
    assert repeated.headers["idempotency-replayed"] == "true"
    assert other.json()["code"] == "IDEMPOTENCY_MISMATCH"
    assert (decided.status_code, again.json()) == (200, decided.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert await scripted.count("select count(*) from goals") == 2


async def test_the_same_key_for_another_request_is_refused(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    key = {"Idempotency-Key": "k1"}
    await ana.client.post("/v1/goals/suggest", json=WISH, headers=key)

    other = await ana.client.post("/v1/goals/suggest", json={"count": 1}, headers=key)

    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_MISMATCH")


async def test_another_user_with_the_same_key_is_independent(scripted: Service) -> None:
    ana, bruno = await scripted.sign_in("ana"), await scripted.sign_in("bruno")
    key = {"Idempotency-Key": "k1"}

    one = await ana.client.post("/v1/goals/suggest", json=WISH, headers=key)
    other = await bruno.client.post("/v1/goals/suggest", json=WISH, headers=key)

    assert one.json()["suggestions"] != other.json()["suggestions"]
    assert await scripted.count("select count(*) from goals") == 4


async def test_a_proposal_that_repeats_a_goal_is_left_out_and_points_to_it(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    goal = await ana.make("goals", title="Probar la API", criteria=["Corre en CI"])
    await fill_pending(remote)
    httpx2_mock.post(COMPLETIONS).mock(
        return_value=said(suggested("Probar la API", "Desplegar en un servidor"))
    )

    answer = (await ana.client.post("/v1/goals/suggest", json=WISH)).json()

    assert [one["goal"]["title"] for one in answer["suggestions"]] == ["Desplegar en un servidor"]
    assert answer["suggestions"][0]["based_on"] == [goal["id"]]
    assert [one["continue_goal_id"] for one in answer["dropped"]] == [goal["id"]]


async def test_a_breakdown_stores_tasks_in_order_with_their_edges(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    criteria = ["Hay login", "Hay tokens", "Hay rutas protegidas"]
    goal = await ana.make("goals", title="API con JWT", criteria=criteria)

    response = await ana.client.post(f"/v1/goals/{goal['id']}/breakdown", json={})

    answer = response.json()
    assert response.status_code == 201, answer
    tasks = answer["tasks"]
    assert [task["priority"] for task in tasks] == [10, 20, 30]
    assert [task["metadata"]["depends_on"] for task in tasks] == [
        [],
        [tasks[0]["id"]],
        [tasks[1]["id"]],
    ]
    served = [one for task in tasks for one in task["metadata"]["serves"]]
    assert sorted(served) == sorted(one["id"] for one in goal["criteria"])
    assert answer["critical_path"] == [task["id"] for task in tasks]
    assert [kind for kind in await ana.event_types() if kind != "goal.created"] == [
        *["task.created"] * 3,
        "ai.feedback_generated",
    ]


def planned(key: str, title: str, *depends_on: str) -> dict[str, Any]:
    return {
        "key": key,
        "serves": [1],
        "title": title,
        "description": title,
        "task_type": "code",
        "acceptance": ["Se ve", "Se mide"],
        "depends_on": list(depends_on),
        "hours_low": 1,
        "hours_likely": 2,
        "hours_high": 3,
        "complexity": 2,
        "reason": "Es corto",
    }


async def test_an_edge_to_a_task_that_repeats_another_goes_to_the_one_that_stays(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    goal = await ana.make("goals", title="API con JWT", criteria=["Hay login"])
    tasks = [
        planned("t1", "Crear el login"),
        planned("t2", "crear el login"),
        planned("t3", "Publicar", "t2"),
    ]
    httpx2_mock.post(COMPLETIONS).mock(return_value=said({"tasks": tasks}))

    answer = (await ana.client.post(f"/v1/goals/{goal['id']}/breakdown", json={})).json()

    login, publish = answer["tasks"]
    assert publish["metadata"]["depends_on"] == [login["id"]]
    assert [repair["kind"] for repair in answer["repairs"]] == ["merged_duplicate"]


async def test_wrong_code_fails_its_task_by_a_run_example(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)

    response = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate", json=code(WRONG, document_version=7)
    )

    answer = response.json()
    assert response.status_code == 201, answer
    assert (answer["passed"], answer["score"], answer["document_version"]) == (False, 0.0, 7)
    assert answer["runs"] == [
        {
            "expression": "doble(4)",
            "status": "fail",
            "expected": "8",
            "got": "5",
            "detail": answer["runs"][0]["detail"],
            "origin": "task",
            "strength": "strong",
            "runner": "monty",
            "votes": None,
            "solutions": None,
        }
    ]
    assert (answer["mode"], answer["model"]) == ("full", "scripted-tutor-1")
    assert answer["metrics"]["functions"] == 1
    assert isinstance(answer["unavailable"], list)
    assert answer["task"]["status"] == "failed"
    result = answer["task"]["validation_result"]
    assert (result["passed"], result["score"], result["issues"]) == (False, 0.0, [])
    assert result["validated_at"].endswith("Z")
    assert sorted(await ana.event_types()) == sorted(
        [
            "task.created",
            "code.submitted",
            "ai.validation_completed",
            "ai.feedback_generated",
            "code.validated",
            "task.validated",
            "task.failed",
        ]
    )


async def test_right_code_completes_its_task_and_is_kept_to_the_letter(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", **TASK)
    tabbed = "def doble(n):\r\n\treturn n * 2  # ñ\u200b\n"

    answer = (await ana.client.post(f"/v1/tasks/{task['id']}/validate", json=code(tabbed))).json()

    assert (answer["passed"], answer["task"]["status"]) == (True, "completed")
    snapshot = await ana.read(f"/v1/snapshots/{answer['code_snapshot_id']}")
    assert snapshot["code_content"] == tabbed
    assert (snapshot["validation_passed"], snapshot["validation_score"]) == (True, 1.0)
    assert "task.completed" in await ana.event_types()


async def test_code_that_is_no_utf_8_is_judged_and_kept_to_the_byte(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    content = b"def doble(n):\n    return n * 2  # a\xf1o\n"
    encoded = base64.b64encode(content).decode()
    body = {"file_path": "a.py", "programming_language": "python", "code_base64": encoded}

    answer = await ana.client.post("/v1/feedback", json=body, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 201, answer.text
    snapshot = await ana.read(f"/v1/snapshots/{answer.json()['code_snapshot_id']}")
    assert snapshot["code_base64"] == encoded
    assert snapshot["code_content"] == content.decode(errors="replace")
    assert answer.json()["sha256"] == hashlib.sha256(content).hexdigest()


async def test_feedback_without_a_task_gives_findings_and_no_verdict(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    finding = {
        "quote": "return n + 1",
        "problem": "suma uno",
        "trigger": "doble(4) da 5",
        "kind": "essential",
        "severity": "high",
    }
    invented = {**finding, "quote": "this line is not there"}
    review = {
        "criteria": [],
        "findings": [finding, invented],
        "feedback": "Mira la suma.",
        "next_step": "Prueba con 4",
    }
    confirmed = {"trace": "doble(4) da 5, y no 8", "is_mistake": "yes"}
    httpx2_mock.post(COMPLETIONS).mock(side_effect=answering(Review=review, SecondLook=confirmed))

    answer = (await ana.client.post("/v1/feedback", json=code(WRONG))).json()

    assert (answer["passed"], answer["score"]) == (None, None)
    assert [(one["start_line"], one["end_line"]) for one in answer["issues"]] == [(2, 2)]
    assert answer["hidden_findings"] == 1
    assert await ana.event_types() == ["code.submitted", "code.reviewed", "ai.feedback_generated"]


@pytest.mark.parametrize("said_of_it", ["no", "unsure"])
async def test_a_grave_finding_that_a_second_look_does_not_confirm_is_hidden(
    remote: Service, httpx2_mock: respx.Router, said_of_it: str
) -> None:
    ana = await remote.sign_in("ana")
    finding = {
        "quote": "return n + 1",
        "problem": "suma uno",
        "trigger": "doble(4) da 5",
        "kind": "essential",
        "severity": "high",
    }
    review = {
        "criteria": [],
        "findings": [finding],
        "feedback": "Mira la suma.",
        "next_step": "x 4",
    }
    look = {"trace": "doble(4) da 5", "is_mistake": said_of_it}
    httpx2_mock.post(COMPLETIONS).mock(side_effect=answering(Review=review, SecondLook=look))

    answer = (await ana.client.post("/v1/feedback", json=code(WRONG))).json()

    assert (answer["issues"], answer["hidden_findings"]) == ([], 1)


def record_embedded_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []
    embed = ScriptedEmbeddings.embed_query

    def recorded(self: ScriptedEmbeddings, text: str) -> list[float]:
        texts.append(text)
        return embed(self, text)

    monkeypatch.setattr(ScriptedEmbeddings, "embed_query", recorded)
    return texts


async def test_a_secret_in_the_code_reaches_neither_the_chat_model_nor_the_embeddings(
    remote: Service, httpx2_mock: respx.Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await remote.sign_in("ana")
    key = "AKIA" + "Z7Q2M4X9T1B6W3K8"
    review = {"criteria": [], "findings": [], "feedback": "Está bien así.", "next_step": "Sigue"}
    route = httpx2_mock.post(COMPLETIONS).mock(return_value=said(review))
    asked_for_vectors = record_embedded_texts(monkeypatch)

    answer = await ana.client.post("/v1/feedback", json=code(f'clave = "{key}"\n'))

    assert answer.status_code == 201, answer.text
    assert key not in route.calls.last.request.content.decode()
    assert asked_for_vectors
    assert not [text for text in asked_for_vectors if key in text]


async def test_no_secret_of_fifty_forms_leaves_with_any_request_about_a_task(
    remote: Service, httpx2_mock: respx.Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await remote.sign_in("ana")
    task = await ana.make("tasks", title="Doblar", description="Escribe doble(n).")
    lines = [form.format(CANARY) + "  # noqa: S105  # nosec" for form in FORMATS]
    submission = "\n".join([*lines, *(f"t = '{token}'" for token in TOKENS.values())])
    review = {
        "criteria": [{"number": 1, "verdict": "met", "why": "lo hace"}],
        "findings": [],
        "feedback": "Está bien así.",
        "next_step": "Sigue",
    }
    route = httpx2_mock.post(COMPLETIONS).mock(side_effect=answering(Review=review))
    asked_for_vectors = record_embedded_texts(monkeypatch)

    answer = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate",
        json=code(submission, programming_language="yaml", file_path="secrets.yaml"),
    )

    sent = [call.request.content.decode() for call in route.calls] + asked_for_vectors
    stored = await ana.client.get(f"/v1/snapshots/{answer.json()['code_snapshot_id']}")
    assert len(FORMATS) >= 30
    assert route.call_count >= 1
    assert [text for text in sent if CANARY in text] == []
    assert [token for token in TOKENS.values() if any(token in text for text in sent)] == []
    assert stored.json()["code_content"] == submission


async def test_a_secret_that_the_code_prints_is_in_no_request(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    task = await ana.make("tasks", title="Doblar", description="doble(2) == 4")
    text = f"API_TOKEN = '{CANARY}'\n\ndef doble(n):\n    return API_TOKEN\n"
    review = {
        "criteria": [{"number": 1, "verdict": "met", "why": "lo hace"}],
        "findings": [],
        "feedback": "Está bien así.",
        "next_step": "Sigue",
    }
    route = httpx2_mock.post(COMPLETIONS).mock(return_value=said(review))

    answer = await ana.client.post(f"/v1/tasks/{task['id']}/validate", json=code(text))

    assert answer.json()["runs"][0]["got"] == "'<secret:1:token>'"
    assert CANARY not in route.calls.last.request.content.decode()
    assert CANARY not in answer.text


async def test_neither_the_solution_nor_an_address_is_in_any_remark_of_a_review(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    task = await ana.make("tasks", title="Doblar", description="doble(2) == 4")
    told = "usa `return n * 2`; ![x](https://evil.example/p)"
    finding = {
        "quote": "return n",
        "problem": told,
        "trigger": told,
        "kind": "essential",
        "severity": "low",
    }
    review = {
        "criteria": [{"number": 1, "verdict": "not_met", "why": told}],
        "findings": [finding],
        "feedback": told,
        "next_step": told,
    }
    httpx2_mock.post(COMPLETIONS).mock(return_value=said(review))

    answer = await ana.client.post(
        f"/v1/tasks/{task['id']}/validate", json=code("def doble(n):\n    return n\n")
    )

    assert "n * 2" not in answer.text
    assert "](" not in answer.text
    [issue], [criterion] = answer.json()["issues"], answer.json()["criteria"]
    words = [issue["problem"], issue["trigger"], criterion["why"], answer.json()["next_step"]]
    assert all("[código omitido]" in each for each in [*words, answer.json()["feedback"]])


async def test_no_connection_is_held_while_the_model_talks(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana = await remote.sign_in("ana")
    pool = remote.services.sessions.kw["bind"].pool
    held: list[int] = []

    def answer(_request: httpx.Request) -> httpx.Response:
        held.append(pool.checkedout())
        return said(suggested("Probar la API"))

    httpx2_mock.post(COMPLETIONS).mock(side_effect=answer)

    response = await ana.client.post("/v1/goals/suggest", json=WISH)

    assert response.status_code == 201, response.text
    assert held == [0, 0]


async def test_what_another_learner_wrote_is_never_in_the_prompt(
    remote: Service, httpx2_mock: respx.Router
) -> None:
    ana, bruno = await remote.sign_in("ana"), await remote.sign_in("bruno")
    await bruno.make("goals", title="Quiero probar mi API canario", criteria=["canario"])
    route = httpx2_mock.post(COMPLETIONS).mock(return_value=said(suggested("Probar")))

    await ana.client.post("/v1/goals/suggest", json=WISH)

    assert "canario" not in route.calls.last.request.content.decode()
