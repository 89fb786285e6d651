"""What of a machine decides how programs are run: its boxes, which others may stand in for.

Every run in a box goes through here. A stand-in gives the outcomes of another machine, so that
what is made of them can be judged where there is no bubblewrap and no compiler.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from tools.analysis.examples.example import Example
from tools.analysis.runs import cpython
from tools.analysis.runs.native.registry import find_runner, run_native
from tools.analysis.runs.program import Outcome

NO_BOX = "bubblewrap does not work here"


class Boxes(Protocol):
    """Runs programs that no sandbox inside Python can hold."""

    def why_not(self, language: str) -> str | None:
        """Tell why programs in `language` cannot be run in a box; None where they can."""

    def run_python(
        self,
        code: str,
        examples: Sequence[Example],
        *,
        seconds: float,
        memory_mb: int,
        deadline: float,
    ) -> list[Outcome]:
        """Run the examples in CPython, in order; `deadline` (monotonic) bounds all of them."""

    def run_native(
        self,
        code: str,
        language: str,
        examples: Sequence[Example],
        *,
        seconds: float,
        memory_mb: int,
    ) -> list[Outcome]:
        """Run the examples on a program in another language."""


class OwnBoxes:
    """The boxes of this machine."""

    def why_not(self, language: str) -> str | None:
        """Tell why programs in `language` cannot be run here; tools are tried once."""
        if language == "python":
            return None if cpython.can_run() else NO_BOX
        return find_runner(language)

    def run_python(
        self,
        code: str,
        examples: Sequence[Example],
        *,
        seconds: float,
        memory_mb: int,
        deadline: float,
    ) -> list[Outcome]:
        """Run the examples under bubblewrap."""
        return cpython.run_in_box(
            code, examples, seconds=seconds, memory_mb=memory_mb, deadline=deadline
        )

    def run_native(
        self,
        code: str,
        language: str,
        examples: Sequence[Example],
        *,
        seconds: float,
        memory_mb: int,
    ) -> list[Outcome]:
        """Build the program with this machine's tools, and run it under bubblewrap."""
        return run_native(code, language, examples, seconds=seconds, memory_mb=memory_mb)


_stack: list[Boxes] = [OwnBoxes()]


def boxes() -> Boxes:
    """Return what runs programs in boxes now."""
    return _stack[-1]


@contextmanager
def stand_in(others: Boxes) -> Iterator[None]:
    """Let `others` run programs in this process within the block, whichever thread asks."""
    _stack.append(others)
    try:
        yield
    finally:
        _stack.remove(others)
