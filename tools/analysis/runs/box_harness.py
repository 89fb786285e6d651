"""Run inside the box, by itself: load the learner's program, answer with its values.

It never learns what is expected: what the program says here is judged outside, so that a forged
answer is worth no more than the same value returned. Alone in its process with hostile code, it
promises nothing but that an honest program is reported as it is.
"""

import builtins
import contextlib
import json
import os
import pathlib
import resource
import sys
import time
import types
from collections.abc import Iterator
from typing import Any

MAX_NODES = 50_000
MAX_DEPTH = 40
MAX_TEXT = 100_000
MAX_SHOWN = 400
SOURCE = "<submission>"
STREAMS = ("builtins", "itertools", "collections", "functools")


class Writer:
    """Write values as tagged JSON lists, at most `MAX_NODES` of them."""

    def __init__(self) -> None:
        self.left = MAX_NODES

    def write(  # noqa: PLR0911 - one for each type
        self, value: Any, depth: int = 0
    ) -> list[Any]:
        """Give `[tag, ...]`; containers are `[tag, type, items, whole]`."""
        self.left -= 1
        kind = type(value)
        if value is None:
            return ["none"]
        if kind is bool:
            return ["bool", value]
        if isinstance(value, int):
            return ["int", hex(int.__index__(value))]
        if isinstance(value, float):
            return ["float", float.hex(value)]
        if isinstance(value, complex):
            return ["complex", float.hex(value.real), float.hex(value.imag)]
        if isinstance(value, str) and len(value) <= MAX_TEXT:
            return ["str", str.__str__(value)]
        if isinstance(value, (bytes, bytearray)) and len(value) <= MAX_TEXT:
            return [kind.__name__, bytes(value).hex()]
        if kind.__name__ in ("Decimal", "Fraction") and kind.__module__ in ("decimal", "fractions"):
            return [kind.__name__, str(value)]
        return self.write_items(value, depth)

    def write_items(self, value: Any, depth: int) -> list[Any]:
        """Write a container, or whatever else it is as its name and how it shows itself."""
        tag, items = take_apart(value)
        if tag is None or depth > MAX_DEPTH:
            return ["object", type(value).__name__, show(value)]
        written: list[Any] = []
        for item in items:
            if self.left <= 0:
                return [tag, type(value).__name__, written, False]
            if tag == "dict":
                written.append([self.write(item[0], depth + 1), self.write(item[1], depth + 1)])
            else:
                written.append(self.write(item, depth + 1))
        return [tag, type(value).__name__, written, True]


def take_apart(value: Any) -> tuple[str | None, Iterator[Any]]:
    """Name the kind of a container and iterate over it by the built-in types' own methods."""
    kind = type(value)
    bases: tuple[Any, ...] = (list, tuple, set, frozenset)
    for base in bases:
        if isinstance(value, base):
            return base.__name__, base.__iter__(value)
    if isinstance(value, dict):
        return "dict", iter(dict.items(value))
    if kind is range:
        return "range", iter(value)
    if kind.__name__ in ("dict_keys", "dict_values", "dict_items", "odict_keys"):
        return "view", iter(value)
    if hasattr(kind, "__next__") and kind.__module__ in STREAMS:
        return "stream", value
    return None, iter(())


def show(value: Any) -> str:
    """Give the value's `repr`, cut."""
    try:
        return repr(value)[:MAX_SHOWN]
    except Exception:
        return object.__repr__(value)[:MAX_SHOWN]


def describe(error: BaseException) -> list[Any]:
    """Give `["raised", classes, text, line]`: the names of its classes, the learner's last line."""
    names = [kind.__name__ for kind in type(error).__mro__]
    try:
        text = str(error)[:MAX_SHOWN]
    except Exception:
        text = ""
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == SOURCE else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == SOURCE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return ["raised", names, text, line]


def limit(memory: int, seconds: int) -> None:
    """Set the limits that cannot be raised again from inside."""
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 1024 * 1024),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_NPROC, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


class Answers:
    """Lines of JSON to the outside."""

    def __init__(self) -> None:
        self._stream = os.dup(2)
        nothing = os.open("/dev/null", os.O_RDWR)
        os.dup2(nothing, 2)

    def send(self, answer: list[Any]) -> None:
        """Write one line, all of it."""
        line = json.dumps(answer).encode() + b"\n"
        while line:
            line = line[os.write(self._stream, line) :]


def evaluate(expression: str, module: types.ModuleType, *, truth: bool) -> list[Any]:
    """Give `["value", value]`, with its truth where that is asked for, or how it raised."""
    try:
        compiled = compile(expression, "<example>", "eval")
        value = eval(compiled, module.__dict__)  # noqa: S307 - what the box is for
        if isinstance(value, types.CoroutineType):
            import asyncio

            value = asyncio.run(value)
        written = Writer().write(value)
        return ["value", written, bool(value)] if truth else ["value", written]
    except BaseException as error:
        return describe(error)


def read_line(prompt: object = "", /) -> str:
    """Stand in for `input`, whose prompts would mix with what the program prints."""
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError("EOF when reading a line")
    return line.removesuffix("\n")


def main() -> None:
    """Read the job, load the program, answer for each expression."""
    job = json.loads(pathlib.Path("/job.json").read_text("utf-8"))
    answers = Answers()
    module = types.ModuleType(job["name"])
    sys.modules[job["name"]] = module
    sys.argv = ["program.py"]
    time.sleep = lambda seconds, /: None
    whole = job["name"] == "__main__"
    if whole:
        builtins.input = read_line
    else:
        os.dup2(2, 1)
        os.dup2(2, 0)
    limit(job["memory"], job["cpu_seconds"])
    answers.send(["ready"])
    try:
        program = compile(job["code"], SOURCE, "exec", dont_inherit=True)
        exec(program, module.__dict__)  # noqa: S102 - what the box is for
        answer: list[Any] = ["loaded"]
    except BaseException as error:
        answer = describe(error)
    if whole:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
    answers.send(answer)
    if answer == ["loaded"]:
        for expression, truth in job["expressions"]:
            answers.send(evaluate(expression, module, truth=truth))
    # No thread, exit handler or finalizer of the program outlives its last answer.
    os._exit(0)


if __name__ == "__main__":
    main()
