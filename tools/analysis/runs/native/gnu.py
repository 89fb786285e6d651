"""What C and C++ have in common: one compiler of the GNU collection, its flags, its files."""

from typing import ClassVar

from tools.analysis.runs.native.driver import PROGRAM, Build, Driver, Tools, find_system
from tools.analysis.runs.native.signatures import Outline


class Gnu(Driver):
    """A language that the compiler `runner` builds with `flags` and `libraries`."""

    flags: ClassVar[str]
    libraries: ClassVar[str] = ""

    def find_tools(self) -> Tools | None:
        """Find the compiler and the system's headers."""
        binds = find_system(self.runner, "as", "ld")
        return Tools(binds) if binds is not None else None

    def program(self, code: str, outline: Outline) -> Build:
        """Compile the file by itself."""
        return self.compiled({self.source: code.encode()}, self.source)

    def alone(self, code: str, outline: Outline) -> Build:
        """Check the file, which may have no `main`."""
        script = f"{self.runner} {self.flags} -fsyntax-only {self.source}"
        return Build({self.source: code.encode()}, script, (PROGRAM,))

    def compiled(self, files: dict[str, bytes], *sources: str) -> Build:
        """Compile and link `sources`, of these files."""
        command = f"{self.runner} {self.flags} -o /tmp/out {' '.join(sources)} {self.libraries}"
        return Build(files, f"{command} && cat /tmp/out", (PROGRAM,))
