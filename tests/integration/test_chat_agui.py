"""AG-UI 1.0: the golden sequence of events, resumed and repeated runs, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from ag_ui.core import Event
from pydantic import TypeAdapter

from agent.scripted import TOPICS
from tests.agents import opened
from tests.service import Learner, Service
from tests.talkers import PlayedModel, Turn, frames, played

EVENTS: TypeAdapter[Any] = TypeAdapter(Event)
PROPOSE = Turn(calls=[("propose_goals", {"wish": "probar mi API con pytest", "count": 2})])
GOLDEN_PROPOSAL = """
RUN_STARTED STEP_STARTED:converse STEP_FINISHED:converse
STEP_STARTED:call_tools TOOL_CALL_START TOOL_CALL_ARGS TOOL_CALL_END TOOL_CALL_RESULT
STEP_FINISHED:call_tools
STEP_STARTED:retrieve STEP_FINISHED:retrieve
STEP_STARTED:suggest_goals STEP_FINISHED:suggest_goals
STEP_STARTED:propose STATE_SNAPSHOT TEXT_MESSAGE_START TEXT_MESSAGE_CONTENT TEXT_MESSAGE_END
STEP_FINISHED:propose STEP_STARTED:review STEP_FINISHED:review RUN_FINISHED
"""
GOLDEN_DECISION = """
RUN_STARTED STATE_SNAPSHOT STEP_STARTED:review STEP_FINISHED:review
STEP_STARTED:persist TEXT_MESSAGE_START TEXT_MESSAGE_CONTENT TEXT_MESSAGE_END
STEP_FINISHED:persist STATE_DELTA RUN_FINISHED
"""


@pytest_asyncio.fixture
async def planner(service: Service) -> AsyncIterator[Service]:
    """Yield the application with a model that proposes goals."""
    async with opened(service.services, played(PROPOSE)) as complete:
        yield complete


def asked(text: str, **more: Any) -> dict[str, Any]:
    return {
        "threadId": more.pop("thread", "t1"),
        "runId": more.pop("run", None) or str(uuid4()),
        "state": {},
        "messages": [{"id": "m1", "role": "user", "content": text}],
        "tools": [],
        "context": [],
        "forwardedProps": {},
        **more,
    }


async def run(learner: Learner, body: dict[str, Any]) -> list[Any]:
    """Return the events of a run, each of them valid by the protocol's own models."""
    async with learner.client.stream("POST", "/v1/agui", json=body) as answer:
        assert answer.status_code == 200, await answer.aread()
        return [EVENTS.validate_json(frame.data) async for frame in frames(answer)]


def told(events: list[Any]) -> list[str]:
    return [
        event.type.value + (f":{event.step_name}" if hasattr(event, "step_name") else "")
        for event in events
    ]


async def test_a_proposal_and_its_decision_are_the_golden_sequences(planner: Service) -> None:
    ana = await planner.sign_in("ana")

    proposed = await run(ana, asked("Quiero probar mi API"))
    [interrupt] = proposed[-1].outcome.interrupts
    resume = {"interruptId": interrupt.id, "status": "resolved", "payload": {"rest": "accept"}}
    decided = await run(ana, asked("", resume=[resume]))

    assert told(proposed) == GOLDEN_PROPOSAL.split()
    assert told(decided) == GOLDEN_DECISION.split()
    assert decided[-1].outcome.type == "success"
    assert await planner.count("select count(*) from goals") == 2


async def test_the_same_run_id_again_listens_to_the_same_run(planner: Service) -> None:
    ana = await planner.sign_in("ana")
    body = asked("Quiero probar mi API")

    first = await run(ana, body)
    again = await run(ana, body)

    assert again == first
    assert await planner.count("select count(*) from runs") == 1


