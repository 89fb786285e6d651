"""Java by a JDK: the calls are methods of a class beside the learner's, shown by reflection.

The heap is 64 MiB for every program: Java takes its size from a flag.
"""

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tools.analysis.examples.native_values import Call
from tools.analysis.runs.native.chamber import MEBIBYTE, Limits
from tools.analysis.runs.native.driver import (
    Build,
    Driver,
    NotPlanned,
    Planned,
    Tools,
    find_system,
    read_harness,
)
from tools.analysis.runs.native.signatures import Function, Outline
from tools.analysis.runs.native.spelling import Unspellable

_JAVAC = (
    "-J-Xshare:auto -J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC -J-XX:-UsePerfData -J-Xmx256m"
    " -J-XX:-UseContainerSupport -proc:none -nowarn -Xlint:none -implicit:none -encoding UTF-8"
    " -d /tmp/out"
)
_FLAGS = (
    *("-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"),
    *("-XX:-UseContainerSupport", "-Xmx64m", "-XX:MaxMetaspaceSize=64m"),
    *("-XX:ReservedCodeCacheSize=32m", "-XX:CompressedClassSpaceSize=16m"),
    *("-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dsun.stdout.encoding=UTF-8"),
)
_JAR = "/program"


class Java(Driver):
    """Programs in Java."""

    language: ClassVar[str] = "java"
    runner: ClassVar[str] = "java"
    extension: ClassVar[str] = "java"
    doubtful: ClassVar[re.Pattern[str]] = re.compile(
        r"preview feature|not supported in -source|package (?!java\.)[\w.]+ does not exist"
        r"|method (?:getFirst|getLast|removeFirst|removeLast|addFirst|addLast|reversed)\("
        r"|unnamed classes|implicitly declared"
    )
    start_seconds: ClassVar[float] = 1.0
    reading: ClassVar[re.Pattern[str]] = re.compile(
        r"\bSystem\s*\.\s*in\b|\bconsole\(\)|\bIO\.read"
    )

    def find_tools(self) -> Tools | None:
        """Find the JDK by its compiler."""
        system = find_system("javac", "java", "tar")
        compiler = shutil.which("javac")
        if system is None or compiler is None:
            return None
        self._home = Path(os.path.realpath(compiler)).parent.parent
        if not (self._home / "lib").is_dir():
            return None
        settings = [str(one) for one in Path("/etc").glob("java*") if one.is_dir()]
        libraries = f"{self._home}/lib:{self._home}/lib/server"
        own = (str(self._home), *settings)
        return Tools((*system, *own), own, {"LD_LIBRARY_PATH": libraries})

    def limits(self, *, seconds: float, memory_mb: int) -> Limits:
        """Bound the heap by its flag, and all that can be written by what a JVM takes beside it."""
        data = (memory_mb + 320) * MEBIBYTE
        return Limits(cpu_seconds=2 * int(seconds) + 2, data=data)

    def program(self, code: str, outline: Outline) -> Build:
        """Compile the file by itself; the class with `main` is started."""
        main = outline.main()
        name = main.owner if main is not None and main.owner else "Main"
        package = outline.package[2] + "." if outline.package else ""
        source, code = self._place(code, outline)
        return Build({source: code.encode()}, self._script(source), self._run(package + name))

    def _script(self, *sources: str) -> str:
        javac = f"{self._home}/bin/javac {_JAVAC} {' '.join(sources)}"
        return f"mkdir /tmp/out && {javac} && tar -C /tmp/out -cf - ."

    def _run(self, name: str) -> tuple[str, ...]:
        return (f"{self._home}/bin/java", *_FLAGS, "-cp", _JAR, name)

    def _place(self, code: str, outline: Outline) -> tuple[str, str]:
        """Name the file by its public class; methods without a class get one, on their line."""
        if outline.loose is not None and not outline.types:
            data = code.encode()
            wrapped = data[: outline.loose] + b"class Solution { " + data[outline.loose :] + b"\n}"
            return "/src/Solution.java", wrapped.decode()
        return f"/src/{outline.public or 'Submission'}.java", code

    def prelude(self, code: str, outline: Outline) -> str | None:
        """Import `java.util` where nothing is imported, as practice sites do."""
        if outline.imports or outline.package:
            return None
        return f"import java.util.*; import java.util.stream.*; import java.util.function.*; {code}"

    def calls(self, code: str, outline: Outline, planned: Sequence[Planned], mark: str) -> Build:
        """Compile the file beside a class with one method for each call."""
        package = outline.package[2] if outline.package else ""
        head = f"package {package};" if package else ""
        calls = [
            f"static Object c{n}() throws Throwable {{ {one.before} return ({one.expression}); }}"
            for n, one in enumerate(planned)
        ]
        table = ", ".join(f"GoalsHarness::c{n}" for n in range(len(planned)))
        harness = "\n".join(
            [
                *(head, "import java.util.*;", "class GoalsHarness {", *calls),
                f"static final GoalsShow.Call[] CALLS = {{{table}}};",
                "public static void main(String[] a) { GoalsShow.run(CALLS, a[0]); } }",
            ]
        )
        source, code = self._place(code, outline)
        files = {
            source: code.encode(),
            self.harness: harness.encode(),
            "/src/GoalsShow.java": head.encode() + read_harness("GoalsShow.java", mark),
        }
        # javac wants no file of another name for a class that is not public.
        name = f"{package}.GoalsHarness" if package else "GoalsHarness"
        return Build(files, self._script(*files), self._run(name))

    def place(self, function: Function) -> str:
        """Write the method behind its class; one without a class was given `Solution`."""
        owner = function.owner or "Solution"
        return f"{owner}.{function.name}" if function.static else f"new {owner}().{function.name}"

    def sequence(
        self, made: Call, steps: Sequence[Call], want: object, outline: Outline
    ) -> Planned:
        """Make the object, and keep each value in an array."""
        expected = list(want) if isinstance(want, list | tuple) else []
        if made.name not in outline.types or len(expected) != len(steps):
            raise NotPlanned(f"the program has no class `{made.name}`")
        written = [f"{made.name} goals_it = new {made.name}({self._passed(made, outline)});"]
        written.append(f"Object[] goals_got = new Object[{len(steps)}];")
        for place, step in enumerate(steps):
            called = f"goals_it.{step.name}({self._passed(step, outline, owner=made.name)});"
            kept = "" if expected[place] is None else f"goals_got[{place}] = "
            written.append(kept + called)
        return Planned("goals_got", " ".join(written))

    def _passed(self, call: Call, outline: Outline, *, owner: str | None = None) -> str:
        """Write the arguments by the method's parameters; a constructor's numbers and texts."""
        if owner is None:
            if not all(isinstance(one, str | int | float) for one in call.arguments):
                raise NotPlanned("an object is made of numbers and texts here")
            return ", ".join(map(json.dumps, call.arguments))
        fitting = [one for one in outline.named(call.name, owner) if self.takes(one, call)]
        if len(fitting) != 1:
            raise NotPlanned(f"`{owner}` has no `{call.name}` for these arguments")
        try:
            return ", ".join(self.arguments(call, fitting[0]))
        except Unspellable as error:
            raise NotPlanned(f"an argument cannot be written: {error}") from error
