"""Judge examples by JavaScript in V8 (mini-racer), in worker processes.

The expected values are worked out in a clean V8 and compared here: they never enter the context
that holds the learner's program. A worker that does not answer in time is killed. V8 itself is
the wall, with nothing behind it but a process without an environment: a hole in V8 is a way out.
"""

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tools.analysis.examples.finder import Example
from tools.analysis.runs.js_outcomes import JsAttempt
from tools.analysis.runs.js_program import adapt_to_script
from tools.analysis.runs.js_source import make_script
from tools.analysis.runs.program import Outcome, make_outcome
from tools.analysis.runs.values import Unreadable, read_json

MAX_WORKERS = 2
MAX_JOBS = 100
MAX_LINE = 4_000_000
START_SECONDS = 15.0
GRACE_SECONDS = 0.5
_WORKER = Path(__file__).with_name("v8_worker.py")


class _Worker:
    """One process of V8, given one job at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/" if sys.platform != "win32" else None,
            start_new_session=True,
        )
        self.jobs = 0
        self._buffer = b""
        self._streams = selectors.DefaultSelector()
        assert self._process.stdout is not None
        self._streams.register(self._process.stdout, selectors.EVENT_READ)
        if self.answer(START_SECONDS) != ["ready"]:
            self.end()
            raise OSError("the V8 worker does not start")

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, job: dict[str, object]) -> None:
        self.jobs += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self, seconds: float) -> list[object]:
        """Give the next line; `["timeout"]`, `["ended", status]` or `["unreadable"]` for none."""
        deadline = time.monotonic() + seconds
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            if not self._streams.select(max(deadline - time.monotonic(), 0)):
                return ["timeout"]
            data = self._process.stdout.raw.read(65_536)  # type: ignore[attr-defined]  # a BufferedReader
            if not data:
                return ["ended", self._process.wait()]
            self._buffer += data
            if len(self._buffer) > MAX_LINE:
                return ["unreadable"]
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            return read_json(line)
        except Unreadable:
            return ["unreadable"]

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._streams.close()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(OSError):
                stream.close()


class _Workers:
    """The idle workers of this process, and how many may run at once."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_WORKERS)

    def take(self) -> _Worker:
        self._places.acquire()
        try:
            while True:
                with self._lock:
                    if self._owner != os.getpid():
                        # After a fork two processes would read the answers of one worker.
                        self._idle, self._owner = [], os.getpid()
                    worker = self._idle.pop() if self._idle else None
                if worker is None:
                    return _Worker()
                if worker.is_alive():
                    return worker
                worker.end()
        except BaseException:
            self._places.release()
            raise

    def give_back(self, worker: _Worker, *, usable: bool) -> None:
        try:
            if usable and worker.jobs < MAX_JOBS:
                with self._lock:
                    self._idle.append(worker)
            else:
                worker.end()
        finally:
            self._places.release()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle if self._owner == os.getpid() else ():
            worker.end()


_workers = _Workers()


def close_workers() -> None:
    """End the idle workers; the next run starts new ones."""
    _workers.close()


def run_in_v8(
    code: str, language: str, examples: Sequence[Example], *, seconds: float, memory_mb: int
) -> tuple[list[Outcome], str | None]:
    """Run the examples in order in one program: their outcomes, and why nothing could be run.

    `seconds` bounds loading and each example, twice that all of them; a new program is loaded
    after each example that ended its own.
    """
    script = make_script(code, language)
    if script.refused is not None:
        refused = [
            make_outcome(one, "not_runnable", detail=script.refused, runner="v8")
            for one in examples
        ]
        return refused, script.refused
    adapted = [adapt_to_script(example, script.code) or example for example in examples]
    attempts = [JsAttempt(example) for example in adapted]
    deadline = time.monotonic() + 2 * seconds
    limits = {"seconds": seconds, "memory": memory_mb * 1024 * 1024}
    while waiting := [attempt for attempt in attempts if attempt.outcome is None]:
        if time.monotonic() > deadline:
            for attempt in waiting:
                attempt.settle("not_runnable", detail="no time left for all examples")
            break
        try:
            _run_some(script.code, waiting, limits=limits, deadline=deadline)
        except (OSError, ImportError) as error:
            reason = f"the sandbox is not available: {error}"[:200]
            for attempt in waiting:
                attempt.settle("not_runnable", detail=reason)
            return [attempt.outcome for attempt in attempts if attempt.outcome], reason
    return [attempt.outcome for attempt in attempts if attempt.outcome], None


def _run_some(
    code: str, attempts: list[JsAttempt], *, limits: dict[str, float], deadline: float
) -> None:
    """Run until an example ends the program, and settle what was answered."""
    job: dict[str, object] = {
        **limits,
        "code": code,
        "wants": [attempt.want_text for attempt in attempts],
        "names": sorted({name for attempt in attempts for name in attempt.names}),
        "expressions": [[attempt.call_text, attempt.truth] for attempt in attempts],
    }
    patience = limits["seconds"] + GRACE_SECONDS
    worker = _workers.take()
    usable = False
    try:
        worker.send(job)
        for attempt in attempts:
            attempt.want = worker.answer(patience)
        answer = worker.answer(patience)
        if answer != ["loaded"]:
            for attempt in attempts:
                attempt.fail(answer, loading=True)
        else:
            for attempt in attempts:
                answer = worker.answer(patience)
                attempt.judge(answer)
                if answer[0] not in ("value", "raised") or time.monotonic() > deadline:
                    break
        usable = answer[0] in ("value", "raised", "thrown") and _is_done(worker, patience)
    finally:
        _workers.give_back(worker, usable=usable)


def _is_done(worker: _Worker, patience: float) -> bool:
    return worker.answer(patience) == ["done"]
