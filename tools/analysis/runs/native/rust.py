"""Rust by rustc: the calls are a module inside of the learner's file, values shown by a trait."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

from tools.analysis.examples.native_values import Call
from tools.analysis.runs.native.driver import (
    PROGRAM,
    Build,
    Driver,
    NotPlanned,
    Planned,
    Tools,
    find_system,
    read_harness,
)
from tools.analysis.runs.native.signatures import Function, Outline
from tools.analysis.runs.native.types import read_type

_FLAGS = (
    "--edition 2021 -C opt-level=1 -C overflow-checks=on"
    " -C debuginfo=0 -C strip=symbols -C codegen-units=1"
    " --cap-lints allow --color never -C linker=gcc"
)


@cache
def find_sysroot(compiler: str) -> Path | None:
    """Ask a compiler, or rustup's proxy for one, where its own files are."""
    try:
        done = subprocess.run(
            [compiler, "--print", "sysroot"],
            capture_output=True,
            timeout=10,
            check=False,
            text=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    root = Path(done.stdout.strip()).resolve()
    return root if done.returncode == 0 and (root / "bin" / "rustc").is_file() else None


class Rust(Driver):
    """Programs in Rust."""

    language: ClassVar[str] = "rust"
    runner: ClassVar[str] = "rustc"
    extension: ClassVar[str] = "rs"
    doubtful: ClassVar[re.Pattern[str]] = re.compile(
        r"E0432|E0433|E0463|E0658|E0670|only (?:allowed|stable|available)|edition 20"
    )
    reading: ClassVar[re.Pattern[str]] = re.compile(r"\bstdin\b|\bread_line\b|\bio::read")

    def find_tools(self) -> Tools | None:
        """Find the compiler's own files behind its name, and the linker."""
        compiler, system = shutil.which("rustc"), find_system("gcc", "ld")
        root = find_sysroot(compiler) if compiler is not None else None
        if root is None or system is None:
            return None
        self._root = root
        environment = {"LD_LIBRARY_PATH": f"{root}/lib"}
        return Tools((*system, str(root)), environment=environment)

    def _script(self) -> str:
        compiler = f"{self._root}/bin/rustc --sysroot {self._root}"
        return f"{compiler} {_FLAGS} -o /tmp/out {self.source} && cat /tmp/out"

    def program(self, code: str, outline: Outline) -> Build:
        """Compile the file by itself."""
        return Build({self.source: code.encode()}, self._script(), (PROGRAM,))

    def alone(self, code: str, outline: Outline) -> Build:
        """Check the file, which may have no `main`."""
        kind = "" if outline.main() is not None else " --crate-type lib"
        compiler = f"{self._root}/bin/rustc --sysroot {self._root}"
        script = f"{compiler} {_FLAGS}{kind} --emit metadata -o /tmp/out {self.source}"
        return Build({self.source: code.encode()}, script, (PROGRAM,))

    def calls(self, code: str, outline: Outline, planned: Sequence[Planned], mark: str) -> Build:
        """Add a module that sees what is private to the file; the file's `main` is renamed."""
        data = code.encode()
        main = next(
            (one for one in outline.functions if one.name == "main" and not one.owner), None
        )
        if main is not None:
            at = main.name_start
            data = data[:at] + b"goals_learners_main" + data[at + 4 :]
        data += (
            f'\n#[path = "{self.harness}"] mod goals_harness;'
            "\nfn main() { goals_harness::goals_main() }\n"
        ).encode()
        lines = [
            f"fn c{n}() -> String {{ {one.before} goals_shown!({one.expression}) }}"
            for n, one in enumerate(planned)
        ]
        table = ", ".join(f"c{n}" for n in range(len(planned)))
        head = "#[allow(unused_imports)] use super::*;"
        tail = f"pub fn goals_main() {{ goals_show::run(&[{table}]) }}"
        harness = "\n".join(
            ['#[path = "/src/goals_show.rs"] #[macro_use] mod goals_show;', head, *lines, tail]
        )
        files = {
            self.source: data,
            self.harness: harness.encode(),
            "/src/goals_show.rs": read_harness("show.rs", mark),
        }
        return Build(files, self._script(), (PROGRAM,))

    def place(self, function: Function) -> str:
        """Write the function's name, behind its type where it has one."""
        if function.owner is None:
            return function.name
        if function.static:
            return f"{function.owner}::{function.name}"
        return f"{function.owner}::default().{function.name}"

    def can_change(self, kind: str, mutable: bool) -> bool:  # noqa: FBT001 - what the type says
        """Tell a mutable reference."""
        return mutable

    def look(self, call: Call, function: Function, place: int) -> Planned:
        """Look at what is lent to be changed; what is not, Rust keeps as it is."""
        if not read_type(function.parameters[place].type, "rust").mutable:
            raise NotPlanned("the language itself keeps the argument as it is")
        looked = super().look(call, function, place)
        return Planned("goals_given", looked.before)

    def declare(self, name: str, kind: str, value: str) -> str:
        """Write a variable that holds what the reference is to."""
        return f"let mut {name} = {value.removeprefix('&mut ')};"

    def lend(self, name: str, kind: str) -> str:
        """Write the reference."""
        return f"&mut {name}"
