"""Name the languages that are run here, and try once whether their tools work in a box."""

import threading
from collections.abc import Sequence
from typing import Final

from tools.analysis.examples.example import Example
from tools.analysis.runs.box import find_box
from tools.analysis.runs.native.bash import Bash
from tools.analysis.runs.native.c import C
from tools.analysis.runs.native.chamber import find_limiter
from tools.analysis.runs.native.cpp import Cpp
from tools.analysis.runs.native.csharp import CSharp
from tools.analysis.runs.native.driver import Driver, Tools
from tools.analysis.runs.native.go import Go
from tools.analysis.runs.native.java import Java
from tools.analysis.runs.native.running import run_program
from tools.analysis.runs.native.rust import Rust
from tools.analysis.runs.native.scripts import Php, Ruby
from tools.analysis.runs.native.sql import run_queries
from tools.analysis.runs.program import Outcome, make_outcome

_DRIVERS: Final[dict[str, type[Driver]]] = {
    one.language: one for one in (C, Cpp, Java, Rust, Go, Php, Ruby, CSharp, Bash)
}
_PROBES: Final = {
    "c": "int one(int n) { return n; }",
    "cpp": "int one(int n) { return n; }",
    "java": "class One { static int one(int n) { return n; } }",
    "rust": "fn one(n: i32) -> i32 { n }",
    "go": "package main\nfunc one(n int) int { return n }\n",
    "php": "<?php function one($n) { return $n; }",
    "ruby": "def one(n)\n  n\nend\n",
    "csharp": "static class One { static int one(int n) { return n; } }",
    "bash": "read -r line; cat <<< $line",
}
_NO_BOX: Final = "{} runs in bubblewrap only, which does not work here"
_lock = threading.Lock()
_found: dict[str, "tuple[Driver, Tools] | str"] = {}


def names_of_languages() -> frozenset[str]:
    """Name the languages for which there is a way here, tools or not."""
    return frozenset(("sql", *_DRIVERS))


def find_runner(language: str) -> str | None:
    """Tell why programs in `language` cannot be run here; None where they can."""
    if language == "sql":
        return None if find_box() is not None else _NO_BOX.format("sql")
    if language not in _DRIVERS:
        return f"no sandbox for {language} yet"
    found = find_driver(language)
    return found if isinstance(found, str) else None


def run_native(
    code: str, language: str, examples: Sequence[Example], *, seconds: float, memory_mb: int
) -> list[Outcome]:
    """Run the examples on a program in a language for which `find_runner` gives None."""
    if language == "sql":
        return run_queries(code, examples, seconds=seconds, memory_mb=memory_mb)
    found = find_driver(language)
    if isinstance(found, str):
        return [make_outcome(one, "not_runnable", detail=found, runner="none") for one in examples]
    driver, tools = found
    return run_program(code, examples, driver, tools, seconds=seconds, memory_mb=memory_mb)


def find_driver(language: str) -> tuple[Driver, Tools] | str:
    """Give a language's driver and its tools, tried once; or why there is none."""
    with _lock:
        if language not in _found:
            _found[language] = _try(language)
        return _found[language]


def _try(language: str) -> "tuple[Driver, Tools] | str":
    if find_box() is None or find_limiter() is None:
        return _NO_BOX.format(language)
    driver = _DRIVERS[language]()
    tools = driver.find_tools()
    if tools is None:
        what = "interpreter" if driver.scripted else "compiler"
        return f"no {what} for {language} here"
    example = Example("call", "one(1)", "1", None, "")
    if driver.shell:
        example = Example("io", "'1'", "'1'", None, "")
    (outcome,) = run_program(_PROBES[language], [example], driver, tools, seconds=5.0, memory_mb=64)
    if outcome.status != "pass":
        return f"{driver.runner} does not work here in a box: {outcome.detail or outcome.status}"
    return driver, tools
