"""Judge programs that read their input and print: by the lines that they print.

Also tell such a program from a lone function, which the same example may call.
"""

import ast
import re
from dataclasses import replace
from typing import Literal

from tools.analysis.examples.expressions import (
    canonical,
    is_literal,
    parse_expression,
    silent_warnings,
)
from tools.analysis.examples.finder import Example
from tools.analysis.examples.literals import evaluate_literal

MAX_SHOWN = 400
_LABELLED = re.compile(r"[^\W\d_].*[\s:=>¿¡\"'(]$", re.DOTALL)
_WORD = re.compile(r"[^\W\d_][\w-]{0,40}")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)\s*")

Judgement = tuple[Literal["pass", "fail", "not_runnable"], str, str | None]


def judge_output(example: Example, printed: str) -> Judgement:
    """Compare line by line, but for spaces at the ends and empty last lines: status, got, detail.

    Where each line only has words before what is expected, nobody can tell: not runnable.
    """
    want, got = _lines(str(evaluate_literal(example.expected or "''"))), _lines(printed)
    shown = repr("\n".join(got))
    shown = shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 3] + "..."
    if got == want:
        return "pass", shown, None
    if len(got) == len(want) and all(map(_is_labelled, got, want)):
        return "not_runnable", shown, "what it prints has the expected text, behind other words"
    return "fail", shown, None


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _is_labelled(got: str, want: str) -> bool:
    if got == want:
        return True
    bare = got.rstrip(" .!")
    label = bare.removesuffix(want)
    return bool(want) and label != bare and _LABELLED.search(label) is not None


def reads_input(code: str) -> bool:
    """Tell whether a Python program asks for input; True also where it cannot be parsed."""
    tree = _parse(code)
    return tree is None or any(map(_is_reading, ast.walk(tree)))


def _is_reading(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="input")):
            return True
        case ast.Attribute(value=ast.Name(id="sys"), attr="stdin" | "__stdin__"):
            return True
        case ast.ImportFrom(module="sys", names=names):
            return any(name.name == "stdin" for name in names)
        case ast.Import(names=names):
            return any(name.name == "fileinput" for name in names)
        case ast.Call(func=ast.Name(id="open"), args=[ast.Constant(value=first), *_]):
            return first in (0, "/dev/stdin")
    return False


def adapt_to_program(example: Example, code: str) -> Example | None:
    """Give the example as this program can answer it; None where it cannot.

    A program that reads its input keeps it. Of one function, and nothing else that could be meant,
    the input is the arguments where it is written as such: one literal for one parameter, as many
    as there are parameters, or each by its name.
    """
    if example.kind != "io":
        return example
    if reads_input(code):
        return None if _is_argument(example) else example
    tree = _parse(code)
    function = _only_function(tree) if tree is not None else None
    return _as_call(example, function) if function is not None else None


def _as_call(example: Example, function: ast.FunctionDef) -> Example | None:
    given = str(evaluate_literal(example.expression)).strip()
    wanted = str(evaluate_literal(example.expected or "''")).strip()
    expected = parse_expression(wanted)
    arguments = _arguments(given, [argument.arg for argument in function.args.args])
    if arguments is None or "\n" in wanted:
        return None
    if expected is None or not is_literal(expected):
        # A bare word may be a text; what is no text then proves nothing.
        written = repr(wanted) if _WORD.fullmatch(wanted) else None
    else:
        written = canonical(expected)
    call = f"{function.name}({arguments})"
    return replace(example, kind="call", expression=call, expected=written) if written else None


def _is_argument(example: Example) -> bool:
    """Tell a value, whose writing in a program's input is anybody's guess, from a line of input."""
    given = str(evaluate_literal(example.expression)).strip()
    printed = str(evaluate_literal(example.expected or "''")).strip()
    quoted = any(text[:1] in tuple("'\"") and text[-1:] == text[:1] for text in (given, printed))
    return quoted or given.startswith(("[", "{", "(")) or _ASSIGNMENT.match(given) is not None


def _parse(code: str) -> ast.Module | None:
    try:
        with silent_warnings():
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _only_function(tree: ast.Module) -> ast.FunctionDef | None:
    """Find the one public function of a program that has no class, and that returns something."""
    functions: list[ast.FunctionDef] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.AsyncFunctionDef):
            return None
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            functions.append(node)
    if len(functions) != 1:
        return None
    (function,) = functions
    arguments = function.args
    plain = not (arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults)
    parts = list(ast.walk(function))
    returns = any(isinstance(part, ast.Return) and part.value is not None for part in parts)
    prints = any(
        isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "print"
        for part in parts
    )
    return function if plain and returns and not prints and not function.decorator_list else None


def _arguments(given: str, parameters: list[str]) -> str | None:
    """Write the arguments of a call from an example's input; None where they are not plain."""
    if "\n" in given or not given or not parameters:
        return None
    named = _named(given, parameters)
    if named is not None:
        return named
    value = parse_expression(given)
    if value is None:
        return None
    bare = isinstance(value, ast.Tuple) and not given.startswith("(")
    items = value.elts if bare and isinstance(value, ast.Tuple) else [value]
    # `(1, 2)` for two parameters may be a pair or both of them.
    if len(items) != len(parameters) or not all(map(is_literal, items)):
        return None
    written = [canonical(item) for item in items]
    return ", ".join(one for one in written if one is not None)


def _named(given: str, parameters: list[str]) -> str | None:
    """Read `nums = [2, 7], target = 9`, whose names are the parameters."""
    if _ASSIGNMENT.match(given) is None:
        return None
    call = parse_expression(f"f({given})")
    if not isinstance(call, ast.Call) or call.args:
        return None
    names = [keyword.arg for keyword in call.keywords]
    if sorted(map(str, names)) != sorted(parameters):
        return None
    if not all(is_literal(keyword.value) for keyword in call.keywords):
        return None
    inside = canonical(call)
    return inside[2:-1] if inside is not None else None
