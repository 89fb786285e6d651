"""Dismissed findings: what a learner does not want to be told again, and why.

A finding is known by its fingerprint, its rule and the code it is about, in whatever snapshot it
comes back. The catalogue has no event for a dismissal, so USER_UPDATED says `dismissed_findings`.
"""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from db.base import new_id
from db.dismissals import Dismissals
from db.events import UserUpdated
from db.models import DismissedFinding
from db.snapshots import Snapshots
from tools.context import ToolContext
from tools.cursors import cut_page, decode_cursor
from tools.errors import NotFound
from tools.snapshots import no_such_snapshot
from tools.texts import Fingerprint, Reason

MAX_RULE: Final = 200


class DismissalIn(BaseModel):
    """A finding of a snapshot that need not be shown any more, and the learner's reason."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {"fingerprint": "0f3a9c5d7e1b2468", "reason": "Es a propósito: lo pide el curso."},
                {"fingerprint": "0f3a9c5d7e1b2468", "reason": "The input is never empty here."},
            ]
        },
    )

    fingerprint: Fingerprint
    reason: Reason


class DismissalOut(BaseModel):
    """A dismissed finding; `code_snapshot_id` is where it was seen, null once that is deleted."""

    model_config = ConfigDict(frozen=True)

    id: str
    fingerprint: str
    rule: str
    reason: str
    code_snapshot_id: str | None
    created_at: datetime


class DismissalPage(BaseModel):
    """Dismissed findings, newest first; `next_cursor` is null at the end."""

    model_config = ConfigDict(frozen=True)

    items: list[DismissalOut]
    next_cursor: str | None


async def dismiss_finding(
    tools: ToolContext, snapshot_id: str, fingerprint: str, reason: str
) -> DismissalOut:
    """Dismiss a finding of one of the learner's snapshots; a second time changes the reason.

    Raises NotFound where the snapshot is not the learner's own or has no such finding.
    """
    snapshot = await Snapshots(tools.session, tools.user_id).get(snapshot_id)
    if snapshot is None:
        raise no_such_snapshot()
    issue = _find_issue(snapshot.issues_found, fingerprint)
    if issue is None:
        raise NotFound("there is no such finding in this snapshot")
    dismissals = Dismissals(tools.session, tools.user_id)
    known = await dismissals.get(fingerprint)
    if known is not None and (known.reason, known.code_snapshot_id) == (reason, snapshot_id):
        return _out(known)

    row = await dismissals.put(
        DismissedFinding(
            id=new_id("dsm"),
            fingerprint=fingerprint,
            rule=str(issue.get("rule") or issue.get("kind") or "")[:MAX_RULE],
            reason=reason,
            code_snapshot_id=snapshot_id,
            created_at=tools.now,
        )
    )
    _record(tools)
    return _out(row)


async def list_dismissals(
    tools: ToolContext, *, limit: int = 20, cursor: str | None = None
) -> DismissalPage:
    """Return a page of the learner's dismissals, newest first.

    Raises InputError for a bad cursor.
    """
    found = await Dismissals(tools.session, tools.user_id).page(
        limit=limit + 1, after=decode_cursor(cursor)
    )
    rows, next_cursor = cut_page(found, limit=limit)
    return DismissalPage(items=[_out(row) for row in rows], next_cursor=next_cursor)


async def restore_finding(tools: ToolContext, fingerprint: str) -> None:
    """Let a dismissed finding be shown again. Raises NotFound."""
    if not await Dismissals(tools.session, tools.user_id).delete(fingerprint):
        raise NotFound("there is no such dismissed finding")
    _record(tools)


def _find_issue(issues: list[Any] | None, fingerprint: str) -> dict[str, Any] | None:
    for issue in issues or []:
        if isinstance(issue, dict) and issue.get("fingerprint") == fingerprint:
            return issue
    return None


def _record(tools: ToolContext) -> None:
    tools.record(UserUpdated(user_id=tools.user_id, changed=("dismissed_findings",)))


def _out(row: DismissedFinding) -> DismissalOut:
    return DismissalOut(
        id=row.id,
        fingerprint=row.fingerprint,
        rule=row.rule,
        reason=row.reason,
        code_snapshot_id=row.code_snapshot_id,
        created_at=row.created_at,
    )
