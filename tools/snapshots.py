"""Code snapshots: keep, read, delete. A snapshot is never changed."""

import hashlib
from typing import Final

from db.base import new_id
from db.events import CodeSubmitted, DomainEvent, TaskUpdated, UserUpdated
from db.models import CodeSnapshot
from db.snapshots import SnapshotFilter, Snapshots
from db.tasks import Tasks
from tools.code_files import KEPT_BYTES, content_of, kept_bytes
from tools.context import ToolContext
from tools.cursors import cut_page, decode_cursor
from tools.errors import NotFound
from tools.indexing import (
    AI_FEEDBACK,
    feedback_text,
    forget_snapshots,
    index_code,
    index_new,
)
from tools.quotas import require_room
from tools.schemas import SnapshotIn, SnapshotOut, SnapshotPage, SnapshotSummary, Verdict
from tools.tasks import get_task_text
from tools.versions import ANY_VERSION, IfMatch

EVERY_SNAPSHOT: Final = SnapshotFilter()


async def record_snapshot(
    tools: ToolContext, snapshot: SnapshotIn, *, verdict: Verdict | None = None
) -> SnapshotOut:
    """Keep code to the letter, with the verdict on it if there is one, and record CODE_SUBMITTED.

    Both are found by their texts from now on. The metadata get `lines_of_code` and the
    `sha256` of what was sent. Raises NotFound where the task is not the learner's, LimitReached.
    """
    await require_room(tools, "code_snapshots")
    title = None
    if snapshot.task_id is not None:
        title = (await get_task_text(tools, snapshot.task_id)).title
    return await keep_snapshot(tools, snapshot, verdict=verdict, task_title=title)


async def keep_snapshot(
    tools: ToolContext, snapshot: SnapshotIn, *, verdict: Verdict | None, task_title: str | None
) -> SnapshotOut:
    """Keep code as `record_snapshot` does, for a caller who holds its task and has found room."""
    content = content_of(snapshot.code, snapshot.code_base64)
    sha256 = hashlib.sha256(content).hexdigest()
    lines = len(snapshot.code.splitlines())
    row = CodeSnapshot(
        id=new_id("cs"),
        task_id=snapshot.task_id,
        file_path=snapshot.file_path,
        language=snapshot.language,
        code_content=snapshot.code,
        validation_passed=verdict.passed if verdict else None,
        validation_score=verdict.score if verdict else None,
        validation_feedback=verdict.feedback if verdict else None,
        issues_found=verdict.issues if verdict else None,
        meta={
            **(verdict.meta if verdict else {}),
            "lines_of_code": lines,
            "sha256": sha256,
            **kept_bytes(snapshot.code, snapshot.code_base64),
        },
        storage_path=None,
        created_at=tools.now,
    )
    await Snapshots(tools.session, tools.user_id).add(row)

    tools.record(
        CodeSubmitted(
            code_snapshot_id=row.id,
            task_id=row.task_id,
            language=row.language,
            file_path=row.file_path,
            sha256=sha256,
            lines=lines,
        )
    )
    await index_code(
        tools,
        snapshot_id=row.id,
        file_path=row.file_path,
        code=row.code_content,
        language=row.language,
    )
    if row.validation_feedback:
        text = feedback_text(row.file_path, task_title, row.validation_feedback)
        await index_new(tools, AI_FEEDBACK, {row.id: text})
    return _out(row)


async def get_snapshot(tools: ToolContext, snapshot_id: str) -> SnapshotOut:
    """Return one of the learner's snapshots with its code. Raises NotFound."""
    row = await Snapshots(tools.session, tools.user_id).get(snapshot_id)
    if row is None:
        raise no_such_snapshot()
    return _out(row)


async def list_snapshots(
    tools: ToolContext,
    *,
    limit: int = 20,
    cursor: str | None = None,
    wanted: SnapshotFilter = EVERY_SNAPSHOT,
) -> SnapshotPage:
    """Return a page of the learner's snapshots without their code, newest first.

    Raises InputError for a bad cursor.
    """
    found = await Snapshots(tools.session, tools.user_id).page(
        wanted, limit=limit + 1, after=decode_cursor(cursor)
    )
    rows, next_cursor = cut_page(found, limit=limit)
    return SnapshotPage(items=[_summary(row) for row in rows], next_cursor=next_cursor)


async def delete_snapshot(
    tools: ToolContext, snapshot_id: str, *, if_match: IfMatch = ANY_VERSION
) -> None:
    """Delete a snapshot. Raises NotFound, VersionConflict.

    The catalogue has no event for it, so TASK_UPDATED says `code_snapshots`, or USER_UPDATED for
    code without a task.
    """
    snapshots = Snapshots(tools.session, tools.user_id)
    row = await snapshots.get(snapshot_id)
    if row is None:
        raise no_such_snapshot()
    if_match.require(_out(row))
    if not await snapshots.delete(snapshot_id):
        raise no_such_snapshot()
    await forget_snapshots(tools, [snapshot_id])
    tools.record(await _deletion_event(tools, task_id=row.task_id))


def no_such_snapshot() -> NotFound:
    """Return the error for a snapshot that is missing or somebody else's."""
    return NotFound("there is no such code snapshot")


async def _deletion_event(tools: ToolContext, *, task_id: str | None) -> DomainEvent:
    task = None
    if task_id is not None:
        task = await Tasks(tools.session, tools.user_id).get(task_id)
    if task is None:
        return UserUpdated(user_id=tools.user_id, changed=("code_snapshots",))
    return TaskUpdated(task_id=task.id, title=task.title, changed=("code_snapshots",))


def _summary(row: CodeSnapshot) -> SnapshotSummary:
    return SnapshotSummary(
        id=row.id,
        user_id=row.user_id or "",
        task_id=row.task_id,
        file_path=row.file_path,
        language=row.language,
        validation_passed=row.validation_passed,
        validation_score=row.validation_score,
        validation_feedback=row.validation_feedback,
        issues_found=row.issues_found or [],
        metadata={name: value for name, value in (row.meta or {}).items() if name != KEPT_BYTES},
        created_at=row.created_at,
    )


def _out(row: CodeSnapshot) -> SnapshotOut:
    return SnapshotOut(
        **_summary(row).model_dump(),
        code_content=row.code_content,
        code_base64=(row.meta or {}).get(KEPT_BYTES),
    )
