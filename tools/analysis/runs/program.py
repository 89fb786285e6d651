"""Run one learner's program in one sandbox session and judge its examples there."""

import builtins
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tools.analysis.examples.finder import Example
from tools.analysis.examples.literals import evaluate_literal
from tools.analysis.runs.checker import CHECKER
from tools.analysis.runs.dialect import Dialect
from tools.analysis.runs.gaps import Failure, explain
from tools.analysis.runs.program_io import judge_output

if TYPE_CHECKING:
    from pydantic_monty import MontySession

MAX_SHOWN = 400
MAX_PRINTED = 256 * 1024

Status = Literal["pass", "fail", "error", "timeout", "not_runnable"]


@dataclass(frozen=True)
class Outcome:
    """What one example showed in `runner`; `not_runnable` says nothing about the code."""

    example: Example
    status: Status
    expected: str | None
    got: str | None
    detail: str | None
    runner: str = "monty"


def make_outcome(
    example: Example,
    status: Status,
    *,
    got: str | None = None,
    detail: str | None = None,
    runner: str = "monty",
) -> Outcome:
    """Make an outcome; what was expected is the example's."""
    expected = example.expected
    if example.raises is not None:
        expected = f"raises {example.raises}"
    return Outcome(example, status, expected, _clean(got), _clean(detail), runner)


def _clean(text: str | None) -> str | None:
    """Replace what no database stores: lone surrogates and null characters."""
    if text is None:
        return None
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")


# What `input` reads, without its prompt; monty has no EOFError, which another sandbox has.
_INPUT = """
lines_NAME = LINES

def input(prompt=''):
    if not lines_NAME:
        raise EOFError('EOF when reading a line')
    return lines_NAME.pop(0)
"""


