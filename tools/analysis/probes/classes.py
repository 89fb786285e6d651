"""Read which classes the solutions have, with which methods and parameters."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.analysis.examples.expressions import silent_warnings
from tools.analysis.syntax import parse_code

if TYPE_CHECKING:
    from tree_sitter import Node

FEWEST: Final = 3


@dataclass(frozen=True, kw_only=True)
class ClassOutline:
    """A class, the names of its constructor's parameters and of each public method's."""

    name: str
    made_by: tuple[str, ...]
    methods: dict[str, tuple[str, ...]]


def common_classes(solutions: Sequence[str], *, javascript: bool) -> list[ClassOutline]:
    """Return the classes that at least `FEWEST` solutions have, with the methods of as many."""
    read = _javascript_classes if javascript else _python_classes
    found = [one for code in solutions for one in read(code)]
    common: list[ClassOutline] = []
    for name, votes in Counter(one.name for one in found).items():
        alike = [one for one in found if one.name == name]
        counted = Counter(method for one in alike for method in one.methods)
        methods = {
            method: next(one.methods[method] for one in alike if method in one.methods)
            for method, count in counted.items()
            if count >= FEWEST
        }
        if votes >= FEWEST and methods:
            made_by = Counter(one.made_by for one in alike).most_common(1)[0][0]
            common.append(ClassOutline(name=name, made_by=made_by, methods=methods))
    return common


def parse_all(solutions: Iterable[str]) -> Iterator[ast.Module]:
    """Yield the Python solutions' trees, without those that have none."""
    for code in solutions:
        try:
            with silent_warnings():
                tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        yield tree


def _python_classes(code: str) -> Iterator[ClassOutline]:
    for tree in parse_all([code]):
        for node in tree.body:
            if not isinstance(node, ast.ClassDef):
                continue
            functions = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            named = {
                part.name: tuple(argument.arg for argument in part.args.args[1:])
                for part in functions
                if not part.decorator_list
            }
            made_by = named.pop("__init__", ())
            methods = {name: given for name, given in named.items() if not name.startswith("_")}
            yield ClassOutline(name=node.name, made_by=made_by, methods=methods)


def _javascript_classes(code: str) -> Iterator[ClassOutline]:
    tree = parse_code(code.encode("utf-8", "replace"), "typescript")
    waiting = [tree.root_node] if tree is not None else []
    while waiting:
        node = waiting.pop()
        waiting += node.named_children
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if node.type != "class_declaration" or name is None or body is None:
            continue
        named = {
            _text(part.child_by_field_name("name")): _parameters(part)
            for part in body.named_children
            if part.type == "method_definition" and not _is_hidden(part)
        }
        made_by = named.pop("constructor", ())
        yield ClassOutline(name=_text(name), made_by=made_by, methods=named)


def _is_hidden(method: "Node") -> bool:
    kinds = {child.type for child in method.children} & {"get", "set", "static", "async", "*"}
    private = any(_text(child) in ("private", "protected") for child in method.children)
    return bool(kinds) or private or _text(method.child_by_field_name("name"))[:1] in ("#", "_")


def _parameters(method: "Node") -> tuple[str, ...]:
    given = method.child_by_field_name("parameters")
    names = (
        [child.child_by_field_name("pattern") or child for child in given.named_children]
        if given
        else []
    )
    return tuple(_text(name).partition("=")[0].strip() for name in names)


def _text(node: "Node | None") -> str:
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""
