"""Run examples against learners' programs, away from this process, in what suits them.

Python runs in pydantic-monty's worker processes, which offer no files, no network, no environment
and no sleep, under hard limits of time and memory. What monty cannot run as CPython would goes to
CPython under bubblewrap, where that works. JavaScript and TypeScript run in V8. Programs in other
languages are built and run under bubblewrap by the tools that this machine has, queries by SQLite.
What nothing here can run is `not_runnable`: never a pass, never a fail.
"""

import asyncio
import atexit
import functools
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tools.analysis.examples.finder import Example
from tools.analysis.runs import v8
from tools.analysis.runs.boxes import boxes
from tools.analysis.runs.dialect import read_dialect
from tools.analysis.runs.program import MAX_SHOWN, Outcome, Program, Status, make_outcome
from tools.analysis.runs.program_io import adapt_to_program
from tools.analysis.syntax import normalise_language

if TYPE_CHECKING:
    from pydantic_monty import Monty, MontySession

__all__ = ["Outcome", "RunReport", "Status", "close_sandbox", "run_examples"]

MAX_CODE = 200_000
WAIT_FOR_WORKER = 10.0
# monty is slower than CPython and lacks some of it: its errors and time-outs may be its own.
_ASK_CPYTHON = frozenset({"not_runnable", "error", "timeout"})
_NO_TIME = "no time left"
_SETTLED = (_NO_TIME, "it printed more", "it used more memory", "SyntaxError")
_JAVASCRIPT = ("javascript", "typescript", "tsx")
_threads = ThreadPoolExecutor(2 * max(os.cpu_count() or 1, 2), thread_name_prefix="runs")


@dataclass(frozen=True)
class RunReport:
    """One outcome for each example, in order; `reason` is set where nothing could be run."""

    runner: str
    outcomes: tuple[Outcome, ...]
    reason: str | None


def can_run(language: str) -> bool:
    """Tell whether programs in `language` can be run at all.

    The first question about a language that has to be built takes up to a few seconds: its tools
    are tried.
    """
    name = normalise_language(language) or ""
    return name in ("python", *_JAVASCRIPT) or boxes().why_not(name) is None


def is_javascript(language: str) -> bool:
    """Tell whether examples for `language` are written in JavaScript."""
    return normalise_language(language) in _JAVASCRIPT


async def run_examples(
    code: str,
    language: str,
    examples: Sequence[Example],
    *,
    seconds: float = 2.0,
    memory_mb: int = 64,
) -> RunReport:
    """Run each example after the code, in order and in one namespace, by value.

    `seconds` bounds loading the code and each example; the whole call ends within about four
    times that. `memory_mb` bounds the heap of the worker, in MiB. Never raises for what the code
    does: the outcome says it.
    """
    examples = tuple(examples)
    name = normalise_language(language)
    if name in _JAVASCRIPT and examples and len(code) <= MAX_CODE:
        return await _in_thread(
            _run_javascript, code, name, examples, seconds=seconds, memory_mb=memory_mb
        )
    if name not in ("python", *_JAVASCRIPT):
        label = name or language.strip()[:40]
        return await _in_thread(
            _run_native, code, label, examples, seconds=seconds, memory_mb=memory_mb
        )
    runner = "v8" if name in _JAVASCRIPT else "monty"
    if not examples:
        return RunReport(runner, (), "no examples")
    if len(code) > MAX_CODE:
        return _nothing_run(
            examples, f"the code is longer than {MAX_CODE} characters", runner=runner
        )
    return await _in_thread(_run_python, code, examples, seconds=seconds, memory_mb=memory_mb)


async def _in_thread(run: Callable[..., RunReport], *given: Any, **bounds: Any) -> RunReport:
    """Wait for a run in a thread that is kept for runs: a build takes seconds, a parser has one."""
    return await asyncio.get_running_loop().run_in_executor(
        _threads, functools.partial(run, *given, **bounds)
    )


def close_sandbox() -> None:
    """End the worker processes; the next run starts new ones."""
    _workers.close()
    v8.close_workers()


def _nothing_run(examples: tuple[Example, ...], reason: str, *, runner: str = "monty") -> RunReport:
    outcomes = tuple(
        make_outcome(example, "not_runnable", detail=reason, runner=runner) for example in examples
    )
    return RunReport(runner, outcomes, reason)


def _run_javascript(
    code: str, language: str, examples: tuple[Example, ...], *, seconds: float, memory_mb: int
) -> RunReport:
    if find_spec("py_mini_racer") is None:
        return _nothing_run(examples, "mini-racer is not installed", runner="v8")
    outcomes, reason = v8.run_in_v8(code, language, examples, seconds=seconds, memory_mb=memory_mb)
    return RunReport("v8", tuple(outcomes), reason)


def _run_native(
    code: str, language: str, examples: tuple[Example, ...], *, seconds: float, memory_mb: int
) -> RunReport:
    reason = boxes().why_not(language)
    if reason is None and len(code) > MAX_CODE:
        reason = f"the code is longer than {MAX_CODE} characters"
    if reason is not None:
        return _nothing_run(examples, reason, runner="none")
    outcomes = boxes().run_native(code, language, examples, seconds=seconds, memory_mb=memory_mb)
    runner = outcomes[0].runner if outcomes else "none"
    return RunReport(runner, tuple(outcomes), _why_nothing(outcomes))


