"""The chat endpoint as clients of OpenAI's chat completions speak."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from agent.commands import read_command
from api.deps import CurrentUser, ModelUser, make_router
from api.problems import problems
from api.routes.agent import Key
from api.routes.runs import CODES, find_hub, wait_for_end
from api.run_schemas import DecisionsIn
from api.wires.openai import (
    ChunkEncoder,
    CompletionIn,
    Turn,
    as_completion,
    models_list,
    read_turn,
)
from api.wires.openai_route import OpenAIRoute
from api.wires.sse import STOPPED, stream
from tools.errors import InputError, RunActive
from tools.runs import Begun, find_repeated, find_thread, own_run_id, own_thread_id

if TYPE_CHECKING:
    from api.runs.hub import RunHub

REPEATED_WITHIN: Final = timedelta(minutes=15)
MADE_AT: Final = 1_767_225_600
"""Since when our model is listed: a constant, for clients that show it."""
STREAMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Server-sent events", "content": {"text/event-stream": {}}},
    **problems(404, 409, 413, 429, codes=CODES),
}
COMPLETIONS: Final[dict[int | str, dict[str, Any]]] = {
    **STREAMS,
    200: {
        "description": "A `chat.completion`; with `stream`, its chunks as server-sent events",
        "content": {
            "application/json": {"schema": {"type": "object", "title": "ChatCompletion"}},
            "text/event-stream": {},
        },
    },
}
router = make_router("/v1", tag="chat", route_class=OpenAIRoute)


@router.get("/models")
async def list_models(user_id: CurrentUser) -> dict[str, Any]:
    """List the one model that there is, as OpenAI's clients expect."""
    return models_list(MADE_AT)


@router.post("/chat/completions", response_class=Response, responses=COMPLETIONS)
async def complete_chat(
    body: CompletionIn,
    user_id: ModelUser,
    request: Request,
    key: Key = None,
    retries: Annotated[
        int, Header(alias="X-Stainless-Retry-Count", ge=0, le=1_000, include_in_schema=False)
    ] = 0,
) -> Response:
    """Speak OpenAI's chat completions, streamed or not; what is proposed waits for your decision.

    Decide with a message such as `/accept int_… g1 g2`; a client that declares a tool
    `review_plan` gets the question as a call of it, and answers as that tool.
    """
    hub = find_hub(request)
    turn = read_turn(body)
    begun = await _begin(hub, user_id, body, turn, key=key, is_retry=retries > 0)
    run, created = begun.run, int(begun.run.created_at.timestamp())
    if body.stream:
        await hub.under_way(run.id)
        encoder = ChunkEncoder(body, run_id=run.id, created=created)
        events = hub.follow(user_id, run.id, early=True)
        return stream(events, encoder, headers=ids_of(begun), on_stop=STOPPED)
    end = await wait_for_end(hub, user_id, run.id)
    answer = as_completion(body, end, run_id=run.id, created=created)
    return JSONResponse(answer, headers=ids_of(begun))


async def _begin(
    hub: "RunHub", user_id: str, asked: CompletionIn, turn: Turn, *, key: str | None, is_retry: bool
) -> Begun:
    run_id = None if key is None else own_run_id(user_id, key)
    if turn.answers is not None:
        return await _decide(hub, user_id, turn.answers, turn.message, run_id=run_id)
    command = read_command(turn.message)
    if command is not None:
        return await hub.decide(
            user_id,
            command.interrupt_id,
            command.decisions,
            rest=command.rest,
            run_id=run_id,
            message=turn.message,
        )
    if is_retry and run_id is None:
        async with hub.services.open_tools(user_id) as tools:
            since = tools.now - REPEATED_WITHIN
            run = await find_repeated(
                tools, message=turn.message, history=turn.history, since=since
            )
        if run is not None:
            return Begun(run, is_new=False)
    named = (asked.metadata or {}).get("thread_id")
    thread_id: str | None
    must_exist = False
    if isinstance(named, str) and named:
        thread_id, must_exist = our_thread_id(user_id, named), is_ours(named)
    elif turn.history:
        async with hub.services.open_tools(user_id) as tools:
            thread_id = await find_thread(tools, turn.history)
    else:
        thread_id = None
    try:
        return await hub.talk(
            user_id,
            message=turn.message,
            run_id=run_id,
            thread_id=thread_id,
            must_exist=must_exist,
            history=turn.history,
            durable=False,
        )
    except RunActive:
        if named is not None:
            raise
        # Another conversation that began with the same words: this one gets a thread of its own.
        return await hub.talk(
            user_id, message=turn.message, run_id=run_id, history=turn.history, durable=False
        )


async def _decide(
    hub: "RunHub", user_id: str, interrupt_id: str, answer: str, *, run_id: str | None
) -> Begun:
    try:
        decisions = DecisionsIn.model_validate_json(answer)
    except ValidationError as error:
        raise not_decisions(error) from error
    return await hub.decide(
        user_id, interrupt_id, decisions.by_key(), rest=decisions.rest, run_id=run_id
    )


def not_decisions(error: ValidationError) -> InputError:
    """Return the error for an answer that is no decisions, by its first fault."""
    [first, *_] = error.errors(include_input=False, include_url=False)
    where = ".".join(str(part) for part in first["loc"])[:80]
    return InputError(f"the answer is not decisions on the items: {where} {first['msg']}")


def our_thread_id(user_id: str, named: str) -> str:
    """Return our id of a thread: one of ours, or what the client calls by a name of its own."""
    return named if is_ours(named) else own_thread_id(user_id, named)


def is_ours(named: str) -> bool:
    """Tell whether a thread's name has the form of our ids: then it must be there."""
    return named.startswith("thr_") and len(named) == len("thr_") + 32


def ids_of(begun: Begun) -> dict[str, str]:
    """Return the headers that name run and thread."""
    return {"X-Run-Id": begun.run.id, "X-Thread-Id": begun.run.thread_id or ""}
