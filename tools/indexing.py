"""Text → embedding → row, in the transaction of the change that the text belongs to."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from db.embeddings import Embeddings
from tools.analysis.secrets import redact
from tools.context import ToolContext

GOAL: Final = "goal"
TASK: Final = "task"
COURSE: Final = "course"
CODE_SNAPSHOT: Final = "code_snapshot"
ENTITY_TYPES: Final = (GOAL, TASK, COURSE, CODE_SNAPSHOT)


async def index_entity(
    tools: ToolContext,
    *,
    entity_type: str,
    entity_id: str,
    text: str,
    meta: dict[str, Any] | None = None,
) -> bool:
    """Embed and store an entity's text; return False where this very text is stored already.

    The first line of `text` is the entity's title. Raises EmbeddingError.
    """
    embeddings = Embeddings(tools.session, tools.user_id)
    content_hash = hashlib.sha256(text.encode()).hexdigest()
    model = tools.embedder.model
    if await embeddings.is_current(
        entity_type, entity_id, chunk=0, content_hash=content_hash, model=model
    ):
        return False

    [vector] = await tools.embedder.embed_documents([text])
    await embeddings.upsert(
        entity_type,
        entity_id,
        chunk=0,
        content=text,
        content_hash=content_hash,
        vector=vector,
        model=model,
        meta=meta,
        at=tools.now,
    )
    return True


async def forget_entity(tools: ToolContext, *, entity_type: str, entity_id: str) -> None:
    """Remove an entity from the index."""
    await Embeddings(tools.session, tools.user_id).delete(entity_type, entity_id)


def goal_text(title: str, description: str | None, criteria: Sequence[str]) -> str:
    """Return what a goal is found by."""
    return _lines(title, description, *(f"- {criterion}" for criterion in criteria))


def task_text(title: str, description: str | None) -> str:
    """Return what a task is found by."""
    return _lines(title, description)


def course_text(title: str, description: str | None, technologies: Sequence[str]) -> str:
    """Return what a course is found by."""
    return _lines(title, description, ", ".join(technologies))


def snapshot_text(file_path: str, code: str) -> str:
    """Return what a code snapshot is found by, without its secrets: it may leave the machine."""
    return _lines(file_path, redact(code).text)


def _lines(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part)
