"""Run examples against learners' Python in pydantic-monty's worker processes.

The learner's code never meets this process's interpreter: the worker offers it no files, no
network, no environment and no sleep, under hard limits of time and memory. What monty cannot run
as CPython would is `not_runnable`: never a pass, never a fail.
"""

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.analysis.dialect import read_dialect
from tools.analysis.examples import Example
from tools.analysis.program import MAX_SHOWN, Outcome, Program, Status, make_outcome
from tools.analysis.syntax import normalise_language

if TYPE_CHECKING:
    from pydantic_monty import Monty, MontySession

__all__ = ["Outcome", "RunReport", "Status", "close_sandbox", "run_examples"]

MAX_CODE = 200_000
WAIT_FOR_WORKER = 10.0


@dataclass(frozen=True)
class RunReport:
    """One outcome for each example, in order; `reason` is set where nothing could be run."""

    runner: str
    outcomes: tuple[Outcome, ...]
    reason: str | None


async def run_examples(
    code: str,
    language: str,
    examples: Sequence[Example],
    *,
    seconds: float = 2.0,
    memory_mb: int = 64,
) -> RunReport:
    """Run each example after the code, in order and in one namespace, by value.

    `seconds` bounds loading the code and each example; the whole call ends within about three
    times that. `memory_mb` bounds the heap of the worker, in MiB. Never raises for what the code
    does: the outcome says it.
    """
    examples = tuple(examples)
    name = normalise_language(language)
    if name != "python":
        label = name or language.strip()[:40]
        return _nothing_run(examples, f"no sandbox for {label} yet", runner="none")
    if not examples:
        return RunReport("monty", (), "no examples")
    if len(code) > MAX_CODE:
        return _nothing_run(examples, f"the code is longer than {MAX_CODE} characters")
    return await asyncio.to_thread(
        _run, code, examples, seconds=seconds, memory=memory_mb * 1024 * 1024
    )


def close_sandbox() -> None:
    """End the worker processes; the next run starts new ones."""
    _workers.close()


def _nothing_run(examples: tuple[Example, ...], reason: str, *, runner: str = "monty") -> RunReport:
    outcomes = tuple(make_outcome(example, "not_runnable", detail=reason) for example in examples)
    return RunReport(runner, outcomes, reason)


def _run(code: str, examples: tuple[Example, ...], *, seconds: float, memory: int) -> RunReport:
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
            detail = f"no time left of the {2 * seconds:g} s for all examples"
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
