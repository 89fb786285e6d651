"""C++ by g++: the calls are compiled below the learner's file, values shown by templates."""

import re
from collections.abc import Sequence
from typing import ClassVar

from tools.analysis.examples.native_values import Call
from tools.analysis.runs.native.driver import (
    Build,
    NotPlanned,
    Planned,
    read_harness,
)
from tools.analysis.runs.native.gnu import Gnu
from tools.analysis.runs.native.signatures import Function, Outline
from tools.analysis.runs.native.types import read_type

_USUAL = (
    "algorithm array cctype climits cmath cstdint cstring deque functional iomanip iostream list"
    " map numeric optional queue set sstream stack stdexcept string tuple unordered_map"
    " unordered_set utility vector"
)


class Cpp(Gnu):
    """Programs in C++."""

    language: ClassVar[str] = "cpp"
    runner: ClassVar[str] = "g++"
    extension: ClassVar[str] = "cpp"
    flags: ClassVar[str] = (
        "-std=gnu++20 -O0 -w -D_GLIBCXX_ASSERTIONS -fno-diagnostics-color"
        " -fno-diagnostics-show-caret -fmax-errors=20"
    )
    doubtful: ClassVar[re.Pattern[str]] = re.compile(
        r"No such file or directory|is not a member of .std|undefined reference"
    )
    reading: ClassVar[re.Pattern[str]] = re.compile(
        r"\b(?:cin|getline|scanf|getchar|fgets|stdin|istream)\b"
    )

    def prelude(self, code: str, outline: Outline) -> str | None:
        """Add the usual headers, which other libraries bring by themselves.

        What was handed in without any gets `using namespace std` too, as practice sites do.
        """
        headers = "".join(f"#include <{name}>\n" for name in _USUAL.split())
        return f"{headers}{'' if outline.imports else 'using namespace std;'}\n#line 1\n{code}"

    def calls(self, code: str, outline: Outline, planned: Sequence[Planned], mark: str) -> Build:
        """Include the file, and the calls below it; `main` is renamed."""
        lines = [
            f"static void goals_{n}() {{ {one.before} goals_show::value({one.expression}); }}"
            for n, one in enumerate(planned)
        ]
        spaces = dict.fromkeys(re.findall(r"^\s*(?:inline\s+)?namespace\s+(\w+)\s*\{", code, re.M))
        opened = [f"using namespace {one};" for one in spaces]
        table = ", ".join(f"goals_{n}" for n in range(len(planned)))
        harness = "\n".join(
            [
                *('#include "/src/goals_show.hpp"', "#define main goals_learners_main"),
                *(f'#include "{self.source}"', "#undef main", *opened, *lines),
                f"int main(int, char** argv) {{ void (*calls[])() = {{{table}}};",
                f"  return goals_show::run(calls, std::atoi(argv[1]), {len(planned)}); }}",
            ]
        )
        files = {
            self.source: code.encode(),
            self.harness: harness.encode(),
            "/src/goals_show.hpp": read_harness("show.hpp", mark),
        }
        return self.compiled(files, self.harness)

    def takes(self, function: Function, call: Call) -> bool:
        """Fit the arguments; C++ may have defaults for the rest."""
        return len(call.arguments) <= len(function.parameters)

    def place(self, function: Function) -> str:
        """Write the function's name, behind its class or an object of it."""
        if function.owner is None:
            return function.name
        return f"{function.owner}{'::' if function.static else '().'}{function.name}"

    def translate(
        self, call: Call, function: Function, outline: Outline | None, want: object
    ) -> Planned:
        """Give every argument a variable, as references that change need one."""
        planned = super().translate(call, function, outline, want)
        if planned.expression == call.text or planned.before:
            return planned
        kinds = [read_type(one.type, "cpp") for one in function.parameters]
        if any(kind.mutable or (kind.pointer and kind.kind == "list") for kind in kinds):
            written = self.arguments(call, function)
            names = [f"goals_{n}" for n in range(len(written))]
            if any(kind.pointer and kind.kind == "list" for kind in kinds):
                raise NotPlanned("nobody tells how an array is handed over")
            before = " ".join(
                f"auto {name} = {one};" for name, one in zip(names, written, strict=True)
            )
            return Planned(f"{self.place(function)}({', '.join(names)})", before)
        return planned

    def can_change(self, kind: str, mutable: bool) -> bool:  # noqa: FBT001 - what the type says
        """Tell a reference that is not constant."""
        return mutable

    def declare(self, name: str, kind: str, value: str) -> str:
        """Write a variable that holds a value."""
        return f"auto {name} = {value};"
