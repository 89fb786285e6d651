"""Judge what a program in a box answered, and say how one ended that did not answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tools.analysis.examples.example import Example
from tools.analysis.examples.native_values import Char, Thing
from tools.analysis.runs.native.answers import is_same, read_answer, show
from tools.analysis.runs.native.driver import Planned
from tools.analysis.runs.program import Outcome, Status, make_outcome
from tools.analysis.runs.values import Unreadable

SIGNALS: Final = {
    132: "an illegal instruction",
    134: "an abort",
    136: "a division by zero",
    139: "a segmentation fault (an address that is not its own)",
}
TIME_IS_UP: Final = (152, 137)
# The walls of the box, and what another machine may have: files, network, libraries, versions.
_NOT_HERE: Final = frozenset(
    {
        *("FileNotFoundException", "NoSuchFileException", "AccessDeniedException"),
        *("SocketException", "UnknownHostException", "DirectoryNotFoundException"),
        *("UnauthorizedAccessException", "LoadError", "ENOENT", "EACCES", "EPERM", "EROFS"),
        *("ENOSYS", "SyntaxError", "ParseError"),
    }
)
_MISSING: Final = re.compile(
    r"undefined function (?:mb_|iconv|ctype_|bc[a-z]|gmp_|intl|grapheme_"
    r"|array_(?:find|any|all))"
    r"|can't create Thread|unable to create (?:new )?native thread",
    re.IGNORECASE,
)
_NO_MEMORY: Final = frozenset({"OutOfMemoryError", "bad_alloc", "NoMemoryError"})


@dataclass
class Attempt:
    """One example on its way to an outcome; `got` is the program's value, if it `answered`."""

    example: Example
    want: object = None
    planned: Planned | None = None
    adapted: bool = False
    outcome: Outcome | None = None
    got: object = None
    answered: bool = False


def describe_end(status: int, said: str) -> str:
    """Say how a process ended, with the most telling thing that it said."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    lines = [re.sub(r"^/(?:src|tmp)/", "", line) for line in lines]
    telling = [line for line in lines if re.search(r"rror|xception|panic|ssertion|atal", line)]
    words = re.sub(r"^.*(?=Assertion )", "", (telling or lines or [""])[0])[:200]
    how = SIGNALS.get(status, f"status {status}")
    return f"the program ended with {how}" + (f": {words}" if words else "")


class Judge:
    """Settles attempts of one language, as `runner`."""

    def __init__(self, language: str, runner: str) -> None:
        self._language, self._runner = language, runner

    def outcome(
        self,
        attempt: Attempt,
        status: Status,
        *,
        got: str | None = None,
        detail: str | None = None,
    ) -> Outcome:
        """Make an attempt's outcome."""
        return make_outcome(attempt.example, status, got=got, detail=detail, runner=self._runner)

    def settle(
        self,
        attempts: Sequence[Attempt],
        status: Status,
        *,
        got: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Give those their outcome that have none."""
        for one in attempts:
            if one.outcome is None:
                one.outcome = self.outcome(one, status, got=got, detail=detail)

    def judge(self, attempt: Attempt, answer: list[object], said: str) -> None:
        """Judge one answer of a harness; `said` came on the standard error before."""
        match answer:
            case ["value", value]:
                self._judge_value(attempt, value)
            case ["raised", list(names), str(message), *rest]:
                self._judge_raised(attempt, [str(one)[:80] for one in names], message, rest)
            case ["unusable", *_]:
                detail = "the call does not compile with the program"
                self.settle([attempt], "not_runnable", detail=detail)
            case ["timeout"]:
                self.settle([attempt], "timeout", detail="it did not end within the time limit")
            case ["ended", int(status)]:
                if status in SIGNALS or status != 0:
                    self.settle([attempt], "error", detail=describe_end(status, said))
                else:
                    self.settle([attempt], "error", detail="the program ended by itself")
            case _:
                self.settle([attempt], "error", detail="its answer cannot be read")

    def _judge_raised(
        self, attempt: Attempt, names: list[str], message: str, rest: Sequence[object]
    ) -> None:
        described = f"{names[0]}: {message[:200]}" if message else names[0]
        described += f" (line {rest[0]})" if rest and isinstance(rest[0], int) else ""
        wanted = attempt.example.raises
        if wanted is not None and wanted.rpartition(".")[2] in names:
            self.settle([attempt], "pass", got=f"raises {wanted}")
        elif not _NOT_HERE.isdisjoint(names) or _MISSING.search(message):
            detail = f"the sandbox does not have it: {described}"
            self.settle([attempt], "not_runnable", detail=detail)
        elif wanted is not None:
            self.settle([attempt], "fail", got=described)
        elif not _NO_MEMORY.isdisjoint(names):
            self.settle([attempt], "error", detail="it used more memory than allowed")
        else:
            self.settle([attempt], "error", detail=described)

    def _judge_value(self, attempt: Attempt, value: object) -> None:
        try:
            got = read_answer(value)
        except Unreadable:
            self.settle([attempt], "error", detail="its value cannot be read")
            return
        language = self._language
        attempt.got, attempt.answered = got, True
        shown = show(got, language)
        if attempt.example.raises is not None:
            self.settle([attempt], "fail", got=shown, detail="no exception was raised")
        elif isinstance(got, Thing):
            detail = f"a value of type {got.name} has no writing to compare"
            self.settle([attempt], "not_runnable", got=shown, detail=detail)
        elif is_same(got, attempt.want, language):
            self.settle([attempt], "pass", got=attempt.example.expected)
        elif attempt.adapted and _is_text(got) != _is_text(attempt.want):
            detail = "a text instead of a value, or the other way round"
            self.settle([attempt], "not_runnable", got=shown, detail=detail)
        else:
            self.settle([attempt], "fail", got=shown)


def _is_text(value: object) -> bool:
    return isinstance(value, str | Char)
