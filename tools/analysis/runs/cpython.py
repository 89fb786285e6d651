"""Judge examples by CPython in a box, where the first sandbox could not run the program.

The expected values stay here: what comes out of the box is only ever a value to compare, so a
program that forges its answers gains nothing over one that returns them. What a program does to
the interpreter it shares with the harness can change its own answers, and nothing else.
"""

import json
import math
import signal
import time
from collections.abc import Sequence

from tools.analysis.examples.finder import Example
from tools.analysis.examples.literals import TooLarge, evaluate_literal
from tools.analysis.runs.box import Box, BoxTimeout, find_box
from tools.analysis.runs.program import MAX_PRINTED, Outcome, Status, make_outcome
from tools.analysis.runs.program_io import judge_output
from tools.analysis.runs.values import Unreadable, is_same, read_json, read_value, show, type_name

# Measured: 14 MB of addresses at the start, 29 with most of the library; the rest is for threads.
INTERPRETER_MB = 64
_NOT_HERE = frozenset({"ModuleNotFoundError", "OSError", "EOFError"})
_LAST = frozenset({"timeout", "ended", "unreadable"})
_CPU_TIME_IS_UP = 128 + getattr(signal, "SIGXCPU", 24)


def can_run() -> bool:
    """Tell whether the box works on this machine; probed once, in about 50 ms."""
    return find_box() is not None


def run_in_box(
    code: str, examples: Sequence[Example], *, seconds: float, memory_mb: int, deadline: float
) -> list[Outcome]:
    """Run the examples in order in one program, a new one after each that broke its own.

    `seconds` bounds loading and each example, `deadline` (monotonic) all of them.
    """
    outcomes: list[Outcome] = []
    while len(outcomes) < len(examples):
        rest = examples[len(outcomes) :]
        if time.monotonic() > deadline:
            outcomes += [_outcome(one, "not_runnable", detail="no time left") for one in rest]
            break
        attempt = _Attempt(code, rest, seconds=seconds, memory_mb=memory_mb)
        outcomes += attempt.run(deadline)
    return outcomes


def _outcome(
    example: Example, status: Status, *, got: str | None = None, detail: str | None = None
) -> Outcome:
    return make_outcome(example, status, got=got, detail=detail, runner="cpython")


class _Attempt:
    """One process with the program, and the examples from one on."""

    def __init__(
        self, code: str, examples: Sequence[Example], *, seconds: float, memory_mb: int
    ) -> None:
        self._code = code
        self._io = examples[0].kind == "io"
        # A program that reads its input runs once for each example.
        ends = [n for n, one in enumerate(examples) if one.kind == "io"]
        end = 1 if self._io else (ends[0] if ends else len(examples))
        self._examples = examples[:end]
        self._seconds = seconds
        self._memory = (memory_mb + INTERPRETER_MB) * 1024 * 1024

    def run(self, deadline: float) -> list[Outcome]:
        """Give the outcomes up to and including the first that ended the process."""
        stdin = evaluate_literal(self._examples[0].expression) if self._io else ""
        try:
            with Box(
                self._job(deadline),
                stdin=str(stdin).encode("utf-8", "replace"),
                most_printed=MAX_PRINTED if self._io else 0,
            ) as box:
                return self._converse(box, deadline)
        except OSError as error:
            detail = f"the sandbox is not available: {error}"
            return [_outcome(one, "not_runnable", detail=detail) for one in self._examples]

    def _job(self, deadline: float) -> bytes:
        expressions = [(one.expression, one.kind == "truth") for one in self._examples]
        job = {
            "name": "__main__" if self._io else "submission",
            "code": self._code,
            "expressions": [] if self._io else expressions,
            "memory": self._memory,
            "cpu_seconds": math.ceil(max(deadline - time.monotonic(), 0) + self._seconds) + 1,
        }
        return json.dumps(job).encode()

    def _converse(self, box: Box, deadline: float) -> list[Outcome]:
        # The interpreter's own start is not the program's time.
        ready = box.answer(seconds=10)
        if ready != b'["ready"]':
            detail = "the sandbox is not available: " + (ready or b"").decode("utf-8", "replace")
            return [_outcome(one, "not_runnable", detail=detail[:200]) for one in self._examples]
        if self._io:
            return [self._run_whole(box)]
        loaded = self._ask(box)
        if loaded[0] != "loaded":
            return [_judge_failure(one, loaded, loading=True) for one in self._examples]
        outcomes: list[Outcome] = []
        for example in self._examples:
            if time.monotonic() > deadline:
                break
            answer = self._ask(box)
            outcomes.append(_judge(example, answer))
            if answer[0] in _LAST:
                break
        return outcomes

    def _ask(self, box: Box) -> list[object]:
        """Give the harness's next answer; one of `_LAST` where none will follow it."""
        try:
            line = box.answer(seconds=self._seconds)
            if line is not None:
                return read_json(line)
            status = box.wait_for_end(seconds=self._seconds)
        except BoxTimeout:
            return ["timeout"]
        except Unreadable:
            return ["unreadable"]
        return ["timeout"] if status == _CPU_TIME_IS_UP else ["ended", status]

    def _run_whole(self, box: Box) -> Outcome:
        (example,) = self._examples
        # A program that ends by sys.exit or by killing itself has still printed what it has.
        try:
            box.wait_for_end(seconds=self._seconds)
        except BoxTimeout:
            return _outcome(example, "timeout", detail="it did not end within the time limit")
        if box.flooded:
            detail = f"it printed more than {MAX_PRINTED // 1024} KiB"
            return _outcome(example, "error", detail=detail)
        answer = self._ask(box)
        raised = answer[1] if answer[0] == "raised" else None
        if answer[0] in _LAST or (raised is not None and "SystemExit" not in _names(raised)):
            return _judge_failure(example, answer, loading=True, reads=True)
        status, got, said = judge_output(example, box.printed.decode("utf-8", "replace"))
        return _outcome(example, status, got=got, detail=said)


