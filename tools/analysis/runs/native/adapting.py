"""Read an input that a task gives as text as the arguments of a program's one function."""

import ast
import re

from tools.analysis.examples.expressions import parse_expression
from tools.analysis.examples.native_literals import NotRead, read_value, read_values
from tools.analysis.examples.native_values import Call
from tools.analysis.runs.native.driver import NotPlanned
from tools.analysis.runs.native.signatures import Function, Outline

_WORD = re.compile(r"[^\W\d_][\w-]{0,40}")
_NAMED = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)\s*")


def is_argument(given: str, printed: str) -> bool:
    """Tell a value, whose writing in a program's input is anybody's guess, from a line of input."""
    texts = given.strip(), printed.strip()
    quoted = any(text[:1] in tuple("'\"") and text[-1:] == text[:1] for text in texts)
    return quoted or texts[0].startswith(("[", "{", "(")) or _NAMED.match(given) is not None


def adapt_to_call(given: str, printed: str, outline: Outline, language: str) -> tuple[Call, object]:
    """Give the call and its value. Raises NotPlanned where either can be meant otherwise."""
    unfit = "the program does not read input, and the example names no call"
    function = _only_function(outline)
    if function is None or "\n" in given.strip() or "\n" in printed.strip():
        raise NotPlanned(unfit)
    try:
        arguments = _arguments(given.strip(), function, language)
    except NotRead as error:
        raise NotPlanned(unfit) from error
    try:
        want = read_value(printed.strip(), language)
    except NotRead as error:
        if not _WORD.fullmatch(printed.strip()):
            raise NotPlanned(unfit) from error
        want = printed.strip()
    path = f"{function.owner}.{function.name}" if function.owner else function.name
    return Call(f"{path}({given.strip()})", path, tuple(arguments), simple=True), want


def _only_function(outline: Outline) -> Function | None:
    """Find the one function that can be meant, which returns something and prints nothing."""
    names = ("main", "Main")
    found = [one for one in outline.functions if not one.private and one.name not in names]
    if len(found) != 1 or found[0].prints or found[0].generic:
        return None
    return found[0]


def _arguments(given: str, function: Function, language: str) -> list[object]:
    if _NAMED.match(given) is None:
        return read_values(given, language)
    parts = re.split(r",\s*(?=[A-Za-z_]\w*\s*=(?!=))", given)
    named: dict[str, object] = {}
    for part in parts:
        name = _NAMED.match(part)
        if name is None:
            raise NotRead("no name")
        named[name[1]] = read_value(part[name.end() :], language)
    known = [one.name for one in function.parameters]
    if not set(named) <= set(known):
        raise NotRead("other names")
    # Where some are missing, the language says whether the rest can be told.
    return [named[name] for name in known if name in named]


def read_sequence(expression: str) -> tuple[str, list[str]] | None:
    """Read `(lambda it: [it.f(1), it.g()])(C(2))`: the call that makes the object, and the others'.

    They are written as calls of names; None for any other expression.
    """
    match parse_expression(expression) if expression.startswith("(lambda it: [") else None:
        case ast.Call(
            func=ast.Lambda(body=ast.List(elts=steps)),
            args=[ast.Call(func=ast.Name()) as made],
        ):
            pass
        case _:
            return None
    calls: list[str] = []
    for step in steps:
        match step:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="it"), attr=name), args=given):
                calls.append(f"{name}({', '.join(map(ast.unparse, given))})")
            case _:
                return None
    return ast.unparse(made), calls
