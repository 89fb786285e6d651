"""The runs of programs in boxes, recorded: a machine without bubblewrap sees the same.

What monty, V8 and SQLite run inside Python runs for real, everywhere. One JSON object a line, found
by the program, its language and the examples; `why_not` lines say what cannot be run at all.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from threading import Lock
from typing import Final

from evals.canonical import without_names
from evals.recordings import NotRecorded
from evals.suite import Json, Model
from tools.analysis.examples.example import Example
from tools.analysis.facts.analyzers import patience
from tools.analysis.facts.external import hidden
from tools.analysis.runs.boxes import Boxes, OwnBoxes, stand_in
from tools.analysis.runs.program import Outcome, make_outcome
from tools.errors import SetupError

FILE: Final = "runs.jsonl"
PATIENCE: Final = 20.0
"""Seconds for analyzers: one that is late for the load says nothing about the product."""


@contextmanager
def same_everywhere(model: Model, fixtures: Path) -> Iterator[None]:
    """Let code have the same evidence on every machine: no oxlint, and the recorded boxes.

    A live model writes programs of its own: they run in this machine's. Raises SetupError where
    runs are to be recorded and nothing can run.
    """
    with hidden("oxlint"), patience(PATIENCE), _recorded_boxes(model, fixtures):
        yield


@contextmanager
def _recorded_boxes(model: Model, fixtures: Path) -> Iterator[None]:
    recordings = model.recordings
    live = recordings is not None and recordings.live is not None
    if recordings is None or (live and recordings.path is None):
        yield
        return
    if live and (why := OwnBoxes().why_not("python")):
        raise SetupError(f"runs cannot be recorded: {why}")
    boxes = RecordedBoxes(
        fixtures / FILE, missed=recordings.misses.append, live=OwnBoxes() if live else None
    )
    with stand_in(boxes):
        yield
    if live:
        boxes.save()


class RecordedBoxes:
    """Answers from `path`; `live` boxes run what is missing, which is added to the file's end.

    `missed` is told of each run that is not there; its examples are then not runnable.
    """

    def __init__(
        self, path: Path, *, missed: Callable[[NotRecorded], None], live: Boxes | None = None
    ) -> None:
        """Read the file, where there is one."""
        self._path = path
        self._live = live
        self._missed = missed
        self._adding = Lock()
        self._used: set[str] = set()
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._entries: dict[str, Json] = {entry["key"]: entry for entry in map(json.loads, lines)}

    def why_not(self, language: str) -> str | None:
        """Return what the machine said that recorded."""
        key = f"why_not:{language}"
        live = self._live
        entry = self._find(
            key,
            None if live is None else lambda: {"why_not": live.why_not(language)},
        )
        if entry is None:
            return "not recorded"
        said: str | None = entry["why_not"]
        return said

    def run_python(
        self,
        code: str,
        examples: Sequence[Example],
        *,
        seconds: float,
        memory_mb: int,
        deadline: float,
    ) -> list[Outcome]:
        """Return the recorded outcomes."""
        live = self._live
        return self._outcomes(
            "python",
            code,
            examples,
            None
            if live is None
            else lambda: live.run_python(
                code, examples, seconds=seconds, memory_mb=memory_mb, deadline=deadline
            ),
        )

    def run_native(
        self,
        code: str,
        language: str,
        examples: Sequence[Example],
        *,
        seconds: float,
        memory_mb: int,
    ) -> list[Outcome]:
        """Return the recorded outcomes."""
        live = self._live
        return self._outcomes(
            language,
            code,
            examples,
            None
            if live is None
            else lambda: live.run_native(
                code, language, examples, seconds=seconds, memory_mb=memory_mb
            ),
        )

    def save(self) -> None:
        """Write what was used, in order of keys; what nobody has run is gone."""
        self._entries = {key: self._entries[key] for key in sorted(self._used)}
        self._path.write_text("".join(map(_line, self._entries.values())), encoding="utf-8")

    def _outcomes(
        self,
        language: str,
        code: str,
        examples: Sequence[Example],
        run: Callable[[], list[Outcome]] | None,
    ) -> list[Outcome]:
        asked = without_names(json.dumps([language, code, [astuple(one)[:4] for one in examples]]))
        key = f"{language}:{hashlib.sha256(asked.encode()).hexdigest()}"
        entry = self._find(
            key, None if run is None else lambda: {"outcomes": list(map(_told, run()))}
        )
        if entry is None:
            return [make_outcome(one, "not_runnable", detail="not recorded") for one in examples]
        return [
            _outcome(example, told)
            for example, told in zip(examples, entry["outcomes"], strict=True)
        ]

    def _find(self, key: str, ask: Callable[[], Json] | None) -> Json | None:
        self._used.add(key)
        if key not in self._entries:
            if ask is None:
                self._missed(NotRecorded(f"a run that is not recorded: {key}"))
                return None
            self._keep({"key": key, **ask()})
        return self._entries[key]

    def _keep(self, entry: Json) -> None:
        with self._adding:
            self._entries[entry["key"]] = entry
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line(entry))


def _told(outcome: Outcome) -> Json:
    """Return an outcome without what its example says already."""
    plain = make_outcome(outcome.example, outcome.status)
    told: Json = {"status": outcome.status, "runner": outcome.runner}
    for name in ("expected", "got", "detail"):
        if getattr(outcome, name) != getattr(plain, name):
            told[name] = getattr(outcome, name)
    return told


def _outcome(example: Example, told: Json) -> Outcome:
    return replace(make_outcome(example, told["status"]), **told)


def _line(entry: Json) -> str:
    return json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n"
