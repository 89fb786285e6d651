"""C by gcc: the calls are compiled into the learner's own translation unit, values shown apart."""

import re
from collections.abc import Sequence
from typing import ClassVar

from tools.analysis.examples.native_values import Anything, Call, Group, Unread
from tools.analysis.runs.native.driver import (
    Build,
    NotPlanned,
    Planned,
    read_harness,
)
from tools.analysis.runs.native.gnu import Gnu
from tools.analysis.runs.native.signatures import Function, Outline
from tools.analysis.runs.native.spelling import Unspellable, items_of, spell, spell_text
from tools.analysis.runs.native.types import Type, read_type

_DECLARED = """
extern void goals_open(void), goals_close(void), goals_ready(void), goals_raw(const char *);
extern void goals_int(long long), goals_uint(unsigned long long), goals_bool(_Bool);
extern void goals_double(double), goals_float(float), goals_char(char), goals_text(const char *);
extern void goals_other();
#define GOALS_VALUE(x) _Generic((x), _Bool: goals_bool, char: goals_char, \\
  signed char: goals_int, short: goals_int, int: goals_int, long: goals_int, \\
  long long: goals_int, unsigned char: goals_uint, unsigned short: goals_uint, \\
  unsigned: goals_uint, unsigned long: goals_uint, unsigned long long: goals_uint, \\
  float: goals_float, double: goals_double, long double: goals_double, \\
  char *: goals_text, const char *: goals_text, default: goals_other)(x)
#define GOALS_ARRAY(p, n) do { goals_raw("["); \\
  for (long goals_k = 0; goals_k < (long)(n) && goals_k < 5000; goals_k++) { \\
    if (goals_k) goals_raw(", "); GOALS_VALUE((p)[goals_k]); } goals_raw("]"); } while (0)
"""
_COUNT = ("int", "size_t", "long", "unsigned", "unsigned int", "short", "ssize_t", "int32_t")


class C(Gnu):
    """Programs in C."""

    language: ClassVar[str] = "c"
    runner: ClassVar[str] = "gcc"
    extension: ClassVar[str] = "c"
    flags: ClassVar[str] = (
        "-std=gnu17 -O1 -fwrapv -w -fno-diagnostics-color -fno-diagnostics-show-caret"
        " -fmax-errors=20"
    )
    libraries: ClassVar[str] = "-lm"
    doubtful: ClassVar[re.Pattern[str]] = re.compile(
        r"No such file or directory|undefined reference"
    )
    reading: ClassVar[re.Pattern[str]] = re.compile(
        r"\b(?:scanf|getchar|fgets|getline|gets|fgetc|fread|read|stdin)\b"
    )

    def prelude(self, code: str, outline: Outline) -> str | None:
        """Add the usual headers, of which one may be missing that another machine brings."""
        names = ("stdio", "stdlib", "string", "stdbool", "ctype", "math", "limits", "stdint")
        # On the first line, so that the others keep their numbers.
        return _headers(names) + code

    def calls(self, code: str, outline: Outline, planned: Sequence[Planned], mark: str) -> Build:
        """Include the file, and the calls below it; `main` is renamed."""
        lines = [f"static void goals_{n}(void) {{ {_show(one)} }}" for n, one in enumerate(planned)]
        table = ", ".join(f"goals_{n}" for n in range(len(planned)))
        harness = "\n".join(
            [
                *("#define main goals_learners_main", f'#include "{self.source}"', "#undef main"),
                *(_DECLARED, *lines),
                f"static void (*const goals_calls[])(void) = {{{table}}};",
                "extern int atoi(const char *);",
                "int main(int goals_argc, char **goals_argv) {",
                "  int goals_n = atoi(goals_argv[1]); goals_ready();",
                f"  for (; goals_n < {len(planned)}; goals_n++) "
                "{ goals_open(); goals_calls[goals_n](); goals_close(); }",
                "  return 0; }",
            ]
        )
        files = {
            self.source: code.encode(),
            self.harness: harness.encode(),
            "/src/goals_show.c": read_harness("show.c", mark),
        }
        return self.compiled(files, self.harness, "/src/goals_show.c")

    def takes(self, function: Function, call: Call) -> bool:
        """Fit the arguments, the lengths of arrays and of the result being left out or not."""
        return _spread(call.arguments, function) is not None

    def translate(
        self, call: Call, function: Function, outline: Outline | None, want: object
    ) -> Planned:
        """Write arrays as variables, with their lengths where the call leaves those out."""
        given = _spread(call.arguments, function)
        kinds = [read_type(one.type, "c") for one in function.parameters]
        if given is None:
            raise NotPlanned(f"`{function.name}` takes other arguments")
        before, written, changed = [], [], []
        for n, (one, kind) in enumerate(zip(given, kinds, strict=True)):
            if isinstance(one, Unread):
                written.append(one.text)
                continue
            try:
                declared, name = _argument(n, one, kind)
            except Unspellable as error:
                raise NotPlanned(f"an argument cannot be written: {error}") from error
            before.append(declared)
            written.append(name)
            if kind.mutable and isinstance(one, str | list | tuple | Group):
                changed.append((name, one, kind))
        expression = f"{function.name}({', '.join(written)})"
        pointer = function.returns.endswith("*") and function.returns != "char*"
        unknown = isinstance(want, Anything) and pointer
        lists = isinstance(want, list | tuple | Group) or unknown
        if function.returns == "void":
            if len(changed) != 1:
                raise NotPlanned(f"`{function.name}` returns nothing")
            name, value, _ = changed[0]
            if isinstance(value, str):
                return Planned(f"(char *){name}", " ".join([*before, f"{expression};"]))
            length = len(items_of(value))
            return Planned(f"GOALS:{name}:{length}", " ".join([*before, f"{expression};"]))
        if lists and function.returns.endswith("*") and given and given[-1] == _Size():
            held = f"__typeof__({expression}) goals_r = {expression};"
            return Planned(f"GOALS:goals_r:goals_{len(given) - 1}", " ".join([*before, held]))
        if lists:
            raise NotPlanned("nobody tells how long its result is")
        return Planned(expression, " ".join(before))

    def look(self, call: Call, function: Function, place: int) -> Planned:
        """Look at an array as long as it was given."""
        planned = self.translate(call, function, None, None)
        length = len(items_of(call.arguments[place]))
        places = [
            n for n, one in enumerate(function.parameters) if "*" in one.type or "[" in one.type
        ]
        if len(places) != 1:
            raise NotPlanned("nobody tells which array is looked at")
        return Planned(
            f"GOALS:goals_{places[0]}:{length}", f"{planned.before} (void) {planned.expression};"
        )


