"""What every language says about itself: where its tools are, how it is built, called and run."""

import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from tools.analysis.examples.native_values import Anything, Call, Group, Unread
from tools.analysis.runs.native.chamber import MEBIBYTE, Limits
from tools.analysis.runs.native.signatures import Function, Outline
from tools.analysis.runs.native.spelling import Unspellable, spell
from tools.analysis.runs.native.types import read_type

HARNESS: Final = Path(__file__).with_name("harness")
# Programs of the system, headers, and the links by which Debian names its choices.
SYSTEM: Final = ("/usr/bin", "/usr/include", "/usr/libexec", "/etc/alternatives")
VOID: Final = frozenset({"", "void", "()", "Unit"})
PROGRAM: Final = "/program"


@dataclass(frozen=True)
class Tools:
    """Where a language's tools are: folders for building, and for running; their environment."""

    binds: tuple[str, ...]
    run_binds: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Build:
    """Sources by their path inside, the shell command that prints the program, or none."""

    files: Mapping[str, bytes]
    script: str | None
    run: tuple[str, ...]


@dataclass(frozen=True)
class Planned:
    """One call as it is compiled: what comes before it, and the expression whose value counts."""

    expression: str
    before: str = ""


class NotPlanned(ValueError):
    """The call cannot be made in this program; the message says why."""