def _judge(example: Example, answer: list[object]) -> Outcome:
    if answer[0] != "value":
        return _judge_failure(example, answer)
    if example.raises is not None:
        return _outcome(example, "fail", detail="no exception was raised")
    try:
        want = evaluate_literal(example.expected or "None")
        got = read_value(answer[1])
    except (TooLarge, ValueError) as error:
        if isinstance(error, Unreadable):
            return _outcome(example, "error", detail="its value cannot be read")
        return _outcome(example, "not_runnable", detail="the expected value cannot be computed")
    if answer[2:] == [want] if example.kind == "truth" else is_same(got, want):
        return _outcome(example, "pass", got=example.expected)
    names = type_name(got), type(want).__name__
    differs = names[0] != names[1] and example.kind != "truth"
    detail = f"a value of type {names[0]} instead of {names[1]}" if differs else None
    return _outcome(example, "fail", got=show(got), detail=detail)


def _judge_failure(
    example: Example, answer: list[object], *, loading: bool = False, reads: bool = False
) -> Outcome:
    """Judge an answer without a value; `reads`: the example gives the program its input."""
    match answer:
        case ["raised", list(classes), str(text), line]:
            names = _names(classes)
        case _:
            return _judge_end(example, answer)
    described = f"{names[0]}: {text}" if text else names[0]
    described += f" (line {line})" if isinstance(line, int) else ""
    if example.raises is not None and not loading:
        if example.raises in names:
            return _outcome(example, "pass", got=f"raises {example.raises}")
        if not _is_missing(names, text, reads=reads):
            return _outcome(example, "fail", got=described)
    if _is_missing(names, text, reads=reads):
        return _outcome(
            example, "not_runnable", detail=f"the sandbox does not have it: {described}"
        )
    if "MemoryError" in names:
        described = "it used more memory than allowed"
    return _outcome(example, "error", detail=described)


def _judge_end(example: Example, answer: list[object]) -> Outcome:
    match answer:
        case ["timeout"]:
            return _outcome(example, "timeout", detail="it did not end within the time limit")
        case ["ended", status]:
            detail = f"the program ended by itself, with status {status}"
        case _:
            detail = "its answer cannot be read"
    return _outcome(example, "error", detail=detail)


def _is_missing(names: list[str], text: str, *, reads: bool) -> bool:
    """Tell whether the program met the box's walls: files, network, processes, other packages."""
    if "EOFError" in names and reads:
        return False
    return not _NOT_HERE.isdisjoint(names) or "can't start new thread" in text


def _names(classes: object) -> list[str]:
    names = (
        [name[:80] for name in classes if isinstance(name, str)]
        if isinstance(classes, list)
        else []
    )
    return names or ["Exception"]
