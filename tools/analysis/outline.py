"""Find the functions, classes and methods of code, in every language that has a grammar here."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from tools.analysis.syntax import parse_code

if TYPE_CHECKING:
    from tree_sitter import Node

DEEPEST: Final = 8
LONGEST_NAME: Final = 60

_ANY_LANGUAGE: Final = """
    function_definition class_definition
    function_declaration generator_function_declaration class_declaration
    abstract_class_declaration method_definition interface_declaration enum_declaration
    type_alias_declaration internal_module module_declaration
    constructor_declaration method_declaration record_declaration struct_declaration
    namespace_declaration property_declaration annotation_type_declaration object_declaration
    type_declaration function_item impl_item struct_item enum_item trait_item mod_item
    macro_definition struct_specifier class_specifier enum_specifier union_specifier
    namespace_definition trait_declaration method singleton_method class module
    rule_set media_statement create_table create_function create_view create_index create_trigger
"""
_DEFINITIONS: Final = frozenset(_ANY_LANGUAGE.split())
_WRAPPERS: Final = frozenset({"decorated_definition", "export_statement", "template_declaration"})
_LEADING: Final = ("comment", "attribute_item", "annotation")
_ASSIGNED: Final = {
    "variable_declarator": ("name", "value"),
    "public_field_definition": ("name", "value"),
    "field_definition": ("property", "value"),
    "pair": ("key", "value"),
    "assignment_expression": ("left", "right"),
}
_FUNCTIONS: Final = frozenset(
    {"arrow_function", "function_expression", "generator_function", "function", "class"}
)
_NAME_FIELDS: Final = ("name", "declarator", "type")


@dataclass(frozen=True)
class Definition:
    """A named piece of code: lines `start` to before `end`, counted from 0, and what is inside."""

    symbol: str
    start: int
    end: int
    inside: "list[Definition]" = field(default_factory=list)


def find_definitions(lines: list[str], language: str) -> list[Definition]:
    """Return the outermost definitions in `lines` (with their ends), in order.

    A symbol is qualified by what it is in, `Class.method`. Comments and decorators directly above
    belong to a definition. None are found in a language without a grammar; errors are stepped over.
    """
    data = [_with_line_feed(line).encode("utf-8", "replace") for line in lines]
    tree = parse_code(b"".join(data), language)
    if tree is None:
        return []
    ends = list(accumulate(len(line) for line in data))
    outermost: list[Definition] = []
    waiting = [(node, outermost, "", 0) for node in reversed(tree.root_node.named_children)]
    while waiting:
        node, found, prefix, depth = waiting.pop()
        inside = found
        if depth < DEEPEST and (name := _name_if_defined(node)) is not None:
            start, end = _extent(node)
            prefix = f"{prefix}.{name}" if prefix else name
            definition = Definition(prefix, bisect_right(ends, start), bisect_right(ends, end) + 1)
            found.append(definition)
            inside, depth = definition.inside, depth + 1
        waiting += [(child, inside, prefix, depth) for child in reversed(node.named_children)]
    return outermost


def _with_line_feed(line: str) -> str:
    """Return the line as grammars know lines; a lone CR is none to them."""
    return line[:-1] + "\n" if line.endswith("\r") else line


def _name_if_defined(node: "Node") -> str | None:
    if node.type in _DEFINITIONS:
        return _name(node)
    if node.type not in _ASSIGNED:
        return None
    left, right = (node.child_by_field_name(name) for name in _ASSIGNED[node.type])
    return _text(left) if left and right and right.type in _FUNCTIONS else None


def _name(node: "Node") -> str | None:
    """Return the name of a definition, None for one that has none, as `struct S` used as a type."""
    if node.type in {"struct_specifier", "class_specifier", "enum_specifier", "union_specifier"}:
        return _text(node.child_by_field_name("name")) if node.child_by_field_name("body") else None
    for name in _NAME_FIELDS:
        found = node.child_by_field_name(name)
        while found is not None and (inner := found.child_by_field_name("declarator")) is not None:
            found = inner  # C: a pointer to a function that takes …
        if found is not None:
            return _text(found)
    for child in node.named_children:
        if (found := child.child_by_field_name("name")) is not None:
            return _text(found)
        if "identifier" in child.type or child.type in {"selectors", "object_reference"}:
            return _text(child)
    return None


def _text(node: "Node | None") -> str | None:
    if node is None or node.text is None:
        return None
    return " ".join(node.text.decode("utf-8", "replace").split())[:LONGEST_NAME] or None


def _extent(node: "Node") -> tuple[int, int]:
    """Return the offsets of a definition's first and last byte."""
    while node.parent is not None and node.parent.type in _WRAPPERS:
        node = node.parent
    end = max(node.end_byte - 1, node.start_byte)
    for above in _leading(node):
        node = above
    return node.start_byte, end


def _leading(node: "Node") -> Iterator["Node"]:
    """Yield the comments that end on the line before, upwards."""
    above = node.prev_named_sibling
    while above is not None and any(kind in above.type for kind in _LEADING):
        gap = node.start_point.row - above.end_point.row
        before = above.prev_named_sibling
        behind_code = before is not None and before.end_point.row == above.start_point.row
        if gap > 1 or behind_code:
            return
        yield above
        node, above = above, before
