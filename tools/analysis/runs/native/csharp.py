"""C# by Mono's compiler: the calls are methods of a class beside the learner's."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tools.analysis.runs.native.chamber import MEBIBYTE, Limits
from tools.analysis.runs.native.driver import (
    PROGRAM,
    Build,
    Driver,
    Planned,
    Tools,
    find_system,
    read_harness,
)
from tools.analysis.runs.native.signatures import Function, Outline

# What a project for .NET imports by itself since its version 6.
_USUAL = "using System; using System.Collections.Generic; using System.Linq; using System.Text; "


class CSharp(Driver):
    """Programs in C#."""

    language: ClassVar[str] = "csharp"
    runner: ClassVar[str] = "mono"
    extension: ClassVar[str] = "cs"
    # Mono knows the language up to its version 7: only these say the same in every version.
    certain: ClassVar[re.Pattern[str]] = re.compile(r"CS0?(?:161|165|266|29|19|136|128|131|200)$")
    # Mono reads how its own memory lies, and does not start without.
    proc: ClassVar[bool] = True
    start_seconds: ClassVar[float] = 1.0
    reading: ClassVar[re.Pattern[str]] = re.compile(
        r"\bConsole\s*\.\s*(?:Read|In\b)|OpenStandardInput"
    )

    def find_tools(self) -> Tools | None:
        """Find Mono, its compiler and its settings."""
        binds = find_system("mcs", "mono")
        if binds is None:
            return None
        settings = ("/etc/mono",) if Path("/etc/mono").is_dir() else ()
        return Tools(
            (*binds, *settings), (*binds, *settings), {"MONO_GC_PARAMS": "max-heap-size=128m"}
        )

    def limits(self, *, seconds: float, memory_mb: int) -> Limits:
        """Bound what can be written: the heap, and what the runtime takes beside it."""
        data = (memory_mb + 192) * MEBIBYTE
        return Limits(cpu_seconds=2 * int(seconds) + 2, data=data)

    def is_certain(self, said: str) -> bool:
        """Take the compiler's word for errors that no version of the language allows."""
        codes = re.findall(r"error (CS\d+)", said)
        return bool(codes) and all(self.certain.match(code) for code in codes)

    def _script(self, *options: str) -> str:
        flags = "-nologo -warn:0 -langversion:latest -r:System.Numerics.dll -out:/tmp/out.exe"
        return f"mcs {flags} {' '.join(options)} 1>&2 && cat /tmp/out.exe"

    def program(self, code: str, outline: Outline) -> Build:
        """Compile the file by itself."""
        run = ("/usr/bin/env", "mono", PROGRAM)
        return Build({self.source: code.encode()}, self._script(self.source), run)

    def alone(self, code: str, outline: Outline) -> Build:
        """Check the file, which may have no `Main`."""
        script = self._script("-target:library", self.source)
        return Build({self.source: code.encode()}, script, ())

    def prelude(self, code: str, outline: Outline) -> str | None:
        """Import what a project imports by itself."""
        return None if outline.imports else _USUAL + code

    def calls(self, code: str, outline: Outline, planned: Sequence[Planned], mark: str) -> Build:
        """Compile the file beside a class with one method for each call."""
        lines = [
            f"static object c{n}() {{ {one.before} return ({one.expression}); }}"
            for n, one in enumerate(planned)
        ]
        table = ", ".join(f"c{n}" for n in range(len(planned)))
        spaces = "".join(
            f"using {name}; " for name in re.findall(r"^\s*namespace\s+([\w.]+)", code, re.M)
        )
        harness = "\n".join(
            [
                *(f"using System; {spaces}", "static class GoalsHarness {", *lines),
                f"static readonly Func<object>[] calls = {{ {table} }};",
                "public static void Main(string[] a) { GoalsShow.Run(calls, a[0]); } }",
            ]
        )
        files = {
            self.source: _opened(code, outline),
            self.harness: harness.encode(),
            "/src/goals_show.cs": read_harness("show.cs", mark),
        }
        script = self._script("-main:GoalsHarness", *files)
        return Build(files, script, ("/usr/bin/env", "mono", PROGRAM))

    def place(self, function: Function) -> str:
        """Write the method behind its class, or behind an object of it."""
        if function.owner is None:
            return function.name
        return f"{function.owner if function.static else f'new {function.owner}()'}.{function.name}"


def _opened(code: str, outline: Outline) -> bytes:
    """Let the harness see the methods that say nothing of who may call them."""
    data = code.encode()
    methods = [one for one in outline.functions if one.owner is not None and one.name != "Main"]
    for place in sorted((one.open_at for one in methods if one.open_at is not None), reverse=True):
        data = data[:place] + b"internal " + data[place:]
    return data
