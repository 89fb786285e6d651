"""Run examples against programs in C, C++, Java, Rust and others, built in a box.

What is expected never enters the box: a task's values are literals, which are read here, and what
a program gives comes out as JSON that is compared here. So a program that forges answers gains
nothing over one that returns the same values, and no second program is needed for what a task
expects. The price is that an expected expression which is no literal cannot be judged.
"""

import re
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from tools.analysis.examples.example import Example
from tools.analysis.examples.literals import evaluate_literal
from tools.analysis.examples.native_literals import NotRead, read_call, read_value, read_values
from tools.analysis.examples.native_values import Call, Group, Pairs
from tools.analysis.runs.box import BoxTimeout
from tools.analysis.runs.native.adapting import adapt_to_call, is_argument, read_sequence
from tools.analysis.runs.native.answers import parse_answer
from tools.analysis.runs.native.building import Built, blamed_lines, build, first_complaint
from tools.analysis.runs.native.chamber import Chamber, Job
from tools.analysis.runs.native.driver import PROGRAM, Build, Driver, NotPlanned, Tools
from tools.analysis.runs.native.judging import (
    SIGNALS,
    TIME_IS_UP,
    Attempt,
    Judge,
    describe_end,
)
from tools.analysis.runs.native.signatures import Outline, read_outline
from tools.analysis.runs.program import MAX_PRINTED, Outcome
from tools.analysis.runs.program_io import judge_output
from tools.analysis.runs.values import Unreadable

START_SECONDS: Final = 10.0
MOST_CALLS: Final = 200
# How `unchanged.py` writes that arguments are looked at after their call.
_WATCHED: Final = re.compile(
    r"\(lambda given: \((?P<name>\w+)\(\*given\), given\)\[1\]\)\(\[(?P<values>.*)\]\)", re.DOTALL
)
# By it a harness's answers are told from what a program says; one, so that builds are found again.
_MARK: Final = "@" + secrets.token_hex(12)


def run_program(
    code: str,
    examples: Sequence[Example],
    driver: Driver,
    tools: Tools,
    *,
    seconds: float,
    memory_mb: int,
) -> list[Outcome]:
    """Run the examples in order: one program for the calls, one start for each input.

    `seconds` bounds each example, twice that all calls; a new process is started after each call
    that ended its own. Building has a bound of its own.
    """
    attempts = [Attempt(one) for one in examples]
    run_attempts(code, attempts, driver, tools, seconds=seconds, memory_mb=memory_mb)
    return [one.outcome for one in attempts if one.outcome is not None]


def run_attempts(
    code: str,
    attempts: list[Attempt],
    driver: Driver,
    tools: Tools,
    *,
    seconds: float,
    memory_mb: int,
) -> None:
    """Give each attempt its outcome and, where there is one, its value; as `run_program`."""
    runner = _Run(_readable(code), driver, tools, seconds=seconds, memory_mb=memory_mb)
    runner.run(attempts)


def _readable(code: str) -> str:
    """Give the code as compilers take it: no mark at its start, no half of a character."""
    return code.removeprefix("\ufeff").encode("utf-8", "replace").decode("utf-8")


