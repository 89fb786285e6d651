"""Make JavaScript of TypeScript by blanking what only the type checker reads.

Lines and columns stay. What would need other code, not less, is refused.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.analysis.syntax import parse_code

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPES = frozenset(
    {"type_annotation", "type_parameters", "type_arguments", "interface_declaration"}
    | {"type_alias_declaration", "ambient_declaration", "implements_clause", "function_signature"}
    | {"accessibility_modifier", "override_modifier", "readonly", "abstract"}
    | {"abstract_method_signature", "index_signature", "method_signature", "asserts_annotation"}
    | {"type_predicate_annotation", "omitting_type_annotation", "opting_type_annotation"}
    | {"adding_type_annotation"}
)
_REFUSED = {
    "enum_declaration": "an enum",
    "internal_module": "a namespace",
    "module": "a namespace",
    "decorator": "a decorator",
    "import_alias": "an import",
    "import_require_clause": "an import",
    "jsx_element": "JSX",
    "jsx_self_closing_element": "JSX",
    "jsx_fragment": "JSX",
}
_KEEP_FIRST = frozenset({"as_expression", "satisfies_expression"})
# Tokens that mean something else elsewhere: `?` of a parameter or field, `!` after an expression.
_TOKENS = {
    "optional_parameter": frozenset({"?"}),
    "public_field_definition": frozenset({"?", "!", "declare"}),
    "method_definition": frozenset({"?"}),
    "non_null_expression": frozenset({"!"}),
    "variable_declarator": frozenset({"!"}),
}


class NotErasable(ValueError):
    """The program has something that is more than types; the message names it."""


def erase_types(code: str, language: str) -> str:
    """Give the program without its types. Raises NotErasable with the reason."""
    data = code.encode("utf-8", "replace")
    tree = parse_code(data, language)
    if tree is None or tree.root_node.has_error:
        raise NotErasable("its types cannot be read")
    blanked = bytearray(data)
    for start, end in _type_ranges(tree.root_node):
        for position in range(start, end):
            if blanked[position] not in b"\r\n":
                blanked[position] = 0x20
    erased = parse_code(bytes(blanked), "javascript")
    if erased is None or erased.root_node.has_error:
        raise NotErasable("its types cannot be taken out")
    return blanked.decode("utf-8")


def _type_ranges(root: "Node") -> Iterator[tuple[int, int]]:
    """Give the byte ranges to blank, refusing what is not only a type."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type in _REFUSED and node.is_named:
            raise NotErasable(f"it has {_REFUSED[node.type]}, which is more than a type")
        if node.type in _TYPES:
            if node.type == "accessibility_modifier" and _is_parameter(node):
                raise NotErasable("it has a parameter property, which is more than a type")
            yield node.start_byte, node.end_byte
            continue
        if _is_type_only(node):
            yield node.start_byte, node.end_byte
            continue
        if node.type in _KEEP_FIRST:
            kept = node.children[0]
            yield kept.end_byte, node.end_byte
            waiting.append(kept)
            continue
        tokens = _TOKENS.get(node.type, frozenset())
        for child in node.children:
            if child.type in tokens:
                yield child.start_byte, child.end_byte
            else:
                waiting.append(child)


def _is_parameter(node: "Node") -> bool:
    return node.parent is not None and node.parent.type.endswith("_parameter")


def _is_type_only(node: "Node") -> bool:
    """Tell an import or export of types, a field that is only declared, a `this` parameter."""
    words = [child.type for child in node.children]
    if node.type in ("import_statement", "export_statement"):
        declared = node.child_by_field_name("declaration")
        if declared is not None:
            return declared.type in _TYPES
        return len(words) > 1 and words[1] == "type"
    if node.type == "public_field_definition":
        return "declare" in words or "abstract" in words
    if node.type == "required_parameter":
        pattern = node.child_by_field_name("pattern")
        if pattern is not None and pattern.type == "this":
            raise NotErasable("it declares the type of `this`")
    return False
