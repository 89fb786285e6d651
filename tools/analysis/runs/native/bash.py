"""Bash scripts: what they read and print; they may start the system's own programs."""

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from tools.analysis.examples.native_values import Call
from tools.analysis.runs.native.chamber import MEBIBYTE, Limits
from tools.analysis.runs.native.driver import (
    Build,
    Driver,
    NotPlanned,
    Planned,
    Tools,
    find_system,
)
from tools.analysis.runs.native.signatures import Outline

MOST_PROCESSES: Final = 64


class Bash(Driver):
    """Scripts for Bash."""

    language: ClassVar[str] = "bash"
    runner: ClassVar[str] = "bash"
    extension: ClassVar[str] = "sh"
    scripted: ClassVar[bool] = True
    shell: ClassVar[bool] = True
    # Nearly every program that a script starts reads what is left of the input.
    reading: ClassVar[re.Pattern[str]] = re.compile(r"")

    def find_tools(self) -> Tools | None:
        """Find Bash and the system's programs."""
        binds = find_system("bash")
        if binds is None:
            return None
        system = tuple(one for one in binds if "include" not in one)
        return Tools(system, system)

    def limits(self, *, seconds: float, memory_mb: int) -> Limits:
        """Bound each process of a script."""
        return Limits(cpu_seconds=int(seconds) + 1, addresses=(memory_mb + 64) * MEBIBYTE)

    def program(self, code: str, outline: Outline) -> Build:
        """Hand the script over as it is, but for carriage returns."""
        script = code.replace("\r\n", "\n").encode()
        start = f'ulimit -u {MOST_PROCESSES} && exec /usr/bin/bash "$0"'
        return Build({self.source: script}, None, ("/usr/bin/bash", "-c", start, self.source))

    def calls(self, code: str, outline: Outline, planned: Sequence[Planned], mark: str) -> Build:
        """Make no calls."""
        raise NotPlanned("a script has no values to compare")

    def plan(self, call: Call, outline: Outline, want: object) -> Planned:
        """Refuse: what a function of the shell prints is no value."""
        raise NotPlanned("a script has no values to compare")
