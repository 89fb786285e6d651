"""`/v1/dismissals`, and the findings of a snapshot that become one."""

from typing import Annotated

from fastapi import Path

from api.deps import Cursor, EntityId, Limit, Tools, make_router
from api.idempotency import IDEMPOTENT
from api.problems import problems
from api.representations import CREATED_ANYWHERE
from tools import dismissals
from tools.dismissals import DismissalIn, DismissalOut, DismissalPage
from tools.texts import Fingerprint

router = make_router("/v1", tag="dismissals")

FindingId = Annotated[
    Fingerprint,
    Path(description="Fingerprint of the finding", examples=["0f3a9c5d7e1b2468"]),
]


@router.post(
    "/snapshots/{snapshot_id}/dismissals",
    status_code=201,
    responses={**CREATED_ANYWHERE},
    openapi_extra=IDEMPOTENT,
)
async def dismiss_finding(
    snapshot_id: EntityId, dismissal: DismissalIn, tools: Tools
) -> DismissalOut:
    """Dismiss a finding of a snapshot, with a reason: it is not shown any more.

    It is known again in later code by its fingerprint. To dismiss it again changes the reason.
    """
    return await dismissals.dismiss_finding(
        tools, snapshot_id, dismissal.fingerprint, dismissal.reason
    )


@router.get("/dismissals")
async def list_dismissals(tools: Tools, limit: Limit = 20, cursor: Cursor = None) -> DismissalPage:
    """List the findings that you dismissed, newest first."""
    return await dismissals.list_dismissals(tools, limit=limit, cursor=cursor)


@router.delete("/dismissals/{fingerprint}", status_code=204, responses=problems(404, 409))
async def restore_finding(fingerprint: FindingId, tools: Tools) -> None:
    """Take a dismissal back: the finding is shown again wherever it holds."""
    await dismissals.restore_finding(tools, fingerprint)
