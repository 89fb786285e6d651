"""Where the agent is asked: goals, tasks, verdicts and feedback.

No database connection is held while the model talks: the graph opens its own short transactions.
"""

from typing import Annotated, Any, Final

from fastapi import Header, Request

from agent.run import run_job
from agent.state import JobName
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
from api.deps import CurrentUser, EntityId, find_services, make_router
from api.problems import problems

MODEL_CODES: Final = {
    422: "VALIDATION, TEXT_INVALID, TOO_DEEP, LLM_REFUSED, AGENT_STEP_LIMIT, IDEMPOTENCY_MISMATCH",
    504: "LLM_TIMEOUT",
}
RESPONSES: Final = problems(404, 413, 422, 502, 504, codes=MODEL_CODES)

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


@router.post("/goals/suggest", status_code=201, responses=RESPONSES)
async def suggest_goals(
    body: SuggestIn, user_id: CurrentUser, request: Request, key: Key = None
) -> SuggestOut:
    """Propose goals that rest on what you have, and store them."""
    answer = await _run(request, user_id, job="suggest_goals", asked=as_request(body), key=key)
    return SuggestOut.model_validate(answer)


@router.post("/goals/{goal_id}/breakdown", status_code=201, responses=RESPONSES)
async def break_down_goal(
    goal_id: EntityId, body: BreakdownIn, user_id: CurrentUser, request: Request, key: Key = None
) -> BreakdownOut:
    """Break a goal down into tasks, and store them."""
    asked = as_request(body, goal_id=goal_id)
    answer = await _run(request, user_id, job="break_down_goal", asked=asked, key=key)
    return BreakdownOut.model_validate(answer)


@router.post("/tasks/{task_id}/validate", status_code=201, responses=RESPONSES)
async def validate_code(
    task_id: EntityId, body: CodeIn, user_id: CurrentUser, request: Request, key: Key = None
) -> ValidateOut:
    """Judge code as the solution of a task: by its examples, run for real, then by review."""
    asked = as_request(body, task_id=task_id)
    answer = await _run(request, user_id, job="validate_code", asked=asked, key=key)
    return ValidateOut.model_validate(answer)


@router.post("/feedback", status_code=201, responses=RESPONSES)
async def review_code(
    body: CodeIn, user_id: CurrentUser, request: Request, key: Key = None
) -> ReviewOut:
    """Get feedback on code that belongs to no task: findings with exact lines, no verdict."""
    asked = as_request(body, task_id=None)
    answer = await _run(request, user_id, job="validate_code", asked=asked, key=key)
    return ReviewOut.model_validate(answer)


async def _run(
    request: Request, user_id: str, *, job: JobName, asked: dict[str, Any], key: str | None
) -> dict[str, Any]:
    services = find_services(request)
    assert services.agent is not None, "the application was made without the agent"
    context = services.agent_context(user_id)
    return await run_job(services.agent.graph, context, job=job, request=asked, key=key)
