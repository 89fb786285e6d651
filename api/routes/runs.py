"""`/v1/runs` and `/v1/interrupts`: work that outlives its connection, and what it asks its user."""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import Header, Query, Request, Response

from agent.stream import RunFailed, RunFinished, read_event
from api.deps import CurrentUser, EntityId, ModelUser, Tools, find_services, make_router
from api.idempotency import REPLAYED, REPLAYED_HEADER
from api.problems import problems
from api.representations import LOCATION_HEADER
from api.routes.agent import Key, RequiredKey
from api.run_schemas import (
    DecidedOut,
    DecisionsIn,
    QuestionOut,
    RunIn,
    RunOut,
    question_out,
    run_out,
)
from api.runs.log import STOPPING
from api.wires.sse import stream, stream_plain
from tools.errors import GoalsError, InputError, Stopping
from tools.runs import get_question, get_run, own_run_id

if TYPE_CHECKING:
    from api.runs.hub import RunHub

CODES: Final = {
    409: "RUN_ACTIVE: another run is under way in the thread; INTERRUPT_STALE: decided already; "
    "CONFLICT_STATE, LIMIT_REACHED: what was decided cannot be",
    422: "VALIDATION, TEXT_INVALID, TOO_DEEP, IDEMPOTENCY_MISMATCH",
}
EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events; the last one is `run_finished` or `run_failed`",
        "content": {"text/event-stream": {}},
    }
}
LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", max_length=20, description="The last event that was received"),
]

router = make_router("/v1", tag="runs")


def find_hub(request: Request) -> "RunHub":
    """Return the hub of this process."""
    hub = find_services(request).hub
    assert hub is not None, "the application was made without the agent"
    return hub


@router.post(
    "/runs",
    status_code=202,
    responses={
        202: {"headers": {**LOCATION_HEADER, **REPLAYED_HEADER}},
        **problems(404, 409, 413, 422, 429, codes=CODES),
    },
)
async def start_run(
    body: RunIn, user_id: ModelUser, request: Request, response: Response, key: RequiredKey
) -> RunOut:
    """Say something to the planner; the run goes on whether anybody listens or not.

    The same key and body again give the same run, as it is by then.
    """
    begun = await find_hub(request).talk(
        user_id,
        message=body.message,
        language=body.language,
        run_id=own_run_id(user_id, key),
        thread_id=body.thread_id,
        must_exist=body.thread_id is not None,
    )
    response.headers["Location"] = f"/v1/runs/{begun.run.id}"
    if not begun.is_new:
        response.headers[REPLAYED] = "true"
    return run_out(begun.run)


@router.get("/runs/{run_id}", responses=problems(404))
async def get_one_run(run_id: EntityId, tools: Tools) -> RunOut:
    """Read a run."""
    return run_out(await get_run(tools, run_id))


@router.get(
    "/runs/{run_id}/events",
    response_class=Response,
    responses={**EVENTS, **problems(404)},
)
async def follow_run(
    run_id: EntityId,
    user_id: CurrentUser,
    request: Request,
    last_event_id: LastEventId = None,
    wire: Annotated[
        Literal["plain", "agui"], Query(description="The form of the events: ours, or AG-UI's")
    ] = "plain",
) -> Response:
    """Listen to a run from its first event, or from behind the last one that you have."""
    services = find_services(request)
    async with services.open_tools(user_id) as tools:
        run = await get_run(tools, run_id)
    after = _number(last_event_id)
    hub = find_hub(request)
    if wire == "plain":
        return stream_plain(hub.follow(user_id, run_id, after=after))
    from api.wires.agui import AguiEncoder

    encoder = AguiEncoder(thread_id=run.thread_id or run.id, run_id=run.id)
    return stream(hub.follow(user_id, run_id), encoder, after=after)


@router.post("/runs/{run_id}/cancel", responses=problems(404))
async def cancel_run(run_id: EntityId, user_id: CurrentUser, request: Request) -> RunOut:
    """Cancel a run, or the question that it waits with; one that has ended stays as it is."""
    return run_out(await find_hub(request).cancel(user_id, run_id))


@router.get("/interrupts/{interrupt_id}", responses=problems(404))
async def read_question(interrupt_id: EntityId, tools: Tools) -> QuestionOut:
    """Read what waits for your decision."""
    return question_out(await get_question(tools, interrupt_id), now=tools.now)


@router.post(
    "/interrupts/{interrupt_id}",
    responses={
        200: {"headers": REPLAYED_HEADER},
        **problems(404, 409, 413, 422, 429, 502, 504, codes=CODES),
    },
)
async def decide(
    interrupt_id: EntityId,
    body: DecisionsIn,
    user_id: CurrentUser,
    request: Request,
    response: Response,
    key: Key = None,
) -> DecidedOut:
    """Accept, edit or reject what was proposed, once; what you accept is written as a whole."""
    hub = find_hub(request)
    begun = await hub.decide(
        user_id,
        interrupt_id,
        body.by_key(),
        rest=body.rest,
        run_id=None if key is None else own_run_id(user_id, key),
    )
    if not begun.is_new:
        response.headers[REPLAYED] = "true"
    end = await wait_for_end(hub, user_id, begun.run.id)
    return DecidedOut(run_id=begun.run.id, kind=begun.run.kind, result=end.result or {})


async def wait_for_end(hub: "RunHub", user_id: str, run_id: str) -> RunFinished:
    """Return a run's last event. Raises the error that it failed with."""
    async for stored in hub.follow(user_id, run_id):
        if stored is None:
            continue
        if stored is STOPPING:
            raise Stopping("this server stops, the run goes on: send it again with the same key")
        if stored.type == "run_finished":
            event = read_event(stored.data)
            assert isinstance(event, RunFinished)
            return event
        if stored.type == "run_failed":
            failed = read_event(stored.data)
            assert isinstance(failed, RunFailed)
            error = GoalsError(failed.detail, code=failed.code, status=failed.status)
            error.retry_after = failed.retry_after
            raise error
    raise GoalsError("the run ended and its events are gone", code="NOT_FOUND", status=404)


def _number(last_event_id: str | None) -> int:
    if last_event_id is None:
        return 0
    if not last_event_id.isdecimal() or not last_event_id.isascii():
        raise InputError("Last-Event-ID must be the id of one of our events: a number")
    return int(last_event_id)
