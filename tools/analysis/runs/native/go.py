"""Go by its own tool: the calls are a second file of the learner's package, shown by reflection."""

import os
import re
import shutil
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


class Go(Driver):
    """Programs in Go."""

    language: ClassVar[str] = "go"
    runner: ClassVar[str] = "go"
    extension: ClassVar[str] = "go"
    doubtful: ClassVar[re.Pattern[str]] = re.compile(
        r"is not in (?:GOROOT|std)|cannot find package|undefined: (?:min|max|clear)\b"
        r"|cannot range over|requires go1|no required module|go\.mod"
    )
    reading: ClassVar[re.Pattern[str]] = re.compile(r"\bos\.Stdin\b|\bfmt\.S?F?[Ss]can")

    def find_tools(self) -> Tools | None:
        """Find the tool's own folder; Debian keeps parts of it behind links."""
        system, found = find_system("go"), shutil.which("go")
        if system is None or found is None:
            return None
        self._root = Path(os.path.realpath(found)).parent.parent
        if not (self._root / "src").exists():
            return None
        parts = {str(self._root), *(os.path.realpath(one) for one in self._root.iterdir())}
        outside = sorted(one for one in parts if not one.startswith(f"{self._root}/"))
        environment = {
            **{"GOROOT": str(self._root), "GOCACHE": "/tmp/cache", "GOPATH": "/tmp/go"},  # noqa: S108 - the box's
            **{"CGO_ENABLED": "0", "GO111MODULE": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"},
            **{"GOTELEMETRY": "off", "GOENV": "off", "GOMAXPROCS": "2", "GOMEMLIMIT": "64MiB"},
        }
        folders = tuple(_folder(one) for one in outside)
        return Tools((*system, *folders), environment=environment)

    def limits(self, *, seconds: float, memory_mb: int) -> Limits:
        """Bound what can be written; Go reserves much more addresses than it uses."""
        return Limits(cpu_seconds=2 * int(seconds) + 1, data=(memory_mb + 128) * MEBIBYTE)

    def _script(self, *sources: str) -> str:
        # The links that Debian's folders are made of are followed by name only.
        command = f"{self._root}/bin/go build -gcflags=-e -ldflags='-s -w' -o /tmp/out"
        return f"unset GOMEMLIMIT; {command} {' '.join(sources)} && cat /tmp/out"

    def _main_package(self, code: str, outline: Outline, *, rename: bool) -> bytes:
        """Make the file part of package `main`; its own `main` gets another name."""
        data = code.encode()
        main = next(
            (one for one in outline.functions if one.name == "main" and not one.owner), None
        )
        if main is not None and rename:
            at = main.name_start
            data = data[:at] + b"goalsLearnersMain" + data[at + 4 :]
        if outline.package is None:
            return b"package main; " + data
        start, end, _ = outline.package
        return data[:start] + b"main" + data[end:]

    def program(self, code: str, outline: Outline) -> Build:
        """Compile the file by itself."""
        source = self._main_package(code, outline, rename=False)
        return Build({self.source: source}, self._script(self.source), (PROGRAM,))

    def alone(self, code: str, outline: Outline) -> Build:
        """Compile the file with an empty `main`, if it has none."""
        source = self._main_package(code, outline, rename=True)
        files = {self.source: source, self.harness: b"package main\nfunc main() {}\n"}
        return Build(files, self._script(*files), (PROGRAM,))

    def calls(self, code: str, outline: Outline, planned: Sequence[Planned], mark: str) -> Build:
        """Compile the file beside one function for each call."""
        lines = [
            f"func goals_{n}() goalsValues {{ {one.before} return goalsMany({one.expression}) }}"
            for n, one in enumerate(planned)
        ]
        table = ", ".join(f"goals_{n}" for n in range(len(planned)))
        harness = "\n".join(
            [
                *("package main", *lines),
                f"func main() {{ goalsRun([]func() goalsValues{{{table}}}) }}",
            ]
        )
        files = {
            self.source: self._main_package(code, outline, rename=True),
            self.harness: harness.encode(),
            "/src/goals_show.go": read_harness("show.go", mark),
        }
        return Build(files, self._script(*files), (PROGRAM,))

    def place(self, function: Function) -> str:
        """Write the function's name, or the method of a zero value."""
        return f"new({function.owner}).{function.name}" if function.owner else function.name

    def can_change(self, kind: str, mutable: bool) -> bool:  # noqa: FBT001 - what the type says
        """Tell a slice or a map."""
        return kind in ("list", "map")

    def declare(self, name: str, kind: str, value: str) -> str:
        """Write a variable that holds a value."""
        return f"{name} := {value};"


def _folder(path: str) -> str:
    return path if Path(path).is_dir() else str(Path(path).parent)
