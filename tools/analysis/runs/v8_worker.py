"""Run as a process of its own: V8 for hostile JavaScript, one context for each program.

Reads jobs and writes answers as lines of JSON. V8 has no files, no network and no timers of the
system's; its heap is limited for each program, what it holds outside the heap by the limit on the
process's data. Whatever goes wrong beyond that ends the process, which is what it is for.
"""

import json
import os
import pathlib
import resource
import secrets
import sys
from typing import Any

from py_mini_racer import (
    JSEvalException,
    JSOOMException,
    JSParseException,
    JSPromise,
    JSTimeoutException,
    MiniRacer,
    init_mini_racer,
)

OUTSIDE_THE_HEAP = 192 * 1024 * 1024
_HARNESS = pathlib.Path(__file__).with_name("v8_harness.js").read_text("utf-8")


def send(answer: list[Any] | str) -> None:
    """Write one line."""
    line = answer if isinstance(answer, str) else json.dumps(answer)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Context:
    """One program's V8, with the harness under a name that the program cannot guess."""

    def __init__(self, *, seconds: float, memory: int) -> None:
        self._name = f"harness_{secrets.token_hex(8)}"
        self._seconds = seconds
        self._v8 = MiniRacer()
        self._v8.eval(_HARNESS.replace("HARNESS", self._name))
        self._v8.set_hard_memory_limit(memory)

    def load(self, code: str) -> list[Any]:
        """Run the program."""
        try:
            self._v8.eval(code, timeout_sec=self._seconds)
        except JSTimeoutException:
            return ["timeout"]
        except JSOOMException:
            return ["memory"]
        except JSEvalException as error:
            kind = "SyntaxError" if isinstance(error, JSParseException) else "Error"
            return ["thrown", kind, str(error)[:2000]]
        return ["loaded"]

    def borrow(self, name: str) -> None:
        """Take from the module's exports a name that is not defined."""
        self.load(f"if (typeof {name} === 'undefined') {self._name}.borrow({json.dumps(name)})")

    def ask(self, expression: str, *, truth: bool) -> list[Any] | str:
        """Give the expression's value as the harness writes it; a promise is waited for."""
        asked = f"{self._name}.ask(() => ({expression}\n), {json.dumps(truth)})"
        try:
            found = self._v8.eval(asked, timeout_sec=self._seconds)
            if isinstance(found, JSPromise):
                found = found.get(timeout=self._seconds)
        except JSTimeoutException:
            return ["timeout"]
        except JSOOMException:
            return ["memory"]
        except JSEvalException as error:
            return ["thrown", "SyntaxError", str(error)[:2000]]
        return found if isinstance(found, str) and "\n" not in found else ["unreadable"]


def work(job: dict[str, Any]) -> None:
    """Answer one job: what is expected from a clean context first, then the program's values."""
    limits = {"seconds": job["seconds"], "memory": job["memory"]}
    clean = Context(**limits)
    for expression in job["wants"]:
        send(clean.ask(expression, truth=False))
    context = Context(**limits)
    loaded = context.load(job["code"])
    send(loaded)
    if loaded != ["loaded"]:
        return
    for name in job["names"]:
        context.borrow(name)
    for expression, truth in job["expressions"]:
        answer = context.ask(expression, truth=truth)
        send(answer)
        if isinstance(answer, list):
            return


def limit() -> None:
    """Forbid files and processes, and bound what is held outside V8's heap."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        sizes = dict(line.split(":", 1) for line in status.read_text().splitlines())
        data = int(sizes["VmData"].split()[0]) * 1024 + OUTSIDE_THE_HEAP
        resource.setrlimit(resource.RLIMIT_DATA, (data, data))
    for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(what, (0, 0))


def main() -> None:
    """Serve jobs until the input ends."""
    init_mini_racer(flags=("--single-threaded",))
    Context(seconds=5, memory=64 * 1024 * 1024).ask("1", truth=False)
    limit()
    send(["ready"])
    for line in sys.stdin:
        work(json.loads(line))
        send(["done"])
    os._exit(0)


main()
