"""A model server's answers, recorded on the wire: an eval runs without the model and a network.

`evals.wire.RecordedTransport` stands where the server's address would be, so that all of the
product's way to a model runs, streams and errors too. An answer is found by what was asked, in
canonical form, and by the case that asked; equal questions of a case are answered first in, first
out. Whatever has changed since is not found, and nothing can be judged then.
"""

import asyncio
import contextlib
import difflib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx2

from db.base import utc_now
from evals.canonical import Asked, make_asked
from evals.suite import Exchange, Json
from tools.errors import SetupError

FILE: Final = "recordings.jsonl"
DIFF_LINES: Final = 40
LIKENED: Final = 200
CLOSED: Final = frozenset({401, 403, 404})
"""What a server says to everybody who has no key, or asks for a model that it has not got."""
_LONE: Final = "surrogatepass"
"""Half of a character is text too: a hostile case may hold one."""

Live = Callable[[Json], Awaitable[Json]]
"""Asks a model: the JSON of a request that is no stream → text, tool_calls, finish_reason, tokens.

Each of `tool_calls` has a name and its arguments, as text. Raises httpx2.RequestError where the
model is away, Refused where its server has said no.
"""

_ASKER: ContextVar[str] = ContextVar("evals_asker", default="")


class NotRecorded(SetupError):
    """A question that is not in the file; the text says which is nearest and how they differ."""


class Refused(Exception):
    """What a model's server answered instead of a completion."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body


@contextlib.contextmanager
def asked_by(name: str) -> Iterator[None]:
    """Let what is asked within be asked in the name of a case; tasks begun within too."""
    token = _ASKER.set(name)
    try:
        yield
    finally:
        _ASKER.reset(token)


@dataclass(frozen=True)
class Talked:
    """One answered question of a case."""

    exchange: Exchange
    tokens: int


@dataclass
class Recordings:
    """The recorded answers of a suite, and what was asked since they were read.

    Without a `path` nothing is recorded. With `live` what is missing is asked there, at most
    `at_once` questions at a time, and written to the end of the file at once.
    """

    path: Path | None
    live: Live | None = None
    at_once: int = 6
    now: Callable[[], datetime] = utc_now
    misses: list[NotRecorded] = field(default_factory=list)
    """The questions that had no answer: the product has taken each for a model that refuses."""
    away: list[Exception] = field(default_factory=list)
    """How the live model could not be reached, or would not speak with us."""
    _entries: list[Json] = field(default_factory=list)
    _waiting: dict[tuple[str, str], deque[Json]] = field(default_factory=dict)
    _used: set[int] = field(default_factory=set)
    _talked: dict[str, list[Talked]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the file, where there is one."""
        self._turns = asyncio.Semaphore(self.at_once)
        if self.path is None or not self.path.exists():
            return
        *lines, cut = self.path.read_text(encoding="utf-8", errors=_LONE).split("\n")
        for entry in map(json.loads, lines):
            self._entries.append(entry)
            self._waiting.setdefault((entry["case"], entry["key"]), deque()).append(entry)
        if cut and self.live is not None:
            # A recording was killed while it wrote: what it had not finished is asked again.
            self._write(self._entries)

    @property
    def unused(self) -> int:
        """Return how many recorded answers nobody has asked for."""
        return len(self._entries) - len(self._used)

    def talked(self, case: str) -> Sequence[Talked]:
        """Return what was asked in a case's name, oldest first."""
        return tuple(self._talked.get(case, ()))

    async def answer(self, request: Json) -> Json:
        """Return the answer to the JSON of a request, with this run's names in it.

        Raises NotRecorded, and what `live` raises.
        """
        case, asked = _ASKER.get(), make_asked(request, now=self.now())
        waiting = self._waiting.get((case, asked.key))
        if waiting:
            entry = waiting.popleft()
        elif self.live is not None:
            entry = await self._ask(self.live, request, asked, case=case)
        else:
            miss = NotRecorded(self._describe(asked, case))
            self.misses.append(miss)
            raise miss
        self._used.add(id(entry))
        answer = _present(entry["answer"], asked)
        turn = len(self._talked.get(case, ()))
        for number, call in enumerate(answer["tool_calls"]):
            call["id"] = f"call_{asked.key[:16]}_{turn}_{number}"
        tokens = answer["input_tokens"] + answer["output_tokens"]
        exchange = Exchange(prompt=_prompt(asked.request), answer=_said(entry["answer"]))
        talked = Talked(exchange, tokens)
        self._talked.setdefault(case, []).append(talked)
        return answer

    def save(self) -> None:
        """Write what was used, in order of cases and keys; what nobody asked for is gone."""
        if self.path is None:
            return
        used = [entry for entry in self._entries if id(entry) in self._used]
        used.sort(key=lambda entry: (entry["case"], entry["key"]))
        self._write(used)
        self._entries = used

    def _write(self, entries: Iterable[Json]) -> None:
        assert self.path is not None, "there is a file"
        self.path.write_text("".join(map(_line, entries)), encoding="utf-8", errors=_LONE)

    async def _ask(self, live: Live, request: Json, asked: Asked, *, case: str) -> Json:
        whole = {key: value for key, value in request.items() if not key.startswith("stream")}
        async with self._turns:
            try:
                said = await live(whole)
            except httpx2.RequestError as error:
                self.away.append(error)
                raise
            except Refused as refused:
                if refused.status in CLOSED:
                    self.away.append(refused)
                raise
        entry = {
            "case": case,
            "key": asked.key,
            "request": asked.request,
            "answer": _canonical(said, asked),
        }
        self._entries.append(entry)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8", errors=_LONE) as file:
                file.write(_line(entry))
        return entry

    def _describe(self, asked: Asked, case: str) -> str:
        """Say what is missing, beside the recorded request that is most like it."""
        wanted = _lines(asked.request)
        of_case = [entry for entry in self._entries if entry["case"] == case]
        nearest = max(
            (of_case or self._entries)[:LIKENED],
            key=lambda entry: difflib.SequenceMatcher(
                None, wanted, _lines(entry["request"]), autojunk=False
            ).ratio(),
            default=None,
        )
        told = f"{case or 'a question'} asks the model what is not recorded ({asked.key[:12]}): "
        if nearest is None:
            return told + "nothing is recorded; run the suite once with --model local --record"
        if nearest["key"] == asked.key:
            return told + f"its {self._times(nearest)} recorded answers have all been given"
        diff = [
            line.rstrip("\n")
            for line in difflib.unified_diff(
                _lines(nearest["request"]), wanted, "recorded", "asked", n=1
            )
        ]
        rest = [f"… {len(diff) - DIFF_LINES} lines more"] if len(diff) > DIFF_LINES else []
        return "\n".join(
            [
                told + f"nearest is {nearest['key'][:12]} of {nearest['case'] or 'no case'}",
                *diff[:DIFF_LINES],
                *rest,
            ]
        )

    def _times(self, entry: Json) -> int:
        return sum(
            (one["case"], one["key"]) == (entry["case"], entry["key"]) for one in self._entries
        )


