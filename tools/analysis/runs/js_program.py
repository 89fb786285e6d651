"""Let the one function of a JavaScript program answer an example that names only its input."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tools.analysis.examples.example import Example
from tools.analysis.examples.js_expressions import is_js_literal, read_js, read_js_value_text
from tools.analysis.examples.literals import evaluate_literal
from tools.analysis.syntax import parse_code

if TYPE_CHECKING:
    from tree_sitter import Node


def adapt_to_script(example: Example, code: str) -> Example | None:
    """Give the example as a call of the program's only function; None where that is unclear."""
    if example.kind != "io":
        return example
    function = _only_function(code)
    if function is None:
        return None
    name, parameters = function
    given = str(evaluate_literal(example.expression)).strip()
    wanted = str(evaluate_literal(example.expected or "''")).strip()
    arguments = _arguments(given, parameters)
    expected = read_js_value_text(wanted)
    if arguments is None or expected is None:
        return None
    return replace(example, kind="call", expression=f"{name}({arguments})", expected=expected)


def _only_function(code: str) -> tuple[str, list[str]] | None:
    tree = parse_code(code.encode("utf-8", "replace"), "javascript")
    if tree is None or tree.root_node.has_error:
        return None
    found: list[tuple[str, Node]] = []
    for node in tree.root_node.named_children:
        declared = node.child_by_field_name("declaration") or node
        if declared.type == "class_declaration":
            return None
        for part in [declared, *declared.named_children]:
            function = part.child_by_field_name("value") or part
            name = part.child_by_field_name("name")
            if name is not None and function.type in (
                "function_declaration",
                "arrow_function",
                "function_expression",
            ):
                found.append((_text(name), function))
    return _signature(*found[0]) if len(found) == 1 else None


def _signature(name: str, function: "Node") -> tuple[str, list[str]] | None:
    one = function.child_by_field_name("parameter")
    several = function.child_by_field_name("parameters")
    nodes = [one] if one is not None else (several.named_children if several is not None else [])
    if not nodes or any(node.type != "identifier" for node in nodes):
        return None
    returns = b"return" in (function.text or b"") or function.type == "arrow_function"
    prints = b"console." in (function.text or b"")
    return (name, [_text(node) for node in nodes]) if returns and not prints else None


def _arguments(given: str, parameters: list[str]) -> str | None:
    """Write the arguments of a call from an example's input; None where they are not plain."""
    if "\n" in given:
        return None
    node = read_js(f"f({given})")
    listed = node.child_by_field_name("arguments") if node is not None else None
    if listed is None or len(listed.named_children) != len(parameters):
        return None
    values: dict[str, Node] = {}
    for parameter, argument in zip(parameters, listed.named_children, strict=True):
        name, value = parameter, argument
        if argument.type == "assignment_expression":
            left, right = argument.named_children
            name, value = _text(left), right
        if name not in parameters or not is_js_literal(value):
            return None
        values[name] = value
    if len(values) != len(parameters):
        return None
    return ", ".join(_text(values[parameter]) for parameter in parameters)


def _text(node: "Node") -> str:
    return (node.text or b"").decode("utf-8", "replace")
