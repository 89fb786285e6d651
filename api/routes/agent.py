"""Where the agent is asked: goals, tasks, verdicts and feedback.

No database connection is held while the model talks: the graph opens its own short transactions.
"""

import json
import uuid
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Header, Query, Request, Response
from pydantic import BaseModel

from api.agent_schemas import (
    BreakdownIn,
    BreakdownOut,
    CodeIn,
    ReviewOut,
    StatusIn,
    SuggestIn,
    SuggestOut,
    ValidateOut,
    as_request,
)
from api.deps import CurrentUser, EntityId, ModelUser, find_services, make_router
from api.idempotency import HEADER, IN_PROGRESS, MISMATCH, REPLAYED, REPLAYED_HEADER, SYNTAX
from api.problems import problems
from api.run_schemas import ProposalOut
from api.sarif import MEDIA_TYPE, prefers_sarif, to_sarif
from db.in_flight import UnderWay
from db.operations import Operations, make_operation_id, request_hash
from tools.errors import Conflict, InputError
from tools.versions import as_stored

if TYPE_CHECKING:
    from agent.context import AgentContext
    from agent.run import Answer
    from agent.state import JobName
    from api.bootstrap import Services

MODEL_CODES: Final = {
    409: "IDEMPOTENCY_IN_PROGRESS, CONFLICT_VERSION or LIMIT_REACHED",
    422: "VALIDATION, TEXT_INVALID, TOO_DEEP, LLM_REFUSED, AGENT_STEP_LIMIT, IDEMPOTENCY_MISMATCH",
    504: "LLM_TIMEOUT",
}
RESPONSES: Final = problems(404, 409, 413, 422, 429, 502, 504, codes=MODEL_CODES)
_SARIF: Final = {
    MEDIA_TYPE: {"schema": {"type": "object", "description": "SARIF 2.1.0", "title": "SarifLog"}}
}
CODE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    **RESPONSES,
    201: {
        "description": "The answer of `mode` full, and what it stored. "
        "`Accept: application/sarif+json` gives it as SARIF 2.1.0",
        "content": _SARIF,
        "headers": REPLAYED_HEADER,
    },
}
PROPOSAL_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    **RESPONSES,
    201: {"headers": REPLAYED_HEADER},
    200: {
        "model": ProposalOut,
        "description": "With `review`: what was proposed, and the question that waits for you",
    },
}
FACTS_ONLY: Final = "The answer of `mode` facts: nothing was stored. Also as SARIF"

router = make_router("/v1", tag="agent")

_KEY: Final = Header(
    alias=HEADER,
    pattern=SYNTAX,
    min_length=1,
    max_length=255,
    description="Your own name of this request, kept for a day: the same name and body again give "
    "the first answer, and no model is asked; 409 while the first request is under way",
)
Key = Annotated[str | None, _KEY]
RequiredKey = Annotated[str, _KEY]
"""Where tokens are spent: a request that is sent again must not spend them twice."""

Review = Annotated[
    bool,
    Query(description="Store nothing: decide on each item with `POST /v1/interrupts/{id}`"),
]


@router.post(
    "/goals/suggest", status_code=201, response_model=SuggestOut, responses=PROPOSAL_RESPONSES
)
async def suggest_goals(
    body: SuggestIn,
    user_id: ModelUser,
    request: Request,
    key: RequiredKey,
    review: Review = False,
) -> Response:
    """Propose goals that rest on what you have, and store them; or, with `review`, only propose."""
    asked = as_request(body, **({"review": True} if review else {}))
    answer = await _run(request, user_id, job="suggest_goals", asked=asked, key=key)
    return _stored_or_proposed(SuggestOut, answer)


@router.post(
    "/goals/{goal_id}/breakdown",
    status_code=201,
    response_model=BreakdownOut,
    responses=PROPOSAL_RESPONSES,
)
async def break_down_goal(
    goal_id: EntityId,
    body: BreakdownIn,
    user_id: ModelUser,
    request: Request,
    key: RequiredKey,
    review: Review = False,
) -> Response:
    """Break a goal down into tasks, and store them; or, with `review`, only propose.

    Again on the same goal it changes the plan: what you have done, begun or edited stays.
    """
    asked = as_request(body, goal_id=goal_id, **({"review": True} if review else {}))
    answer = await _run(request, user_id, job="break_down_goal", asked=asked, key=key)
    return _stored_or_proposed(BreakdownOut, answer)


@router.post(
    "/tasks/{task_id}/validate",
    status_code=201,
    response_model=ValidateOut,
    responses={
        **CODE_RESPONSES,
        200: {"model": ValidateOut, "description": FACTS_ONLY, "content": _SARIF},
    },
)
async def validate_code(
    task_id: EntityId, body: CodeIn, user_id: ModelUser, request: Request, key: Key = None
) -> Response:
    """Judge code as the solution of a task: by its examples, run for real, then by review."""
    answer = await _judge(request, user_id, body=body, task_id=task_id, key=key)
    return _answer_in_kind(request, ValidateOut, answer, body)


