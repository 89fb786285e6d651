"""Read from a learner's own file what its functions are called and what they take."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tools.analysis.syntax import parse_code

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_NODES: Final = 20_000

_FUNCTIONS: Final = frozenset(
    {"function_definition", "method_declaration", "function_item", "function_declaration"}
    | {"local_function_statement", "method", "singleton_method"}
)
_TYPES: Final = frozenset(
    {"class_specifier", "struct_specifier", "class_declaration", "record_declaration", "impl_item"}
    | {"struct_declaration", "class", "enum_declaration", "interface_declaration", "module"}
    | {"object_declaration", "struct_item", "enum_item", "type_spec"}
)
_PARAMETERS: Final = frozenset(
    {"parameter_declaration", "optional_parameter_declaration", "formal_parameter", "parameter"}
    | {"spread_parameter", "variadic_parameter_declaration", "simple_parameter", "identifier"}
    | {"variadic_parameter", "optional_parameter", "splat_parameter", "keyword_parameter"}
)
_SPREAD: Final = frozenset(
    {"spread_parameter", "variadic_parameter_declaration", "variadic_parameter", "splat_parameter"}
)
_ACCESS: Final = re.compile(r"\b(?:public|private|protected|internal)\b")
_NAMES: Final = frozenset({"identifier", "variable_name", "field_identifier"})


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, its type as written (empty where there is none)."""

    name: str
    type: str
    spread: bool = False


@dataclass(frozen=True)
class Function:
    """One function or method; `owner` is its class, `returns` its type as written.

    `open_at` is where a word such as `public` can stand, None where there is one.
    """

    name: str
    owner: str | None
    parameters: tuple[Parameter, ...]
    returns: str
    static: bool
    private: bool
    generic: bool
    prints: bool
    open_at: int | None
    name_start: int


@dataclass(frozen=True)
class Outline:
    """The functions and types of a file; offsets are bytes.

    `loose` is where the first method stands that is in no class, `public` the class that Java
    names the file by.
    """

    functions: tuple[Function, ...]
    types: frozenset[str]
    package: tuple[int, int, str] | None
    imports: bool
    loose: int | None
    public: str | None

    def named(self, name: str, owner: str | None) -> list[Function]:
        """Give the functions of that name, or, without one, of that name in another spelling."""
        fits = [one for one in self.functions if owner is None or one.owner in (owner, None)]
        exact = [one for one in fits if one.name == name]
        return exact or [one for one in fits if _plain(one.name) == _plain(name)]

    def main(self) -> Function | None:
        """Give the program's start, `main` or `Main`."""
        return next((one for one in self.functions if one.name in ("main", "Main")), None)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def read_outline(code: str, language: str) -> Outline:
    """Read the functions of a file; an unreadable one has none."""
    data = code.encode("utf-8", "replace")
    tree = parse_code(data, language)
    functions: list[Function] = []
    types: set[str] = set()
    package: tuple[int, int, str] | None = None
    imports = False
    loose: int | None = None
    public: str | None = None
    nodes = _walk(tree.root_node) if tree is not None else iter(())
    for node, owner, inside in nodes:
        kind = node.type
        if kind in ("package_declaration", "package_clause", "package_header"):
            name = node.named_children[-1] if node.named_children else None
            if name is not None:
                package = name.start_byte, name.end_byte, _text(name)
        elif kind in ("import_declaration", "using_directive", "preproc_include"):
            imports = True
        elif kind in _TYPES:
            name = node.child_by_field_name("name")
            types |= {_text(name)} if name is not None else set()
            if name is not None and owner is None and "public" in _text_before(node, name).split():
                public = _text(name)
        if kind in _FUNCTIONS and not inside:
            function = _function(node, owner)
            if function is not None:
                functions.append(function)
                if kind == "method_declaration" and owner is None and loose is None:
                    loose = node.start_byte
    return Outline(tuple(functions), frozenset(types), package, imports, loose, public)


def _walk(root: "Node") -> "Iterator[tuple[Node, str | None, bool]]":
    """Yield every node with the class around it, and whether it is inside of a function."""
    waiting: list[tuple[Node, str | None, bool]] = [(root, None, False)]
    for _ in range(MAX_NODES):
        if not waiting:
            return
        node, owner, inside = waiting.pop()
        yield node, owner, inside
        if node.type in _TYPES:
            field = "type" if node.type == "impl_item" else "name"
            name = node.child_by_field_name(field)
            owner = re.sub(r"<.*", "", _text(name)) if name is not None else owner
        inside = inside or node.type in _FUNCTIONS
        waiting += [(child, owner, inside) for child in reversed(node.named_children)]


def _text(node: "Node | None") -> str:
    text = (node.text or b"").decode("utf-8", "replace") if node is not None else ""
    return " ".join(text.split())


