"""Judge short Python expressions by their syntax tree; nothing is ever executed here."""

import ast
import builtins
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

MAX_EXPRESSION = 2_000

CONSTRUCTORS = frozenset(
    {"bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "range", "set"}
    | {"str", "tuple"}
)
_PURE = CONSTRUCTORS | frozenset(
    {"abs", "all", "any", "bin", "chr", "divmod", "enumerate", "filter", "hex", "isinstance"}
    | {"iter", "len", "map", "max", "min", "next", "oct", "ord", "pow", "repr", "reversed"}
    | {"round", "sorted", "sum", "type", "zip"}
)
_BUILTIN_NAMES = frozenset(dir(builtins))
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
_warnings_lock = threading.Lock()


@contextmanager
def silent_warnings() -> Iterator[None]:
    """Keep the compiler's warnings about learners' code away from stderr and from `-W error`.

    One thread at a time, and nothing else may call `ast.parse`: CPython 3.11 counts the depth of a
    tree for all threads together, and raises SystemError (python/cpython#106905).
    """
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse_expression(text: str) -> ast.expr | None:
    """Read one Python expression of at most `MAX_EXPRESSION` characters; None where it is none."""
    if not text.strip() or len(text) > MAX_EXPRESSION:
        return None
    try:
        with silent_warnings():
            return ast.parse(text.strip(), mode="eval").body
    except _UNREADABLE:
        return None


def canonical(node: ast.expr) -> str | None:
    """Write a tree back as one line of Python that parses; None where that fails."""
    try:
        text = ast.unparse(node)
    except (*_UNREADABLE, AttributeError):
        return None
    return text if parse_expression(text) is not None else None


def is_literal(node: ast.expr) -> bool:
    """Tell whether the value follows from the text alone: literals, their sums, constructors."""
    parts: list[ast.expr | None]
    match node:
        case ast.Constant(value=value):
            return value is not Ellipsis
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            parts = [*items]
        case ast.Dict(keys=keys, values=values):
            parts = [*keys, *values]
        case ast.UnaryOp(operand=operand):
            parts = [operand]
        case ast.BinOp(left=left, right=right):
            parts = [left, right]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in CONSTRUCTORS:
            parts = [*arguments]
        case _:
            return False
    return all(part is not None and is_literal(part) for part in parts)


def called_names(node: ast.AST) -> set[str]:
    """Name the functions and classes that the expression calls directly, built-in ones too."""
    return {
        part.func.id
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)
    }


def is_closed_call(node: ast.expr) -> bool:
    """Tell whether it calls the learner's code with values that are all written out.

    Every free name is either called or a pure built-in, and one called name is not a built-in.
    """
    bound: set[str] = set()
    free: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Starred):
            return False
        if isinstance(part, ast.Constant) and part.value is Ellipsis:
            return False
        if isinstance(part, ast.arg):
            bound.add(part.arg)
        if isinstance(part, ast.Attribute) and part.attr.startswith("__"):
            return False
        if isinstance(part, ast.Name):
            (free if isinstance(part.ctx, ast.Load) else bound).add(part.id)
    theirs = called_names(node) - _BUILTIN_NAMES - bound
    return bool(theirs) and free - bound - theirs <= _PURE