@router.post(
    "/feedback",
    status_code=201,
    response_model=ReviewOut,
    responses={
        **CODE_RESPONSES,
        200: {"model": ReviewOut, "description": FACTS_ONLY, "content": _SARIF},
    },
)
async def review_code(
    body: CodeIn, user_id: ModelUser, request: Request, key: Key = None
) -> Response:
    """Get feedback on code that belongs to no task: findings with exact lines, no verdict."""
    answer = await _judge(request, user_id, body=body, task_id=None, key=key)
    return _answer_in_kind(request, ReviewOut, answer, body)


@router.post("/proposals", response_model=ProposalOut, responses=problems(404, 409, 413))
async def propose_status(
    body: StatusIn, user_id: CurrentUser, request: Request, key: Key = None
) -> Response:
    """Propose a change of status, by no model: decide with `POST /v1/interrupts/{id}`."""
    asked = as_request(body, review=True)
    answer = await _run(
        request, user_id, job="change_status", asked=asked, key=key or uuid.uuid4().hex
    )
    return _stored_or_proposed(ProposalOut, answer)


async def _run(
    request: Request, user_id: str, *, job: "JobName", asked: dict[str, Any], key: str
) -> "Answer":
    from agent.run import answer_job

    services = find_services(request)
    assert services.agent is not None, "the application was made without the agent"
    context = services.agent_context(user_id)
    async with AsyncExitStack() as stack:
        if services.hub is not None:
            held = services.hub.in_flight.hold(make_operation_id(user_id, job, key))
            try:
                await stack.enter_async_context(held)
            except UnderWay as error:
                raise Conflict(IN_PROGRESS, code="IDEMPOTENCY_IN_PROGRESS") from error
        if asked.get("review"):
            return await _propose_once(services, context, job=job, asked=asked, key=key)
        return await answer_job(services.agent.graph, context, job=job, request=asked, key=key)


async def _propose_once(
    services: "Services",
    context: "AgentContext",
    *,
    job: "JobName",
    asked: dict[str, Any],
    key: str,
) -> "Answer":
    """Return what is proposed, the same for the same key, whatever was decided meanwhile."""
    from agent.run import Answer, answer_job

    assert services.agent is not None, "the application was made without the agent"
    kept_as = make_operation_id(context.user_id, f"{job} review", key)
    hashed = request_hash(asked)
    async with context.open_tools() as tools:
        done = await Operations(tools.session, tools.user_id).find(kept_as)
    if done is not None and done.request_hash != hashed:
        raise Conflict(MISMATCH, code="IDEMPOTENCY_MISMATCH", status=422)
    if done is not None:
        return Answer(done.result, is_repeated=True)
    answer = await answer_job(services.agent.graph, context, job=job, request=asked, key=key)
    if "interrupt_id" in answer.result:
        async with context.open_tools() as tools:
            await Operations(tools.session, tools.user_id).keep(
                kept_as,
                kind=f"POST {job} review",
                request_hash=hashed,
                result=answer.result,
                at=tools.now,
            )
    return answer


async def _judge(
    request: Request, user_id: str, *, body: CodeIn, task_id: str | None, key: str | None
) -> "Answer":
    from agent.facts_only import check_facts
    from agent.run import Answer

    asked = as_request(body, task_id=task_id)
    services = find_services(request)
    if body.mode == "facts":
        found = await check_facts(partial(services.open_tools, user_id), asked)
        return Answer(found, is_repeated=False)
    if key is None:
        raise InputError("send an Idempotency-Key: `mode` full asks a model")
    return await _run(request, user_id, job="validate_code", asked=asked, key=key)


def _stored_or_proposed(stored: type[BaseModel], answer: "Answer") -> Response:
    """Return what was stored, or with 200 what waits for a decision."""
    proposed = "interrupt_id" in answer.result
    shape = ProposalOut if proposed else stored
    return Response(
        shape.model_validate(as_stored(answer.result)).model_dump_json(),
        status_code=200 if proposed else 201,
        headers=_replayed(answer),
        media_type="application/json",
    )


def _answer_in_kind(
    request: Request, shape: type[ReviewOut], found: "Answer", body: CodeIn
) -> Response:
    """Return the answer as the caller can read it; 200 says that nothing was created."""
    answer = shape.model_validate(as_stored(found.result))
    content, media_type = answer.model_dump_json(), "application/json"
    if prefers_sarif(",".join(request.headers.getlist("accept"))):
        version: str = request.app.version
        log = to_sarif(answer.model_dump(), file_path=body.file_path, version=version)
        content, media_type = json.dumps(log), MEDIA_TYPE
    return Response(
        content,
        status_code=200 if answer.mode == "facts" else 201,
        headers={"Vary": "Accept", **_replayed(found)},
        media_type=media_type,
    )


def _replayed(answer: "Answer") -> dict[str, str]:
    return {REPLAYED: "true"} if answer.is_repeated else {}
