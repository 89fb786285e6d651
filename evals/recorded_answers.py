"""A chat model's answers, recorded: an eval runs without the model, its minutes and its network.

An answer is found by what was asked: the messages (but for the fence, which is new each time), the
shape, the sampling. Whatever has changed since is not found, and the eval fails: an old recording
cannot pass for the new prompt's answer.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import ConfigDict, PrivateAttr

from agent.scripted import as_chat_result
from tools.errors import SetupError

_FENCE: Final = re.compile(r"\bdata-[0-9a-f]{8}\b")


class NotRecorded(SetupError):
    """A question that is not in the file; the text says how to record it."""


class RecordedModel(BaseChatModel):
    """Answers from `path`; with a `live` model it asks that one for what is missing, and keeps it.

    A file has one JSON object a line; what is new is added to its end at once, `save` sorts it by
    key. `at_once` bounds the questions that the live model has at a time.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    path: Path
    live: BaseChatModel | None = None
    at_once: int = 6
    _turns: asyncio.Semaphore = PrivateAttr()
    _answers: dict[str, dict[str, Any]] = PrivateAttr(default_factory=dict)
    _used: set[str] = PrivateAttr(default_factory=set)

    def model_post_init(self, _context: Any) -> None:
        """Read the file, where there is one."""
        self._turns = asyncio.Semaphore(self.at_once)
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines()
            self._answers = {entry["key"]: entry for entry in map(json.loads, lines)}

    @property
    def unused(self) -> frozenset[str]:
        """Return the keys of the answers that nobody has asked for since this was made."""
        return frozenset(self._answers) - self._used

    def save(self, *, without: frozenset[str] = frozenset()) -> None:
        """Write the file anew, without some answers."""
        kept = sorted(set(self._answers) - without)
        lines = (json.dumps(self._answers[key], ensure_ascii=False, sort_keys=True) for key in kept)
        self.path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result(self._find(_key(messages, kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        key = _key(messages, kwargs)
        if self.live is not None and key not in self._answers:
            async with self._turns:
                said: Any = await self.live.ainvoke(messages, **kwargs)
            self._keep(key, said)
        return _result(self._find(key))

    def _keep(self, key: str, said: Any) -> None:
        counted = said.usage_metadata or {}
        entry = {
            "key": key,
            "text": said.text,
            "finish_reason": said.response_metadata.get("finish_reason"),
            "input_tokens": counted.get("input_tokens", 0),
            "output_tokens": counted.get("output_tokens", 0),
        }
        self._answers[key] = entry
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n")

    def _find(self, key: str) -> dict[str, Any]:
        if key not in self._answers:
            raise NotRecorded(
                "a question to the model has changed since its answers were recorded: "
                "run the suite once with --record"
            )
        self._used.add(key)
        return self._answers[key]


def _key(messages: Sequence[BaseMessage], asked: dict[str, Any]) -> str:
    said = [(message.type, _FENCE.sub("data-00000000", message.text)) for message in messages]
    body = json.dumps([said, asked], ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(body.encode()).hexdigest()[:24]


def _result(entry: dict[str, Any]) -> ChatResult:
    return as_chat_result(
        entry["text"],
        input_tokens=entry["input_tokens"],
        output_tokens=entry["output_tokens"],
        finish_reason=entry["finish_reason"],
    )
