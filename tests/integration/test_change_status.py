"""A status that was proposed in a conversation: checked, decided on, and written by the verbs."""

from typing import Any

import pytest

from agent.nodes.change_status import CHANGE_STATUS
from agent.review import Decision
from agent.state import AgentState, Tokens
from tests.service import Learner, Service
from tools.errors import InputError, NotFound, StateConflict


async def run(
    service: Service, learner: Learner, entity_id: str, status: str, *, decision: Decision
) -> dict[str, Any]:
    """Return the answer of the job for a user who decides so."""
    context = service.services.agent_context(learner.id)
    request = {"entity_id": entity_id, "status": status}
    async with context.open_tools() as tools:
        subject = await CHANGE_STATUS.load(tools, request)
    state = AgentState(
        job="change_status",
        operation_id="opr_1",
        request=request,
        language="es",
        subject=subject,
        sources=[],
        repairs=0,
        tokens=Tokens(input=0, output=0, calls=0),
    )
    state.update(await CHANGE_STATUS.answer(state, context))
    state.update(await CHANGE_STATUS.check(state, context))
    assert CHANGE_STATUS.items is not None
    assert CHANGE_STATUS.decide is not None
    [item] = CHANGE_STATUS.items(state["draft"])
    state["draft"] = CHANGE_STATUS.decide(state["draft"], {item["key"]: decision})
    async with context.open_tools() as tools:
        return await CHANGE_STATUS.persist(tools, state, context)


async def test_an_accepted_status_is_written_and_recorded(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    task = await ana.make("tasks", title="Leer")

    answer = await run(scripted, ana, task["id"], "completed", decision=Decision("accept"))

    assert answer == {
        "entity_type": "task",
        "entity_id": task["id"],
        "title": "Leer",
        "before": "todo",
        "after": "completed",
    }
    assert (await ana.read(f"/v1/tasks/{task['id']}"))["status"] == "completed"
    assert await ana.event_types() == ["task.created", "task.completed"]


async def test_a_rejected_status_changes_nothing(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    goal = await ana.make("goals", title="Meta")

    answer = await run(scripted, ana, goal["id"], "cancelled", decision=Decision("reject"))

    assert (answer["before"], answer["after"]) == ("pending", "pending")
    assert await ana.event_types() == ["goal.created"]


async def test_a_status_that_may_not_follow_is_not_even_proposed(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    goal = await ana.make("goals", title="Meta")
    await ana.client.patch(f"/v1/goals/{goal['id']}", json={"status": "cancelled"})

    with pytest.raises(StateConflict):
        await run(scripted, ana, goal["id"], "completed", decision=Decision("accept"))

    assert (await ana.read(f"/v1/goals/{goal['id']}"))["status"] == "cancelled"


async def test_the_user_may_choose_another_status(scripted: Service) -> None:
    ana = await scripted.sign_in("ana")
    goal = await ana.make("goals", title="Meta")
    blocked = Decision("edit", {"status": "blocked"})

    await run(scripted, ana, goal["id"], "cancelled", decision=blocked)

    assert (await ana.read(f"/v1/goals/{goal['id']}"))["status"] == "blocked"


@pytest.mark.parametrize("decision", [Decision("accept"), Decision("edit", {"status": "odd"})])
async def test_a_status_of_the_other_kind_is_refused(scripted: Service, decision: Decision) -> None:
    ana = await scripted.sign_in("ana")
    goal = await ana.make("goals", title="Meta")
    asked = "todo" if decision.action == "accept" else "blocked"

    with pytest.raises(InputError):
        await run(scripted, ana, goal["id"], asked, decision=decision)


async def test_what_belongs_to_another_learner_is_not_found(scripted: Service) -> None:
    ana, bruno = await scripted.sign_in("ana"), await scripted.sign_in("bruno")
    task = await bruno.make("tasks", title="De Bruno")

    with pytest.raises(NotFound):
        await run(scripted, ana, task["id"], "completed", decision=Decision("accept"))
