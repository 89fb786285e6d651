"""Text → chunks → rows, in the transaction of the change that the text belongs to.

Nothing is embedded here: a chunk whose vector nobody knows yet is found by its words at once, and
by its meaning when `tools/backfill.py` has given it one. A vector that is known follows the row as
soon as that is committed (`tools/known_vectors.py`).
"""

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from db.embeddings import Embeddings, KnownVector, StoredChunk
from tools.analysis.facts.secrets import redact
from tools.chunks import LONGEST_CHUNK, Chunk, cut_code, cut_text
from tools.context import ToolContext

if TYPE_CHECKING:
    from tools.embedders import Embedder

GOAL: Final = "goal"
TASK: Final = "task"
COURSE: Final = "course"
CODE_SNAPSHOT: Final = "code_snapshot"
AI_FEEDBACK: Final = "ai_feedback"
ENTITY_TYPES: Final = (GOAL, TASK, COURSE, CODE_SNAPSHOT, AI_FEEDBACK)
"""What is found by its text; feedback has the id of the snapshot that it is on."""


async def index_entity(tools: ToolContext, *, entity_type: str, entity_id: str, text: str) -> bool:
    """Let an entity be found by its text; return False where this very text is stored already.

    The first line of `text` is the entity's title. The embedding model is not asked.
    """
    return await _store(tools, cut_text(text), entity_type=entity_type, entity_id=entity_id)


async def index_new(tools: ToolContext, entity_type: str, texts: Mapping[str, str]) -> None:
    """Let entities that are new be found by their texts, by id: one statement for all of them."""
    chunks = {
        entity_id: _to_store(tools, cut_text(text), entity_type=entity_type, entity_id=entity_id)
        for entity_id, text in texts.items()
    }
    await Embeddings(tools.session, tools.user_id).add(entity_type, chunks, at=tools.now)


async def index_code(
    tools: ToolContext, *, snapshot_id: str, file_path: str, code: str, language: str
) -> None:
    """Let a new snapshot be found by its code without secrets: chunks may leave the machine."""
    if len(code) <= LONGEST_CHUNK:
        chunks = code_chunks(file_path, code, language)
    else:  # a second of reading and parsing would hold up every other request
        chunks = await asyncio.to_thread(code_chunks, file_path, code, language)
    stored = _to_store(tools, chunks, entity_type=CODE_SNAPSHOT, entity_id=snapshot_id)
    embeddings = Embeddings(tools.session, tools.user_id)
    await embeddings.add(CODE_SNAPSHOT, {snapshot_id: stored}, at=tools.now)


def code_chunks(file_path: str, code: str, language: str) -> list[Chunk]:
    """Return the chunks of code after its secrets were hidden, which keeps the lines' numbers."""
    return cut_code(file_path, redact(code).text, language=language)


async def forget_entities(
    tools: ToolContext, entity_type: str, entity_ids: Collection[str]
) -> None:
    """Remove entities of a type from the index."""
    if entity_ids:
        await Embeddings(tools.session, tools.user_id).delete((entity_type,), entity_ids)


async def forget_snapshots(tools: ToolContext, snapshot_ids: Collection[str]) -> None:
    """Remove snapshots and the feedback on them from the index."""
    if snapshot_ids:
        embeddings = Embeddings(tools.session, tools.user_id)
        await embeddings.delete((CODE_SNAPSHOT, AI_FEEDBACK), snapshot_ids)


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
    """Return what a short code snapshot is found by, without its secrets."""
    return _lines(file_path, redact(code).text)


def feedback_text(file_path: str, task_title: str | None, feedback: str) -> str:
    """Return what the feedback on a snapshot is found by, without secrets that it may quote."""
    title = " · ".join(part for part in (task_title, file_path) if part)
    return _lines(title, redact(feedback).text)


async def _store(
    tools: ToolContext, chunks: Sequence[Chunk], *, entity_type: str, entity_id: str
) -> bool:
    stored = _to_store(tools, chunks, entity_type=entity_type, entity_id=entity_id)
    embeddings = Embeddings(tools.session, tools.user_id)
    return await embeddings.save(entity_type, entity_id, stored, at=tools.now) > 0


def _to_store(
    tools: ToolContext, chunks: Sequence[Chunk], *, entity_type: str, entity_id: str
) -> list[StoredChunk]:
    """Return the chunks as rows; vectors that come after the transaction go to the context."""
    stored = [_stored(chunk, tools.embedder) for chunk in chunks]
    if tools.known is None:
        return stored
    tools.known.extend(
        KnownVector(entity_type, entity_id, number, chunk.content_hash, chunk.vector)
        for number, chunk in enumerate(stored)
        if chunk.vector is not None
    )
    return [replace(chunk, vector=None) for chunk in stored]


def _stored(chunk: Chunk, embedder: "Embedder") -> StoredChunk:
    return StoredChunk(
        content=chunk.content,
        content_hash=hashlib.sha256(chunk.content.encode()).hexdigest(),
        vector=embedder.remembered(chunk.content),
        model=embedder.model,
        metadata=chunk.metadata,
    )


def _lines(*parts: str | None) -> str:
    return "\n".join(part for part in parts if part)
