"""The chat endpoint as clients of AG-UI 1.0 speak; its library's models take 60 ms to import."""

from typing import TYPE_CHECKING, Any, Final

from ag_ui.core import RunAgentInput
from fastapi import Request, Response
from pydantic import ValidationError

from api.deps import ModelUser, make_router
from api.routes.chat import STREAMS, ids_of, is_ours, not_decisions, our_thread_id
from api.routes.runs import find_hub
from api.run_schemas import MAX_MESSAGE, DecisionsIn
from api.wires.agui import AguiEncoder
from api.wires.sse import STOPPED, stream
from tools.errors import InputError
from tools.runs import Begun, Said, own_run_id

if TYPE_CHECKING:
    from api.runs.hub import RunHub

TALK: Final = {
    "threadId": "my-thread",
    "runId": "my-run-1",
    "state": {},
    "messages": [{"id": "m1", "role": "user", "content": "Quiero aprender async en Python"}],
    "tools": [],
    "context": [],
    "forwardedProps": {},
}
_EXAMPLE: Final = {"requestBody": {"content": {"application/json": {"example": TALK}}}}

router = make_router("/v1", tag="chat")


@router.post("/agui", response_class=Response, responses=STREAMS, openapi_extra=_EXAMPLE)
async def run_agui(body: RunAgentInput, user_id: ModelUser, request: Request) -> Response:
    """Speak AG-UI 1.0: the last user message, or the answer to an interrupt.

    The same `runId` again listens to the same run. The plan is in the state, under `plan`.
    """
    hub = find_hub(request)
    thread_id = our_thread_id(user_id, body.thread_id)
    run_id = own_run_id(user_id, f"{thread_id}\0{body.run_id}")
    if body.resume:
        begun = await _resume(hub, user_id, body, run_id=run_id)
    else:
        message, history = _last_message(body)
        begun = await hub.talk(
            user_id,
            message=message,
            run_id=run_id,
            thread_id=thread_id,
            must_exist=is_ours(body.thread_id),
            history=history,
            durable=False,
        )
    encoder = AguiEncoder(thread_id=body.thread_id, run_id=body.run_id)
    events = hub.follow(user_id, begun.run.id)
    return stream(events, encoder, headers=ids_of(begun), on_stop=STOPPED)


async def _resume(hub: "RunHub", user_id: str, body: RunAgentInput, *, run_id: str) -> Begun:
    entries = body.resume or []
    if len(entries) != 1:
        raise InputError("resume names one interrupt at a time")
    entry = entries[0]
    if entry.status == "cancelled":
        return await hub.decide(user_id, entry.interrupt_id[:36], {}, rest="reject", run_id=run_id)
    decisions = _decisions(entry.payload)
    return await hub.decide(
        user_id,
        entry.interrupt_id[:36],
        decisions.by_key(),
        rest=decisions.rest,
        run_id=run_id,
    )


def _decisions(payload: Any) -> DecisionsIn:
    try:
        return DecisionsIn.model_validate(payload)
    except ValidationError as error:
        raise not_decisions(error) from error


def _last_message(body: RunAgentInput) -> tuple[str, list[Said]]:
    """Return the user's new message and what was said before it."""
    said = [
        Said(message.role, _text(message.content))
        for message in body.messages
        if message.role in {"user", "assistant"}
    ]
    if not said or said[-1].role != "user" or not said[-1].content.strip():
        raise InputError("the last message must be the user's and have a text")
    if len(said[-1].content) > MAX_MESSAGE:
        raise InputError(f"a message has at most {MAX_MESSAGE:,} characters", code="TOO_LARGE")
    return said[-1].content, [one for one in said[:-1] if one.content.strip()]


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.text for part in content if part.type == "text")
    return content or ""