def _function(node: "Node", owner: str | None) -> Function | None:
    declarator = node.child_by_field_name("declarator")
    pointer = ""
    while declarator is not None and declarator.type != "function_declarator":
        pointer += "*" if declarator.type == "pointer_declarator" else ""
        inner = declarator.child_by_field_name("declarator")
        declarator = inner or next(reversed(declarator.named_children), None)
    holder = declarator or node
    name = holder.child_by_field_name("declarator" if declarator is not None else "name")
    if name is None:
        return None
    written = _text(name)
    if "::" in written:
        owner, _, written = written.rpartition("::")
    receiver = node.child_by_field_name("receiver")
    if receiver is not None:
        owner = re.sub(r"[()*]|\[.*", " ", _text(receiver)).split()[-1]
    listed = holder.child_by_field_name("parameters") or next(
        (one for one in node.children if one.type == "function_value_parameters"), None
    )
    before = _text_before(node, name)
    body = _text(node.child_by_field_name("body") or node)
    parameters = tuple(_parameters(listed)) if listed is not None else ()
    selfless = not (listed is not None and any(c.type == "self_parameter" for c in listed.children))
    return Function(
        name=written,
        owner=owner,
        parameters=parameters,
        returns=_returns(node, name, pointer),
        static=bool(re.search(r"\bstatic\b", before))
        or node.type == "singleton_method"
        or (node.type == "function_item" and selfless),
        private=bool(re.search(r"\bprivate\b", before)),
        generic=any("type_parameter" in child.type for child in node.children)
        or (node.parent is not None and node.parent.type == "template_declaration"),
        prints=bool(re.search(r"\b(?:printf|puts|cout|print\w*!?|echo|Write(?:Line)?)\b", body)),
        open_at=None if _ACCESS.search(before) else _after_attributes(node),
        name_start=name.start_byte,
    )


def _after_attributes(node: "Node") -> int:
    children = [one for one in node.children if one.type not in ("attribute_list", "modifiers")]
    return children[0].start_byte if children else node.start_byte


def _text_before(node: "Node", name: "Node") -> str:
    data = node.text or b""
    return data[: max(name.start_byte - node.start_byte, 0)].decode("utf-8", "replace")


def _returns(node: "Node", name: "Node", pointer: str) -> str:
    for field in ("return_type", "result", "returns"):
        found = node.child_by_field_name(field)
        if found is not None:
            return _text(found).lstrip(":-> ")
    kind = node.child_by_field_name("type")
    if kind is None:
        after = [one for one in node.named_children if one.start_byte > name.end_byte]
        typed = [one for one in after if one.type in ("user_type", "nullable_type")]
        return _text(typed[0]) if typed else ""
    return _text(kind) + pointer


def _parameters(listed: "Node") -> Iterator[Parameter]:
    spread = False
    for child in listed.children:
        if child.type == "params" or _text(child) in ("params", "vararg"):
            spread = True
        if child.type == "parameter_modifiers":
            spread = "vararg" in _text(child)
            continue
        if child.type not in _PARAMETERS or _text(child) == "void":
            continue
        yield from _parameter(child, spread=spread)
        spread = False


def _parameter(node: "Node", *, spread: bool) -> Iterator[Parameter]:
    spread = spread or node.type in _SPREAD
    names = node.children_by_field_name("name") or node.children_by_field_name("pattern")
    kind = node.child_by_field_name("type")
    if node.type == "identifier":
        yield Parameter(_text(node), "", spread)
        return
    declarator = node.child_by_field_name("declarator")
    if declarator is not None or (node.type.endswith("parameter_declaration") and not names):
        yield _c_parameter(node, declarator)
        return
    if not names:
        # Java's `int... xs`, and Kotlin's `name: Type`.
        words = [one for one in node.named_children if one.type != "modifiers"]
        first, last = (words[0], words[-1]) if words else (None, None)
        if first is not None and first.type == "identifier":
            yield Parameter(_text(first), _text(last), spread)
        else:
            yield Parameter(_text(last), _text(first), spread)
        return
    rank = _text(node.child_by_field_name("dimensions")).replace(" ", "")
    for name in names:
        yield Parameter(_text(name).lstrip("$"), _text(kind) + rank, spread)


def _c_parameter(node: "Node", declarator: "Node | None") -> Parameter:
    """Take the name out of a declaration: the rest is the type."""
    name = declarator
    while name is not None and name.type not in _NAMES:
        name = name.child_by_field_name("declarator") or next(iter(name.named_children), None)
    data = node.text or b""
    default = node.child_by_field_name("default_value")
    end = default.start_byte - node.start_byte if default is not None else len(data)
    if name is None:
        return Parameter("", " ".join(data[:end].decode("utf-8", "replace").split()))
    start, stop = name.start_byte - node.start_byte, name.end_byte - node.start_byte
    rest = (data[:start] + b" " + data[stop:end]).decode("utf-8", "replace").rstrip(" =")
    return Parameter(_text(name), " ".join(rest.split()))
