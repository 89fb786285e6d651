"""Where the agent is asked: goals, tasks, verdicts and feedback.

No database connection is held while the model talks: the graph opens its own short transactions.
"""

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Header, Query, Request, Response
from pydantic import BaseModel

from api.agent_schemas import (
    BreakdownIn,
    BreakdownOut,
    CodeIn,
    ReviewOut,
    SuggestIn,
    SuggestOut,
    ValidateOut,
    as_request,
)
from api.deps import EntityId, ModelUser, find_services, make_router
from api.problems import problems
from api.run_schemas import ProposalOut
from api.sarif import MEDIA_TYPE, prefers_sarif, to_sarif

if TYPE_CHECKING:
    from agent.state import JobName

MODEL_CODES: Final = {
    422: "VALIDATION, TEXT_INVALID, TOO_DEEP, LLM_REFUSED, AGENT_STEP_LIMIT, IDEMPOTENCY_MISMATCH",
    504: "LLM_TIMEOUT",
}
RESPONSES: Final = problems(404, 413, 422, 429, 502, 504, codes=MODEL_CODES)
_SARIF: Final = {
    MEDIA_TYPE: {"schema": {"type": "object", "description": "SARIF 2.1.0", "title": "SarifLog"}}
}
CODE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    **RESPONSES,
    201: {
        "description": "The answer of `mode` full, and what it stored. "
        "`Accept: application/sarif+json` gives it as SARIF 2.1.0",
        "content": _SARIF,
    },
}
PROPOSAL_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    **RESPONSES,
    200: {
        "model": ProposalOut,
        "description": "With `review`: what was proposed, and the question that waits for you",
    },
}
FACTS_ONLY: Final = "The answer of `mode` facts: nothing was stored. Also as SARIF"

router = make_router("/v1", tag="agent")

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key and body give the first answer again, and write nothing twice",
    ),
]


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
    key: Key = None,
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
    responses={**PROPOSAL_RESPONSES, **problems(409)},
)
async def break_down_goal(
    goal_id: EntityId,
    body: BreakdownIn,
    user_id: ModelUser,
    request: Request,
    key: Key = None,
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
    return _answer_in_kind(request, ValidateOut.model_validate(answer), body)


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
    return _answer_in_kind(request, ReviewOut.model_validate(answer), body)


async def _run(
    request: Request, user_id: str, *, job: "JobName", asked: dict[str, Any], key: str | None
) -> dict[str, Any]:
    from agent.run import run_job

    services = find_services(request)
    assert services.agent is not None, "the application was made without the agent"
    context = services.agent_context(user_id)
    return await run_job(services.agent.graph, context, job=job, request=asked, key=key)


async def _judge(
    request: Request, user_id: str, *, body: CodeIn, task_id: str | None, key: str | None
) -> dict[str, Any]:
    from agent.facts_only import check_facts

    asked = as_request(body, task_id=task_id)
    if body.mode == "full":
        return await _run(request, user_id, job="validate_code", asked=asked, key=key)
    services = find_services(request)
    return await check_facts(partial(services.open_tools, user_id), asked)


def _stored_or_proposed(stored: type[BaseModel], answer: dict[str, Any]) -> Response:
    """Return what was stored, or with 200 what waits for a decision."""
    proposed = "interrupt_id" in answer
    shape = ProposalOut if proposed else stored
    return Response(
        shape.model_validate(answer).model_dump_json(),
        status_code=200 if proposed else 201,
        media_type="application/json",
    )


def _answer_in_kind(request: Request, answer: ReviewOut, body: CodeIn) -> Response:
    """Return the answer as the caller can read it; 200 says that nothing was created."""
    content, media_type = answer.model_dump_json(), "application/json"
    if prefers_sarif(",".join(request.headers.getlist("accept"))):
        version: str = request.app.version
        log = to_sarif(answer.model_dump(), file_path=body.file_path, version=version)
        content, media_type = json.dumps(log), MEDIA_TYPE
    return Response(
        content,
        status_code=200 if answer.mode == "facts" else 201,
        headers={"Vary": "Accept"},
        media_type=media_type,
    )
