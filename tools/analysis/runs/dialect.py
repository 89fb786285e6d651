"""Say where the sandbox's Python would answer otherwise than CPython.

Measured on pydantic-monty 1.4 against CPython 3.11: generator expressions, `map`, `filter`, `zip`,
`enumerate` and `reversed` are lists made at once; classes know only some special methods, and
silently ignore `__bool__`, `__ne__`, `__setattr__`; `round(x, n)` rounds the decimal writing.
"""

import ast
from dataclasses import dataclass

from tools.analysis.examples.expressions import silent_warnings

_SPECIAL_METHODS = frozenset(
    f"__{name}__"
    for name in (
        *("init", "post_init", "repr", "str", "eq", "hash", "call", "iter", "next", "getitem"),
        *("setitem", "contains", "enter", "exit", "add", "radd", "sub", "rsub", "mul", "rmul"),
        *("truediv", "rtruediv", "floordiv", "rfloordiv", "mod", "rmod", "pow", "rpow", "neg"),
        *("pos", "invert", "abs", "int", "float", "index", "and", "rand", "or", "ror", "xor"),
        *("lshift", "matmul", "round", "divmod"),
    )
)
_LAZY = frozenset({"enumerate", "filter", "map", "reversed", "zip"})
_CONSUMERS = frozenset(
    {"Counter", "deque", "dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"}
    | {"bytes", "bytearray", "fsum", "prod", "mean", "median"}
)
_CONSUMING_METHODS = frozenset(
    {"difference", "difference_update", "extend", "extendleft", "fromkeys", "fsum"}
    | {"intersection", "intersection_update", "isdisjoint", "issubset", "issuperset", "join"}
    | {"mean", "median", "prod", "symmetric_difference", "union", "update", "Counter", "deque"}
)
_SHORT_CIRCUITS = frozenset({"all", "any", "islice", "next", "reduce", "takewhile"})
_MUTATORS = frozenset(
    {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove"}
    | {"reverse", "setdefault", "sort", "update"}
)


@dataclass(frozen=True)
class Dialect:
    """What to keep in mind about one program; `refused` is why it must not be run at all.

    `lazy_lines` hold iterators that the sandbox makes at once, `short_lines` those of them that
    CPython may leave before their end; 1-based.
    """

    refused: str | None
    lazy_lines: frozenset[int]
    short_lines: frozenset[int]
    rounds: bool
    defined: frozenset[str]


def read_dialect(code: str) -> Dialect | None:
    """Look for constructs whose meaning differs; None where CPython's parser cannot read it."""
    try:
        with silent_warnings():
            tree = ast.parse(code)
        return _Reader(tree).read()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _lines(node: ast.AST) -> range:
    first = getattr(node, "lineno", 1)
    return range(first, getattr(node, "end_lineno", first) + 1)


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes = list(ast.walk(tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.defined = frozenset(
            node.name
            for node in self.nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        )
        self.short_lines: set[int] = set()

    def read(self) -> Dialect:
        lazy = [node for node in self.nodes if self.is_lazy(node)]
        refused = self.unknown_method()
        for node in lazy:
            refused = refused or self.escape(node)
        rounds = any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "round"
            and len(node.args) + len(node.keywords) == 2
            for node in self.nodes
        )
        lazy_lines = frozenset(line for node in lazy for line in _lines(node))
        return Dialect(refused, lazy_lines, frozenset(self.short_lines), rounds, self.defined)

    def is_lazy(self, node: ast.AST) -> bool:
        if isinstance(node, ast.GeneratorExp):
            return True
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return False
        return node.func.id in _LAZY - self.defined

    def unknown_method(self) -> str | None:
        for node in self.nodes:
            if not isinstance(node, ast.ClassDef):
                continue
            for part in node.body:
                if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                special = part.name.startswith("__") and part.name.endswith("__")
                if special and part.name not in _SPECIAL_METHODS:
                    return f"the sandbox has no {part.name} in classes"
        return None

    def escape(self, node: ast.AST) -> str | None:
        """Tell why the iterator is observed as such; None where it is used up on the spot."""
        parent = self.parents[node]
        while isinstance(parent, ast.IfExp | ast.BoolOp) and node is not getattr(
            parent, "test", None
        ):
            node, parent = parent, self.parents[parent]
        reason = f"line {getattr(node, 'lineno', 1)}: the sandbox has no lazy iterators"
        match parent:
            case ast.Call():
                return self.escape_to_call(node, parent, reason=reason)
            case ast.For(iter=source) if source is node:
                return reason if self.loop_changes(node, parent) else None
            case ast.comprehension() | ast.Starred() | ast.Return() | ast.Lambda():
                return None
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()]) if left is not node:
                self.short_lines.update(_lines(node))
                return None
            case ast.Assign(targets=[ast.Name(id=name)]):
                return None if self.read_once(name, parent) else reason
        unpacked = isinstance(parent, ast.Assign) and not isinstance(
            parent.targets[0], ast.Attribute | ast.Subscript
        )
        return None if unpacked else reason

    def escape_to_call(self, node: ast.AST, call: ast.Call, *, reason: str) -> str | None:
        if node not in call.args:
            return reason
        match call.func:
            case ast.Name(id=name) if name in self.defined:
                return reason
            case ast.Name(id=name) if name in _CONSUMERS | _LAZY:
                return None
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _SHORT_CIRCUITS:
                self.short_lines.update(_lines(node))
                return None
            case ast.Attribute(attr=name) if name in _CONSUMING_METHODS:
                return None
            case _:
                return reason

    def loop_changes(self, source: ast.AST, loop: ast.For) -> bool:
        names = {part.id for part in ast.walk(source) if isinstance(part, ast.Name)}
        for part in (inner for statement in loop.body for inner in ast.walk(statement)):
            match part:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)):
                    if name in names and method in _MUTATORS:
                        return True
                case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                    if name in names:
                        return True
        return False

    def read_once(self, name: str, assignment: ast.Assign) -> bool:
        loads = [
            node
            for node in self.nodes
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        ]
        if len(loads) > 1:
            return False
        return all(self.loop_around(load) is self.loop_around(assignment) for load in loads)

    def loop_around(self, node: ast.AST) -> ast.AST | None:
        """Find the innermost thing that runs `node` repeatedly; a loop's own source is outside."""
        while node in self.parents:
            node, inner = self.parents[node], node
            if isinstance(node, ast.While):
                return node
            if isinstance(node, ast.For) and inner is not node.iter:
                return node
            match node:
                case (
                    ast.ListComp(generators=sources)
                    | ast.SetComp(generators=sources)
                    | ast.DictComp(generators=sources)
                    | ast.GeneratorExp(generators=sources)
                ) if inner is not sources[0]:
                    return node
        return None