def _canonical(answer: Json, asked: Asked) -> Json:
    return _with_texts(answer, asked.canonical_text)


def _present(answer: Json, asked: Asked) -> Json:
    return _with_texts(answer, asked.present_text)


def _with_texts(answer: Json, change: Callable[[str], str]) -> Json:
    calls = [
        {"name": call["name"], "arguments": change(call["arguments"])}
        for call in answer["tool_calls"]
    ]
    return {**answer, "text": change(answer["text"]), "tool_calls": calls}


def _line(entry: Json) -> str:
    return json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n"


def _lines(request: Json) -> list[str]:
    """Return a canonical request as lines to compare: its texts as they read."""
    lines: list[str] = []
    for name, value in request.items():
        if name == "messages":
            continue
        pretty = json.dumps(value, ensure_ascii=False, indent=1)
        lines += [f"{name}: {pretty}"] if "\n" not in pretty else [f"{name}:", *pretty.split("\n")]
    for message in request.get("messages", ()):
        lines += _message_lines(message)
    return lines


def _message_lines(message: Json) -> Iterable[str]:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    calls = [json.dumps(call, ensure_ascii=False) for call in message.get("tool_calls") or ()]
    return [f"[{message.get('role')}]", *text.splitlines(), *calls]


def _prompt(request: Json) -> str:
    return "\n".join(
        line for message in request.get("messages", ()) for line in _message_lines(message)
    )


def _said(answer: Json) -> str:
    calls = [f"{call['name']}({call['arguments']})" for call in answer["tool_calls"]]
    end = [] if answer["finish_reason"] in {"stop", "tool_calls"} else [answer["finish_reason"]]
    return "\n".join([*filter(None, [answer["text"]]), *calls, *(f"[{why}]" for why in end)])