class Program:
    """One learner's program in one fresh session."""

    def __init__(self, session: "MontySession", code: str, *, dialect: Dialect | None) -> None:
        self._session = session
        self._code = code
        self._dialect = dialect
        # A name the learner's code cannot guess: it must not reach its own judge.
        self._name = secrets.token_hex(8)
        self._touched: list[str] = []
        self._feeds = 0
        self._source = ""
        self._alive = True
        self._program_name = "submission"
        self._printed = ""

    def run(self, examples: Sequence[Example], *, deadline: float) -> list[Outcome]:
        """Give outcomes in order, up to and including the first that costs the session."""
        if examples[0].kind == "io":
            return [self._run_whole(examples[0])]
        ends = [number for number, example in enumerate(examples) if example.kind == "io"]
        examples = examples[: ends[0]] if ends else examples
        self._feed(CHECKER.replace("NAME", self._name))
        wants = [self._prepare(number, example) for number, example in enumerate(examples)]
        self._source = f"<python-input-{self._feeds}>"
        failure = self._attempt(f"{self._code}\nNone\n")
        if failure is not None:
            return [self._judge_failure(example, failure, loading=True) for example in examples]
        outcomes: list[Outcome] = []
        for number, example in enumerate(examples):
            if time.monotonic() > deadline:
                break
            if not wants[number]:
                detail = "the expected value cannot be computed"
                outcomes.append(make_outcome(example, "not_runnable", detail=detail))
                continue
            outcomes.append(self._judge(number, example))
            if not self._alive:
                break
        return outcomes

    def _run_whole(self, example: Example) -> Outcome:
        """Run the program with the example's input, and judge what it prints."""
        lines = str(evaluate_literal(example.expression)).split("\n")
        lines = lines[:-1] if lines[-1] == "" else lines
        self._program_name = "__main__"
        self._feed(_INPUT.replace("NAME", self._name).replace("LINES", repr(lines)))
        self._source = f"<python-input-{self._feeds}>"
        self._printed = ""
        failure = self._attempt(f"{self._code}\nNone\n")
        touched = f"the sandbox has no {self._touched[0]}" if self._touched else None
        self._alive = False
        if failure is not None and not isinstance(failure.exception, SystemExit):
            return self._judge_failure(example, failure, loading=True)
        status, got, detail = judge_output(example, self._printed)
        if status == "fail" and touched is not None:
            status, detail = "not_runnable", touched
        return make_outcome(example, status, got=got, detail=detail)

    def _feed(self, code: str) -> object:
        from pydantic_monty import NOT_HANDLED, CollectString

        def note(*, name: str, **_: object) -> object:
            self._touched.append(name)
            return NOT_HANDLED

        self._feeds += 1
        printed = CollectString(max_bytes=MAX_PRINTED)
        try:
            return self._session.feed_run(
                code, inputs={"__name__": self._program_name}, print_callback=printed, os=note
            )
        finally:
            self._printed = printed.output

    def _attempt(self, code: str) -> Failure | None:
        from pydantic_monty import MontyError

        self._touched.clear()
        try:
            self._feed(code)
        except MontyError as error:
            failure = explain(
                error,
                self._dialect,
                source=self._source,
                touched=tuple(self._touched),
                printed=MAX_PRINTED,
            )
            self._alive = failure.survived
            return failure
        return None

    def _prepare(self, number: int, example: Example) -> bool:
        want = example.expected if example.raises is None else "None"
        return self._attempt(f"want_{self._name}_{number} = ({want})") is None

    def _judge(self, number: int, example: Example) -> Outcome:
        failure = self._attempt(f"got_{self._name} = ({example.expression})\nNone")
        if failure is not None:
            return self._judge_failure(example, failure)
        touched = tuple(self._touched)
        if example.raises is not None:
            outcome = make_outcome(example, "fail", detail="no exception was raised")
        else:
            outcome = self._judge_value(number, example)
        if outcome.status == "fail" and touched:
            detail = f"the sandbox has no {touched[0]}"
            outcome = make_outcome(example, "not_runnable", got=outcome.got, detail=detail)
        return outcome

    def _judge_value(self, number: int, example: Example) -> Outcome:
        truth = example.kind == "truth"
        got, want = f"got_{self._name}", f"want_{self._name}_{number}"
        compare = (
            f"equal_{got}, {got}, a_{got}, b_{got} = check_{self._name}({got}, {want}, {truth})"
        )
        match self._answer(f"{compare}\n(equal_{got}, a_{got}, b_{got})"):
            case (True, str(), str()):
                return make_outcome(example, "pass", got=example.expected)
            case (False, str(got_type), str(want_type)):
                shown = self._answer(f"show_{self._name}({got})")
            case _:
                return make_outcome(example, "error", detail="its value is too large to compare")
        shown = shown if isinstance(shown, str) else None
        if self._is_rounding(shown, example.expected):
            detail = "round(x, n) may differ in the sandbox by the last digit"
            return make_outcome(example, "not_runnable", got=shown, detail=detail)
        difference = f"a value of type {got_type} instead of {want_type}"
        different = got_type != want_type and not truth
        return make_outcome(example, "fail", got=shown, detail=difference if different else None)

    def _answer(self, code: str) -> object:
        """Ask the checker; a value that breaks its limits gives None and costs the session."""
        from pydantic_monty import MontyError

        try:
            return self._feed(code)
        except MontyError:
            self._alive = False
            return None

    def _judge_failure(
        self, example: Example, failure: Failure, *, loading: bool = False
    ) -> Outcome:
        if failure.status != "error" or loading or example.raises is None:
            return make_outcome(example, failure.status, detail=failure.detail)
        if _is_exception(failure.exception, example.raises):
            return make_outcome(example, "pass", got=f"raises {example.raises}")
        return make_outcome(example, "fail", got=failure.detail)

    def _is_rounding(self, shown: str | None, expected: str | None) -> bool:
        if self._dialect is None or not self._dialect.rounds or not shown or not expected:
            return False
        try:
            digits = len(expected.partition(".")[2])
            return digits > 0 and abs(float(shown) - float(expected)) < 1.5 * 10.0**-digits
        except ValueError:
            return False


def _is_exception(raised: BaseException | None, name: str) -> bool:
    """Tell whether the exception is of the class called `name` or of one below it."""
    if raised is None:
        return False
    wanted = getattr(builtins, name, None)
    if isinstance(wanted, type) and issubclass(wanted, BaseException):
        return isinstance(raised, wanted)
    return type(raised).__name__ == name