async def test_of_two_decisions_at_once_one_wins(planner: Service) -> None:
    ana = await planner.sign_in("ana")
    proposed = await run(ana, asked("Quiero probar mi API"))
    [interrupt] = proposed[-1].outcome.interrupts

    answers = await asyncio.gather(
        *(
            ana.client.post(f"/v1/interrupts/{interrupt.id}", json={"rest": "accept"})
            for _ in range(6)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert codes == {"INTERRUPT_STALE"}
    assert await planner.count("select count(*) from goals") == 2
    assert (await ana.event_types()).count("goal.created") == 2


async def test_a_cancelled_interrupt_writes_nothing(planner: Service) -> None:
    ana = await planner.sign_in("ana")
    proposed = await run(ana, asked("Quiero probar mi API"))
    [interrupt] = proposed[-1].outcome.interrupts

    ended = await run(ana, asked("", resume=[{"interruptId": interrupt.id, "status": "cancelled"}]))

    assert ended[-1].outcome.type == "success"
    assert await planner.count("select count(*) from goals") == 0


async def test_a_message_at_an_open_question_is_just_a_message(planner: Service) -> None:
    ana = await planner.sign_in("ana")
    await run(ana, asked("Quiero probar mi API"))

    await run(ana, asked("sí, acepto todo"))

    assert await planner.count("select count(*) from goals") == 0


async def test_the_thread_and_question_of_somebody_else_are_not_there(planner: Service) -> None:
    ana, bruno = await planner.sign_in("ana"), await planner.sign_in("bruno")
    proposed = await run(ana, asked("Quiero probar mi API"))
    [interrupt] = proposed[-1].outcome.interrupts
    run_id, thread_id = proposed[0].metadata["run_id"], proposed[0].metadata["thread_id"]

    answers = [
        await bruno.client.get(f"/v1/runs/{run_id}"),
        await bruno.client.get(f"/v1/runs/{run_id}/events"),
        await bruno.client.post(f"/v1/runs/{run_id}/cancel"),
        await bruno.client.get(f"/v1/interrupts/{interrupt.id}"),
        await bruno.client.post(f"/v1/interrupts/{interrupt.id}", json={"rest": "accept"}),
        await bruno.client.get(f"/v1/threads/{thread_id}"),
        await bruno.client.post("/v1/runs", json={"message": "hola", "thread_id": thread_id}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 7
    assert await planner.count("select count(*) from goals") == 0


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"decisions": {}}, "undecided: g1, g2"),
        ({"decisions": {"g9": {"action": "accept"}}, "rest": "reject"}, "there is no item g9"),
        ({"decisions": {"g1": {"action": "edit", "fields": {"id": "x"}}}, "rest": "reject"}, "id"),
        ({"decisions": {"g1": {"action": "edit", "fields": {"title": ""}}}, "rest": "reject"}, ""),
        ({"decisions": {"g1": {"action": "steal"}}}, "decisions.g1.action"),
    ],
)
async def test_a_decision_that_cannot_be_done_changes_nothing(
    planner: Service, payload: dict[str, Any], words: str
) -> None:
    ana = await planner.sign_in("ana")
    proposed = await run(ana, asked("Quiero probar mi API"))
    [interrupt] = proposed[-1].outcome.interrupts
    resume = {"interruptId": interrupt.id, "status": "resolved", "payload": payload}

    refused = await ana.client.post("/v1/agui", json=asked("", resume=[resume]))

    assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION")
    assert words in refused.json()["detail"]
    question = await ana.read(f"/v1/interrupts/{interrupt.id}")
    assert question["state"] == "open"


async def test_a_run_is_cancelled_and_says_so(service: Service) -> None:
    held = Turn(text=["Un ", "momento"], wait=asyncio.Event())
    async with opened(service.services, played(held)) as complete:
        ana = await complete.sign_in("ana")
        following = asyncio.create_task(run(ana, asked("hola")))
        await held.begun.wait()
        [run_id] = await complete.rows("select id from runs where state = 'running'")

        cancelled = await ana.client.post(f"/v1/runs/{run_id}/cancel")

        events = await following
        assert cancelled.json()["state"] == "cancelled"
        assert events[-1].outcome.type == "cancelled"
        assert told(events)[-3:] == ["TEXT_MESSAGE_END", "STEP_FINISHED:converse", "RUN_FINISHED"]


async def test_an_edit_is_what_is_written(planner: Service) -> None:
    ana = await planner.sign_in("ana")
    proposed = await run(ana, asked("Quiero probar mi API"))
    [interrupt] = proposed[-1].outcome.interrupts
    edit = {"g1": {"action": "edit", "fields": {"title": "Mi propio título"}}}

    await ana.client.post(
        f"/v1/interrupts/{interrupt.id}", json={"decisions": edit, "rest": "reject"}
    )

    [goal] = (await ana.read("/v1/goals"))["items"]
    assert goal["title"] == "Mi propio título"


async def test_where_every_goal_is_there_already_nothing_is_proposed_and_it_is_said_why(
    planner: Service,
) -> None:
    ana = await planner.sign_in("ana")
    for topic, description in TOPICS["es"]:
        await ana.make("goals", title=f"{topic} probar mi API con pytest", description=description)

    events = await run(ana, asked("Quiero probar mi API"))

    said = events[-1].result["message"]["text"]
    assert events[-1].outcome.type == "success"
    assert said.startswith("No hay nada nuevo que proponer.\nDescartada por repetir «")


@pytest.mark.parametrize("text", [[], ["\n", " "]])
async def test_who_gets_no_word_from_the_model_is_told_so(
    service: Service, text: list[str]
) -> None:
    async with opened(service.services, played(Turn(text=text))) as complete:
        ana = await complete.sign_in("ana")

        events = await run(ana, asked("hola, quiero saber qué metas tengo"))

        assert events[-1].outcome.type == "success"
        assert events[-1].result["message"]["text"].strip() == (
            "No tengo respuesta a eso. Dímelo con otras palabras."
        )


async def test_the_model_does_not_read_the_command_of_a_question(service: Service) -> None:
    chat = played(PROPOSE, Turn(text=["Dime más"]))
    async with opened(service.services, chat) as complete:
        ana = await complete.sign_in("ana")
        await run(ana, asked("Quiero probar mi API"))
        await run(ana, asked("¿Y eso por qué?"))

    assert isinstance(chat.model, PlayedModel)
    proposed = next(str(one.content) for one in chat.model.heard[-1] if one.type == "ai")
    assert proposed.startswith("Propongo estas metas:")
    assert "/accept" not in proposed


async def test_what_the_model_reads_first_is_the_same_in_every_call(service: Service) -> None:
    chat = played(Turn(text=["Dime más"]))
    async with opened(service.services, chat) as complete:
        ana, bruno = await complete.sign_in("ana"), await complete.sign_in("bruno")
        await ana.make("goals", title="Publicar mi página")
        await run(ana, asked("hola"))
        await run(bruno, asked("¿qué tal?"))

    assert isinstance(chat.model, PlayedModel)
    of_ana, of_bruno = chat.model.heard
    assert of_ana[0] == of_bruno[0]
    assert "Publicar mi página" in str(of_ana[1].content)
    assert str(of_ana[1].content).endswith("\n\nhola")