class _Run:
    def __init__(
        self, code: str, driver: Driver, tools: Tools, *, seconds: float, memory_mb: int
    ) -> None:
        self._code = code
        self._driver, self._tools = driver, tools
        self._seconds, self._memory_mb = seconds, memory_mb
        self._outline: Outline = read_outline(code, driver.language)
        self._judge = Judge(driver.language, driver.runner)

    def run(self, attempts: list[Attempt]) -> None:
        try:
            for attempt in attempts:
                self._prepare(attempt)
            calls = [one for one in attempts if one.planned is not None and one.outcome is None]
            if calls:
                self._run_calls(calls[:MOST_CALLS])
                self._judge.settle(calls[MOST_CALLS:], "not_runnable", detail="too many calls")
            inputs = [one for one in attempts if one.example.kind == "io" and not one.adapted]
            self._run_inputs([one for one in inputs if one.outcome is None])
        except OSError as error:
            reason = f"the sandbox is not available: {error}"[:200]
            self._judge.settle(attempts, "not_runnable", detail=reason)
        self._judge.settle(attempts, "not_runnable", detail="no time left")

    def _prepare(self, attempt: Attempt) -> None:
        """Read what is expected, and plan the call."""
        example, language = attempt.example, self._driver.language
        try:
            watched = _WATCHED.fullmatch(example.expression)
            if watched is not None:
                self._prepare_watch(attempt, watched)
                return
            sequence = read_sequence(example.expression)
            if sequence is not None:
                self._prepare_sequence(attempt, *sequence)
                return
            if example.kind != "io":
                call = read_call(example.expression, language)
                if example.raises is None and attempt.want is None:
                    attempt.want = read_value(example.expected or "null", language)
            else:
                adapted = self._adapt(attempt)
                if adapted is None:
                    return
                call, attempt.want = adapted
                attempt.adapted = True
            attempt.planned = self._driver.plan(call, self._outline, attempt.want)
        except (NotRead, NotPlanned) as error:
            attempt.outcome = self._judge.outcome(attempt, "not_runnable", detail=str(error))

    def _prepare_watch(self, attempt: Attempt, watched: re.Match[str]) -> None:
        """Plan a call after which its argument is looked at."""
        arguments = read_values(watched["values"], self._driver.language)
        places = [n for n, one in enumerate(arguments) if isinstance(one, list | Group | Pairs)]
        if not (self._driver.texts_change or len(places) == 1):
            raise NotPlanned("nobody tells which argument is looked at")
        place = None if self._driver.texts_change else places[0]
        attempt.want = arguments if place is None else arguments[place]
        attempt.planned = self._driver.watch(watched["name"], arguments, place, self._outline)

    def _prepare_sequence(self, attempt: Attempt, made: str, steps: Sequence[str]) -> None:
        """Plan several calls on one object."""
        language = self._driver.language
        attempt.want = read_value(attempt.example.expected or "null", language)
        calls = [read_call(step, language) for step in steps]
        wanted = evaluate_literal(attempt.example.expected or "None")
        attempt.planned = self._driver.sequence(
            read_call(made, language), calls, wanted, self._outline
        )

    def _adapt(self, attempt: Attempt) -> tuple[Call, object] | None:
        """Give an input as a call where the program is one function; None where it reads."""
        reads = self._driver.reading.search(self._code) is not None
        given = str(evaluate_literal(attempt.example.expression))
        printed = str(evaluate_literal(attempt.example.expected or "''"))
        if self._driver.is_program(self._outline) and (reads or not self._outline.functions):
            if is_argument(given, printed):
                raise NotPlanned("an input that is written as a value may be typed in many ways")
            return None
        return adapt_to_call(given, printed, self._outline, self._driver.language)

    def _run_inputs(self, attempts: list[Attempt]) -> None:
        """Build the learner's program once, and start it with each input."""
        if not attempts:
            return
        what = self._driver.program(self._code, self._outline)
        built = self._build_own(what, attempts)
        if built is None:
            return
        deadline = time.monotonic() + 4 * self._seconds
        for attempt in attempts:
            if time.monotonic() > deadline:
                return
            self._run_input(attempt, what, built)

    def _build_own(self, what: Build, attempts: list[Attempt]) -> Built | None:
        built = build(what, self._driver, self._tools)
        if built.program is not None:
            return built
        prelude = self._driver.prelude(self._code, self._outline)
        if prelude is not None and not built.late:
            again = build(
                self._driver.program(prelude, read_outline(prelude, self._driver.language)),
                self._driver,
                self._tools,
            )
            if again.program is not None:
                return again
        self._settle_broken(built, attempts)
        return None

    def _settle_broken(self, built: Built, attempts: Sequence[Attempt]) -> None:
        """Say that the learner's file does not compile, with the first message."""
        if built.late:
            self._judge.settle(attempts, "not_runnable", detail="building took too long")
            return
        complaint = first_complaint(built.said, self._name()) or first_complaint(
            built.said, self._driver.source
        )
        if complaint is None:
            detail = "it could not be built here: " + " ".join(built.said.split())[:200]
            self._judge.settle(attempts, "not_runnable", detail=detail)
            return
        certain = self._driver.is_certain(built.said)
        detail = f"it does not compile{'' if certain else ' here'}: {complaint}"
        self._judge.settle(attempts, "error" if certain else "not_runnable", detail=detail)

    def _name(self) -> str:
        files = self._driver.program(self._code, self._outline).files
        return next(iter(files))

    def _job(self, what: Build, built: Built, *arguments: str) -> Job:
        files = {PROGRAM: built.program or b""} if what.script is not None else dict(what.files)
        return Job(
            command=(*what.run, *arguments),
            limits=self._driver.limits(seconds=2 * self._seconds, memory_mb=self._memory_mb),
            files=files,
            binds=self._tools.run_binds,
            environment=self._tools.environment,
            processes=self._driver.shell,
            proc=self._driver.proc,
        )

    def _run_input(self, attempt: Attempt, what: Build, built: Built) -> None:
        stdin = str(evaluate_literal(attempt.example.expression))
        stdin += "" if stdin.endswith("\n") else "\n"
        job = self._job(what, built)
        with Chamber(job, stdin=stdin.encode("utf-8", "replace"), most_printed=MAX_PRINTED) as box:
            try:
                status = box.wait_for_end(seconds=self._seconds + self._driver.start_seconds)
            except BoxTimeout:
                self._judge.settle(
                    [attempt], "timeout", detail="it did not end within the time limit"
                )
                return
            said = box.said.decode("utf-8", "replace")
            if box.flooded:
                detail = f"it printed more than {MAX_PRINTED // 1024} KiB"
                self._judge.settle([attempt], "error", detail=detail)
            elif status in TIME_IS_UP:
                self._judge.settle([attempt], "timeout", detail="it used up its time")
            elif said.startswith("bwrap:") and not box.printed:
                detail = "it needs more memory than allowed to start"
                self._judge.settle([attempt], "not_runnable", detail=detail)
            elif status in SIGNALS:
                self._judge.settle([attempt], "error", detail=describe_end(status, said))
            else:
                printed = box.printed.decode("utf-8", "replace")
                judged, got, doubt = judge_output(attempt.example, printed)
                ended_badly = judged == "fail" and status != 0 and said.strip()
                why = describe_end(status, said) if ended_badly else doubt
                self._judge.settle([attempt], judged, got=got, detail=why)

    def _run_calls(self, attempts: list[Attempt]) -> None:
        mark = _MARK
        built, what, attempts = self._build_calls(attempts, mark)
        if built is None or what is None:
            return
        deadline = time.monotonic() + 2 * self._seconds
        start = 0
        while start < len(attempts) and time.monotonic() < deadline:
            job = self._job(what, built, str(start))
            with Chamber(job, most_printed=MAX_PRINTED) as box:
                start += self._converse(box, attempts[start:], mark=mark.encode())

    def _build_calls(
        self, attempts: list[Attempt], mark: str
    ) -> tuple[Built | None, Build | None, list[Attempt]]:
        """Build with all calls; without those that do not compile; or say what is wrong."""
        code, outline = self._code, self._outline
        for turn in range(4):
            planned = [one.planned for one in attempts if one.planned is not None]
            what = self._driver.calls(code, outline, planned, mark)
            built = build(what, self._driver, self._tools)
            if built.program is not None:
                return built, what, attempts
            if built.late:
                self._judge.settle(attempts, "not_runnable", detail="building took too long")
                return None, None, []
            blamed = self._blame(what, built, attempts)
            if turn == 0:
                alone = build(self._driver.alone(code, outline), self._driver, self._tools)
                if alone.program is None:
                    wider = self._widen(alone)
                    if wider is None:
                        self._settle_broken(alone, attempts)
                        return None, None, []
                    code, outline = wider
                    continue
            if not blamed:
                break
            self._judge.settle(
                blamed, "not_runnable", detail="the call does not compile with the program"
            )
            attempts = [one for one in attempts if one.outcome is None]
            if not attempts:
                return None, None, []
        self._judge.settle(
            attempts, "not_runnable", detail="the calls do not compile with the program"
        )
        return None, None, []

    def _widen(self, alone: Built) -> "tuple[str, Outline] | None":
        """Give the code with its platform's imports, where it compiles with them."""
        prelude = self._driver.prelude(self._code, self._outline)
        if prelude is None or alone.late:
            return None
        outline = read_outline(prelude, self._driver.language)
        again = build(self._driver.alone(prelude, outline), self._driver, self._tools)
        return (prelude, outline) if again.program is not None else None

    def _blame(self, what: Build, built: Built, attempts: list[Attempt]) -> list[Attempt]:
        """Find the calls that the compiler complains about, by their lines."""
        source = what.files[self._driver.harness].decode().split("\n")
        found = []
        for line in blamed_lines(built.said, self._driver.harness):
            text = source[line - 1] if line <= len(source) else ""
            number = re.match(r"(?:static )?(?:\w+ )+\(?(?:goals_|c|C)(\d+)\(", text.strip())
            if number is not None and int(number[1]) < len(attempts):
                found.append(attempts[int(number[1])])
        return found

    def _converse(self, box: Chamber, attempts: list[Attempt], *, mark: bytes) -> int:
        """Judge the answers of one process; give how many examples it settled."""
        said: list[bytes] = []
        ready = self._ask(box, mark, said, seconds=START_SECONDS)
        if ready != ["ready"]:
            if ready[0] == "ended" and isinstance(ready[1], int):
                detail = describe_end(ready[1], b"\n".join(said).decode("utf-8", "replace"))
            else:
                detail = "the program did not start in time"
            self._judge.settle(
                attempts, "error" if self._driver.scripted else "not_runnable", detail=detail
            )
            return len(attempts)
        for number, attempt in enumerate(attempts):
            said.clear()
            answer = self._ask(box, mark, said, seconds=self._seconds)
            text = b"\n".join(said).decode("utf-8", "replace")
            self._judge.judge(attempt, answer, text)
            if answer[0] not in ("value", "raised", "unusable"):
                return number + 1
        # One that ends by itself is waited for by its own parent; a killed one may not be.
        with suppress(BoxTimeout):
            box.wait_for_end(seconds=0.3)
        return len(attempts)

    def _ask(self, box: Chamber, mark: bytes, said: list[bytes], *, seconds: float) -> list[object]:
        """Give the next answer; `["timeout"]`, `["ended", status]` or `["unreadable"]` for none."""
        deadline = time.monotonic() + seconds
        try:
            while (line := box.answer(seconds=max(deadline - time.monotonic(), 0.0))) is not None:
                if line.startswith(mark):
                    return parse_answer(line[len(mark) :])
                said.append(line[:400])
                del said[40:]
            status = box.wait_for_end(seconds=1)
        except BoxTimeout:
            return ["timeout"]
        except Unreadable:
            return ["unreadable"]
        return ["timeout"] if status in TIME_IS_UP else ["ended", status]