class Driver(ABC):
    """One language."""

    language: ClassVar[str]
    runner: ClassVar[str]
    extension: ClassVar[str]
    proc: ClassVar[bool] = False
    scripted: ClassVar[bool] = False
    shell: ClassVar[bool] = False
    reading: ClassVar[re.Pattern[str]]
    # What a start takes before the first line of a program runs.
    start_seconds: ClassVar[float] = 0.0

    @property
    def source(self) -> str:
        """Give the path of the learner's file inside of the box."""
        return f"/src/submission.{self.extension}"

    @property
    def harness(self) -> str:
        """Give the path inside of the file that holds the calls, one a line."""
        return f"/src/goals_harness.{self.extension}"

    @abstractmethod
    def find_tools(self) -> Tools | None:
        """Find the tools on this machine; None where they are missing."""

    @abstractmethod
    def program(self, code: str, outline: Outline) -> Build:
        """Build the learner's file as a program of its own."""

    @abstractmethod
    def calls(self, code: str, outline: Outline, planned: Sequence[Planned], mark: str) -> Build:
        """Build the learner's file with a harness that makes the calls."""

    def alone(self, code: str, outline: Outline) -> Build:
        """Check that the learner's file compiles by itself."""
        return self.program(code, outline)

    def prelude(self, code: str, outline: Outline) -> str | None:
        """Give the code with the imports that its platform would add, if it has none itself."""
        return None

    # What a compiler also says where this machine's version or libraries are not the learner's.
    doubtful: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")

    def is_certain(self, said: str) -> bool:
        """Tell whether what the compiler says is the program's fault on every machine."""
        return self.doubtful.search(said) is None

    def is_program(self, outline: Outline) -> bool:
        """Tell whether the file is a program that can be started."""
        return self.scripted or outline.main() is not None

    def limits(self, *, seconds: float, memory_mb: int) -> Limits:
        """Bound a program that was built: addresses of `memory_mb` and what its start takes."""
        return Limits(cpu_seconds=int(seconds) + 1, addresses=(memory_mb + 64) * MEBIBYTE)

    def plan(self, call: Call, outline: Outline, want: object) -> Planned:
        """Write the call for this program. Raises NotPlanned."""
        functions = outline.named(call.name, call.owner)
        if not functions:
            names = set(re.findall(r"\w+", re.sub(r"\"(?:[^\"\\]|\\.)*\"", "", call.text)))
            if not names & (outline.types | {one.name for one in outline.functions}):
                raise NotPlanned(f"the program has no `{call.name}`")
            return self.written(call)
        if not call.simple:
            return self.written(call)
        fitting = [one for one in functions if self.takes(one, call)]
        if not fitting:
            raise NotPlanned(f"`{functions[0].name}` takes other arguments")
        if len(fitting) > 1 or fitting[0].generic:
            return self.written(call)
        if self.has_company(fitting[0], outline):
            raise NotPlanned(f"nobody tells of which object `{fitting[0].name}` is asked")
        return self.translate(call, fitting[0], outline, want)

    def watch(
        self, name: str, given: Sequence[object], place: int | None, outline: Outline
    ) -> Planned:
        """Write a call after which the argument at `place` is looked at, or all of them.

        Raises NotPlanned.
        """
        call = Call(f"{name}(...)", name, tuple(given), simple=True)
        fitting = [one for one in outline.named(name, None) if self.takes(one, call)]
        if len(fitting) != 1 or self.has_company(fitting[0], outline):
            raise NotPlanned(f"the program has no `{name}` for these arguments")
        try:
            if place is None:
                return self.look_at_all(call, fitting[0])
            return self.look(call, fitting[0], place)
        except Unspellable as error:
            raise NotPlanned(f"an argument cannot be written: {error}") from error

    # Where texts can be changed in place, every argument is looked at.
    texts_change: ClassVar[bool] = False

    def look_at_all(self, call: Call, function: Function) -> Planned:
        """Write the call and a list of its arguments afterwards. Raises Unspellable, NotPlanned."""
        raise NotPlanned("nobody tells which argument is looked at")

    def look(self, call: Call, function: Function, place: int) -> Planned:
        """Write the call and the variable. Raises Unspellable, NotPlanned."""
        written = self.arguments(call, function)
        kind = function.parameters[place].type if place < len(function.parameters) else ""
        declared = self.declare("goals_given", kind, written[place])
        written[place] = self.lend("goals_given", kind)
        called = f"{self.place(function)}({', '.join(written)});"
        return Planned(self.lend("goals_given", kind), f"{declared} {called}")

    def sequence(
        self, made: Call, steps: Sequence[Call], want: object, outline: Outline
    ) -> Planned:
        """Write calls on one object, one after another; their values as a list. Raises NotPlanned.

        What is expected to be nothing is called, and counts as nothing.
        """
        raise NotPlanned("several calls on one object cannot be written here")

    def has_company(self, function: Function, outline: Outline) -> bool:
        """Tell a method that is one of several of its object: what it gives hangs on the others."""
        if function.owner is None or function.static:
            return False
        kin = [one for one in outline.functions if one.owner == function.owner]
        names = {one.name for one in kin if not (one.private or one.static)}
        return len(names - {"initialize", "__construct", "main"}) > 1

    def written(self, call: Call) -> Planned:
        """Take the call as the task writes it."""
        return Planned(call.text)

    def takes(self, function: Function, call: Call) -> bool:
        """Tell whether the number of arguments fits."""
        count, parameters = len(call.arguments), len(function.parameters)
        spread = bool(parameters) and function.parameters[-1].spread
        return count >= parameters - 1 if spread else count == parameters

    def translate(
        self, call: Call, function: Function, outline: Outline | None, want: object
    ) -> Planned:
        """Write the arguments by the types of the learner's own function."""
        place = self.place(function)
        try:
            written = self.arguments(call, function)
        except Unspellable as error:
            exact = call.name == function.name and (call.owner or not function.owner)
            if exact or any(isinstance(one, Unread) for one in call.arguments):
                return self.written(call)
            raise NotPlanned(f"an argument cannot be written: {error}") from error
        items = isinstance(want, list | tuple | Group | Anything)
        if function.returns in VOID and self.typed and items:
            changed = self.changed(function)
            if changed is None:
                raise NotPlanned(f"`{function.name}` returns nothing")
            given = self.declare("goals_given", function.parameters[changed].type, written[changed])
            written[changed] = self.lend("goals_given", function.parameters[changed].type)
            return Planned("goals_given", f"{given} {place}({', '.join(written)});")
        return Planned(f"{place}({', '.join(written)})")

    typed: ClassVar[bool] = True

    def arguments(self, call: Call, function: Function) -> list[str]:
        """Write each argument by the type of its parameter. Raises Unspellable."""
        parameters = list(function.parameters)
        while len(parameters) < len(call.arguments):
            parameters.append(parameters[-1])
        return [
            one.text
            if isinstance(one, Unread)
            else spell(
                one, read_type(parameter.type if self.typed else "", self.language), self.language
            )
            for one, parameter in zip(call.arguments, parameters, strict=False)
        ]

    def place(self, function: Function) -> str:
        """Write the name by which the function is called, an object made where it needs one."""
        if function.owner is None:
            return function.name
        if function.static:
            return f"{function.owner}.{function.name}"
        return f"new {function.owner}().{function.name}"

    def changed(self, function: Function) -> int | None:
        """Give the place of the one parameter that the function can change for its caller."""
        kinds = [read_type(one.type, self.language) for one in function.parameters]
        places = [n for n, kind in enumerate(kinds) if self.can_change(kind.kind, kind.mutable)]
        return places[0] if len(places) == 1 else None

    def can_change(self, kind: str, mutable: bool) -> bool:  # noqa: FBT001 - what the type says
        """Tell whether a parameter of that kind shows its changes to the caller."""
        return kind in ("list", "set", "map")

    def declare(self, name: str, kind: str, value: str) -> str:
        """Write a variable that holds a value."""
        return f"var {name} = {value};"

    def lend(self, name: str, kind: str) -> str:
        """Write a variable as the argument that is changed."""
        return name


def find_system(*programs: str) -> tuple[str, ...] | None:
    """Give the system's folders, and those of the programs; None where one is missing."""
    found = [shutil.which(program) for program in programs]
    if any(one is None for one in found):
        return None
    folders = [one for one in SYSTEM if Path(one).is_dir()]
    for one in found:
        folder = str(Path(os.path.realpath(one or "")).parent)
        if not folder.startswith(("/usr/bin", "/usr/lib", "/bin")):
            folders.append(folder)
    return tuple(dict.fromkeys(folders))


def read_harness(name: str, mark: str = "") -> bytes:
    """Read a harness's own source, with the mark by which its answers are known."""
    return (HARNESS / name).read_text().replace("GOALS_MARK", mark).encode()