def _why_nothing(outcomes: Sequence[Outcome]) -> str | None:
    """Give the first reason where no example could be run."""
    if not outcomes:
        return "no examples"
    ran = any(one.status != "not_runnable" for one in outcomes)
    return None if ran else outcomes[0].detail


def _run_python(
    code: str, examples: tuple[Example, ...], *, seconds: float, memory_mb: int
) -> RunReport:
    started = time.monotonic()
    adapted = [adapt_to_program(example, code) for example in examples]
    runnable = tuple(example for example in adapted if example is not None)
    memory = memory_mb * 1024 * 1024
    report = _run_in_monty(code, runnable, seconds=seconds, memory=memory)
    outcomes = list(report.outcomes)
    reason = report.reason
    open_ones = [n for n, outcome in enumerate(outcomes) if _is_open(outcome)]
    if open_ones and boxes().why_not("python") is None:
        # Those before the last of them run again too: a program may remember its calls.
        again = boxes().run_python(
            code,
            runnable[: open_ones[-1] + 1],
            seconds=seconds,
            memory_mb=memory_mb,
            deadline=max(started + 2 * seconds, time.monotonic() + seconds),
        )
        for number in open_ones:
            if again[number].status != "not_runnable" or outcomes[number].status == "not_runnable":
                outcomes[number] = again[number]
                reason = None
    left = map(_forgive, outcomes, (one for one in zip(examples, adapted, strict=True) if one[1]))
    unfit = "the program does not read input, and the example names no call"
    return RunReport(
        "monty",
        tuple(
            make_outcome(example, "not_runnable", detail=unfit) if one is None else next(left)
            for example, one in zip(examples, adapted, strict=True)
        ),
        reason if runnable else unfit,
    )


def _is_open(outcome: Outcome) -> bool:
    """Tell what CPython may settle; what is no matter of dialect it would only repeat."""
    return outcome.status in _ASK_CPYTHON and not (outcome.detail or "").startswith(_SETTLED)


def _forgive(outcome: Outcome, pair: tuple[Example, Example | None]) -> Outcome:
    """Take back a failure of an input that became arguments where its type alone may explain it."""
    example, adapted = pair
    doubtful = outcome.status == "fail" and (outcome.detail or "").startswith("a value of type")
    if example is adapted or not doubtful or outcome.got == "None":
        return outcome
    return replace(outcome, status="not_runnable")


def _run_in_monty(
    code: str, examples: tuple[Example, ...], *, seconds: float, memory: int
) -> RunReport:
    try:
        from pydantic_monty import MontyError
    except ImportError:
        return _nothing_run(examples, "pydantic-monty is not installed")
    dialect = read_dialect(code)
    if dialect is not None and dialect.refused is not None:
        return _nothing_run(examples, dialect.refused)
    outcomes: list[Outcome] = []
    deadline = time.monotonic() + 2 * seconds
    while len(outcomes) < len(examples):
        rest = examples[len(outcomes) :]
        if time.monotonic() > deadline:
            detail = f"{_NO_TIME} of the {2 * seconds:g} s for all examples"
            outcomes += [make_outcome(example, "not_runnable", detail=detail) for example in rest]
            break
        try:
            with _workers.session(seconds=seconds, memory=memory) as session:
                program = Program(session, code, dialect=dialect)
                outcomes += program.run(rest, deadline=deadline)
        except (MontyError, OSError, RuntimeError, TimeoutError) as error:
            report = _nothing_run(rest, f"the sandbox is not available: {error}"[:MAX_SHOWN])
            return RunReport("monty", (*outcomes, *report.outcomes), report.reason)
    return RunReport("monty", tuple(outcomes), None)


class _Workers:
    """The process's pool of sandbox workers, opened by the first run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: Monty | None = None
        self._owner = 0

    def session(self, *, seconds: float, memory: int) -> "MontySession":
        return self._open().checkout(
            limits={
                "max_feed_duration_secs": seconds,
                "max_memory": memory,
            },
            assert_message_annotations=False,
            os_policy={"sleep": "zero", "random_start": {"seed": 0}},
        )

    def close(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
            if pool is not None and self._owner == os.getpid():
                pool.__exit__(None, None, None)

    def _open(self) -> "Monty":
        from pydantic_monty import Monty

        with self._lock:
            if self._pool is not None and self._owner != os.getpid():
                # The pool's threads are not copied by a fork: waiting for one would never end.
                raise RuntimeError("it was opened before this process was forked")
            if self._pool is None:
                pool = Monty(
                    checkout_timeout=WAIT_FOR_WORKER,
                    max_checkouts_per_worker=200,
                    feed_duration_limit_grace=0.5,
                )
                self._pool, self._owner = pool.__enter__(), os.getpid()
            return self._pool


_workers = _Workers()
atexit.register(close_sandbox)