class _Size:
    """Where the function writes the length of its result."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Size)

    def __hash__(self) -> int:
        return 0


def _headers(names: tuple[str, ...]) -> str:
    return "".join(f"#include <{name}.h>\n" for name in names) + "#line 1\n"


def _show(one: Planned) -> str:
    if one.expression.startswith("GOALS:"):
        _, name, length = one.expression.split(":")
        return f"{one.before} GOALS_ARRAY({name}, {length});"
    return f"{one.before} GOALS_VALUE({one.expression});"


def _spread(arguments: Sequence[object], function: Function) -> list[object] | None:
    """Give an argument for each parameter, the lengths of lists filled in; None where none fit."""
    parameters = function.parameters
    if len(arguments) == len(parameters):
        return list(arguments)
    given: list[object] = []
    left = list(arguments)
    length: int | None = None
    for place, parameter in enumerate(parameters):
        kind = read_type(parameter.type, "c")
        remaining = len(parameters) - place
        counts = parameter.type.replace("const ", "") in _COUNT
        if length is not None and counts and len(left) < remaining:
            given.append(length)
            length = None
            continue
        if not left:
            last = place == len(parameters) - 1 and kind.name == "*" and kind.written == "int"
            return [*given, _Size()] if last else None
        value = left.pop(0)
        length = None
        if kind.name == "*" and isinstance(value, list | tuple | Group):
            length = len(items_of(value))
        given.append(value)
    return given if not left else None


def _argument(number: int, value: object, kind: Type) -> tuple[str, str]:
    """Declare a variable with the value, and give how it is handed over. Raises Unspellable."""
    name = f"goals_{number}"
    if isinstance(value, _Size):
        return f"int {name} = 0;", f"&{name}"
    if value is None:
        return "", "0"
    if kind.kind == "str":
        if not isinstance(value, str):
            raise Unspellable("no text")
        room = 2 * len(value.encode()) + 64
        return f"char {name}[{room}] = {spell_text(value, 'c')};", name
    if kind.kind == "list":
        items = items_of(value)
        inner = kind.inside[0]
        if inner.kind == "any":
            raise Unspellable(f"what is {inner.written}?")
        base = "char *" if inner.kind == "str" else kind.written
        written = ", ".join(spell(one, inner, "c") for one in items)
        return f"{base} {name}[{len(items) or 1}] = {{{written or '0'}}};", name
    if kind.kind == "any":
        return "", spell(value, kind, "c")
    return f"{kind.written} {name} = {spell(value, kind, 'c')};", name
