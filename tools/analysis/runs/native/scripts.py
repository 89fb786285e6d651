"""PHP and Ruby: the file is loaded by a harness, and each call evaluated after it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tools.analysis.examples.native_values import Call
from tools.analysis.runs.native.chamber import MEBIBYTE, Limits
from tools.analysis.runs.native.driver import (
    Build,
    Driver,
    Planned,
    Tools,
    find_system,
    read_harness,
)
from tools.analysis.runs.native.signatures import Function, Outline


class _Script(Driver):
    """A language whose interpreter reads the calls as text."""

    scripted: ClassVar[bool] = True
    typed: ClassVar[bool] = False
    interpreter: ClassVar[tuple[str, ...]]
    show: ClassVar[str]
    # What the interpreter maps before it runs anything.
    own_mb: ClassVar[int]

    def find_tools(self) -> Tools | None:
        """Find the interpreter and its own library."""
        name = self.interpreter[0]
        binds = find_system(name)
        if binds is None:
            return None
        folders = [f"/usr/share/{name}", f"/etc/{name}"]
        system = [one for one in binds if "include" not in one]
        whole = (*system, *(one for one in folders if Path(one).is_dir()))
        return Tools(whole, whole)

    def limits(self, *, seconds: float, memory_mb: int) -> Limits:
        """Bound the addresses of the interpreter and its program."""
        addresses = (memory_mb + self.own_mb) * MEBIBYTE
        return Limits(cpu_seconds=int(seconds) + 1, addresses=addresses)

    def program(self, code: str, outline: Outline) -> Build:
        """Hand the file over as it is."""
        run = ("/usr/bin/env", *self.interpreter, self.source)
        return Build({self.source: self._complete(code)}, None, run)

    def calls(self, code: str, outline: Outline, planned: Sequence[Planned], mark: str) -> Build:
        """Hand the file over with a harness and the calls as JSON."""
        space = self._space(code)
        calls = json.dumps([[space + one.before, one.expression] for one in planned])
        files = {
            self.source: self._complete(code),
            self.harness: read_harness(self.show, mark),
            "/src/calls.json": calls.encode(),
        }
        files |= self._more()
        return Build(files, None, ("/usr/bin/env", *self.interpreter, self.harness))

    def _more(self) -> dict[str, bytes]:
        return {}

    def _space(self, code: str) -> str:
        return ""

    def _complete(self, code: str) -> bytes:
        return code.encode()


class Php(_Script):
    """Programs in PHP."""

    language: ClassVar[str] = "php"
    runner: ClassVar[str] = "php"
    extension: ClassVar[str] = "php"
    interpreter: ClassVar[tuple[str, ...]] = (
        "php", "-d", "display_errors=stderr", "-d", "memory_limit=96M", "-d", "opcache.jit=0",
    )  # fmt: skip
    show: ClassVar[str] = "show.php"
    own_mb: ClassVar[int] = 256
    reading: ClassVar[re.Pattern[str]] = re.compile(
        r"\bSTDIN\b|php://stdin|\breadline\s*\(|\bfscanf\b", re.IGNORECASE
    )

    def _complete(self, code: str) -> bytes:
        return (code if "<?" in code else f"<?php {code}").encode()

    def _more(self) -> dict[str, bytes]:
        return {"/src/goals_evaluate.php": read_harness("evaluate.php")}

    def _space(self, code: str) -> str:
        """Make the calls in the file's own namespace."""
        found = re.search(r"^\s*(?:<\?php\s+)?namespace\s+([\w\\]+)\s*;", code, re.MULTILINE)
        return f"namespace {found[1]}; " if found is not None else ""

    def declare(self, name: str, kind: str, value: str) -> str:
        """Write a variable that holds a value."""
        return f"${name} = {value};"

    def lend(self, name: str, kind: str) -> str:
        """Write a variable."""
        return f"${name}"

    def place(self, function: Function) -> str:
        """Write the function's name, behind its class or an object of it."""
        if function.owner is None:
            return function.name
        if function.static:
            return f"{function.owner}::{function.name}"
        return f"(new {function.owner}())->{function.name}"


class Ruby(_Script):
    """Programs in Ruby."""

    language: ClassVar[str] = "ruby"
    runner: ClassVar[str] = "ruby"
    extension: ClassVar[str] = "rb"
    interpreter: ClassVar[tuple[str, ...]] = ("ruby", "--disable=gems", "-W0", "-Ku")
    show: ClassVar[str] = "show.rb"
    own_mb: ClassVar[int] = 192
    reading: ClassVar[re.Pattern[str]] = re.compile(
        r"\bgets\b|\bSTDIN\b|\$stdin|\bARGF\b|\breadlines?\b"
    )

    def declare(self, name: str, kind: str, value: str) -> str:
        """Write a variable that holds a value."""
        return f"{name} = {value};"

    def place(self, function: Function) -> str:
        """Write the method's name, behind its class or an object of it."""
        if function.owner is None:
            return function.name
        return f"{function.owner}{'' if function.static else '.new'}.{function.name}"

    texts_change: ClassVar[bool] = True

    def look_at_all(self, call: Call, function: Function) -> Planned:
        """Keep the arguments in an array, and look at it after the call."""
        written = ", ".join(self.arguments(call, function))
        return Planned(
            "goals_given", f"goals_given = [{written}]; {self.place(function)}(*goals_given);"
        )
