"""The scripted tutor's side of a conversation: by rule, to try a chat without a model.

It proposes where it reads a wish, a goal's id or a status, searches where it is asked to, and
otherwise says in one sentence what it can do.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessageChunk, BaseMessage, ToolCallChunk
from langchain_core.outputs import ChatGenerationChunk

from agent.words import language_of
from db.base import new_id

_DATA: Final = re.compile(r"\s*<(data-[0-9a-f]{8})>.*</\1>\s*", re.DOTALL)
_GOAL_ID: Final = re.compile(r"\bgol_[0-9a-f]{32}\b")
_ENTITY_ID: Final = re.compile(r"\b(?:gol|tsk)_[0-9a-f]{32}\b")
_WISH: Final = re.compile(r"\b(?:aprender|metas?|quiero|learn|goals?|want)\b", re.IGNORECASE)
_SEARCH: Final = re.compile(r"\b(?:busca|buscar|encuentra|search|find)\b", re.IGNORECASE)
_DONE: Final = re.compile(
    r"\b(?:terminad[ao]|hech[ao]|completad[ao]|done|completed)\b", re.IGNORECASE
)
_TEXTS: Final = {
    "es": {
        "help": "Dime qué quieres aprender, o qué meta quieres dividir en tareas.",
        "found": "Esto es lo que encontré en tus datos: {found}",
    },
    "en": {
        "help": "Tell me what you want to learn, or which goal to break down into tasks.",
        "found": "This is what I found in your data: {found}",
    },
}


def talk_by_rule(messages: Sequence[BaseMessage]) -> Iterator[ChatGenerationChunk]:
    """Yield the tutor's turn in pieces: words, or one call of a tool; then what it cost."""
    last = messages[-1]
    asked = next(str(one.content) for one in reversed(messages) if one.type == "human")
    asked = _DATA.sub("", asked, count=1)
    texts = _TEXTS[language_of(asked)]
    call = None if last.type == "tool" else _call(asked)
    words: list[str] = []
    if call is None:
        text = texts["help"]
        if last.type == "tool":
            text = texts["found"].format(found=str(last.content)[:300])
        words = re.findall(r"\S+\s*", text)
    for word in words:
        yield _chunk(AIMessageChunk(content=word))
    if call is not None:
        yield _chunk(AIMessageChunk(content="", tool_call_chunks=[call]))
    read = sum(len(str(message.content).split()) for message in messages)
    yield _chunk(
        AIMessageChunk(
            content="",
            response_metadata={"finish_reason": "stop" if call is None else "tool_calls"},
            usage_metadata={
                "input_tokens": read,
                "output_tokens": len(words) + 1,
                "total_tokens": read + len(words) + 1,
            },
        )
    )


def _call(asked: str) -> ToolCallChunk | None:
    entity, goal = _ENTITY_ID.search(asked), _GOAL_ID.search(asked)
    if entity is not None and _DONE.search(asked):
        return _as_call("propose_status", {"id": entity[0], "status": "completed"})
    if goal is not None:
        return _as_call("propose_tasks", {"goal_id": goal[0]})
    if _SEARCH.search(asked):
        return _as_call("search_everything", {"query": asked[:200]})
    if _WISH.search(asked):
        return _as_call("propose_goals", {"wish": asked[:200], "count": 2})
    return None


def _as_call(name: str, arguments: dict[str, Any]) -> ToolCallChunk:
    return ToolCallChunk(
        name=name,
        args=json.dumps(arguments, ensure_ascii=False),
        id=new_id("run").replace("run_", "call_"),
        index=0,
        type="tool_call_chunk",
    )


def _chunk(message: AIMessageChunk) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=message)
