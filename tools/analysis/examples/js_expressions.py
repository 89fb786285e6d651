"""Judge short JavaScript expressions by their syntax tree; nothing is ever executed here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.analysis.syntax import parse_code

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_EXPRESSION = 2_000

_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}
_CONSTANTS = frozenset({"undefined", "NaN", "Infinity", *_PYTHON_WORDS})
_LITERAL_CLASSES = frozenset({"Map", "Set", "Date", "BigInt", "Number", "String", "Boolean"})
_LITERAL_METHODS = frozenset({"fill", "repeat"})
_PURE = frozenset(
    {"Array", "Object", "JSON", "Math", "RegExp", "parseInt", "parseFloat", "isNaN", "isFinite"}
    | {"Symbol", "Int8Array", "Uint8Array", "Int32Array", "Float64Array", "Reflect"}
    | _LITERAL_CLASSES
)
_NOT_THEIRS = _PURE | frozenset(
    {"console", "eval", "Function", "require", "setTimeout", "fetch", "process", "globalThis"}
    | {"window", "document", "module", "exports", "Promise", "describe", "it", "test", "expect"}
    | {"assert", "import", "if", "for", "while", "switch", "catch", "function", "return"}
)
_REFUSED = frozenset(
    {"assignment_expression", "augmented_assignment_expression", "update_expression"}
    | {"yield_expression", "import", "function_expression", "class"}
    | {"template_substitution", "jsx_element", "await_expression", "ERROR"}
)


@dataclass(frozen=True)
class JsCall:
    """A call of the learner's code as JavaScript in one line, and the names that it starts from."""

    text: str
    names: tuple[str, ...]


def read_js(text: str) -> "Node | None":
    """Parse one expression; None where it is none."""
    text = text.strip().removesuffix(";")
    if not text or len(text) > MAX_EXPRESSION:
        return None
    tree = parse_code(f"({text}\n)".encode("utf-8", "replace"), "javascript")
    if tree is None or tree.root_node.has_error:
        return None
    statements = [child for child in tree.root_node.children if child.type != ";"]
    node = statements[0] if len(statements) == 1 else None
    node = node.named_children[0] if node is not None and node.named_child_count == 1 else None
    while node is not None and node.type == "parenthesized_expression":
        node = node.named_children[0] if node.named_child_count == 1 else None
    return node


def write_js(node: "Node") -> str | None:
    """Write an expression in one line, Python's words as JavaScript's; None if it has several."""
    data, start = node.text or b"", node.start_byte
    for part in reversed(_words(node)):
        word = (part.text or b"").decode()
        begin, end = part.start_byte - start, part.end_byte - start
        data = data[:begin] + _PYTHON_WORDS[word].encode() + data[end:]
    text = data.decode("utf-8", "replace")
    if "\n" in text:
        text = " ".join(text.split()) if "`" not in text and "//" not in text else ""
    return text or None


def _words(node: "Node") -> list["Node"]:
    found, waiting = [], [node]
    while waiting:
        part = waiting.pop()
        if part.type == "identifier" and (part.text or b"").decode() in _PYTHON_WORDS:
            found.append(part)
        waiting.extend(part.children)
    return sorted(found, key=lambda part: part.start_byte)


def is_js_literal(node: "Node") -> bool:  # noqa: PLR0911 - one for each kind of literal
    """Tell whether the value follows from the text alone."""
    named = [child for child in node.named_children if child.type != "comment"]
    match node.type:
        case "number" | "string" | "true" | "false" | "null" | "undefined":
            return True
        case "identifier":
            return (node.text or b"").decode() in _CONSTANTS
        case "template_string":
            return all(child.type != "template_substitution" for child in named)
        case "array" | "parenthesized_expression" | "sequence_expression" | "arguments":
            return all(map(is_js_literal, named))
        case "object":
            return all(map(_is_literal_pair, named))
        case "unary_expression":
            return node.children[0].type in ("-", "+", "!") and is_js_literal(named[-1])
        case "binary_expression":
            return node.children[1].type in ("+", "-", "*", "/", "%", "**") and all(
                map(is_js_literal, named)
            )
        case "new_expression" | "call_expression":
            return _is_literal_call(node, named)
    return False


def _is_literal_pair(node: "Node") -> bool:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    if node.type != "pair" or key is None or value is None:
        return False
    return key.type in ("property_identifier", "string", "number") and is_js_literal(value)


def _is_literal_call(node: "Node", named: list["Node"]) -> bool:
    name, arguments = named[0], named[1:]
    if not all(map(is_js_literal, arguments)):
        return False
    if name.type == "member_expression":
        owner, method = name.named_children[0], name.named_children[-1]
        made = owner.type == "new_expression" and (owner.named_children[0].text == b"Array")
        return (method.text or b"").decode() in _LITERAL_METHODS and (made or is_js_literal(owner))
    return name.type == "identifier" and (name.text or b"").decode() in _LITERAL_CLASSES


def read_js_value_text(text: str) -> str | None:
    """Give a literal as JavaScript in one line; Python's words and pairs are understood."""
    node = read_js(text)
    if node is None or not is_js_literal(node):
        return None
    written = write_js(node)
    if written is not None and node.type == "sequence_expression":
        return f"[{written}]"
    return written


def read_js_call(text: str) -> JsCall | None:
    """Read a call of the learner's code with values that are all written out."""
    node = read_js(text)
    if node is not None and node.type == "await_expression":
        node = node.named_children[0]
    if node is None:
        return None
    called: list[str] = []
    free: set[str] = set()
    bound: set[str] = set()
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if part.type in _REFUSED:
            return None
        if part.type in ("call_expression", "new_expression"):
            name = part.child_by_field_name("function") or part.child_by_field_name("constructor")
            if name is not None and name.type == "identifier":
                called.append((name.text or b"").decode())
        if part.type == "identifier":
            free.add((part.text or b"").decode())
        if part.type == "arrow_function":
            bound |= _parameters(part)
        if part.type == "variable_declarator":
            bound |= _declared(part)
        waiting.extend(reversed(part.named_children))
    theirs = [name for name in called if name not in _NOT_THEIRS | bound]
    known = set(theirs) | bound | _PURE | _CONSTANTS
    written = write_js(node)
    if not theirs or free - known or written is None:
        return None
    return JsCall(written, tuple(dict.fromkeys(theirs)))


def _declared(declarator: "Node") -> set[str]:
    name = declarator.child_by_field_name("name")
    return (
        {(name.text or b"").decode()} if name is not None and name.type == "identifier" else set()
    )


def _parameters(function: "Node") -> set[str]:
    one = function.child_by_field_name("parameter")
    several = function.child_by_field_name("parameters")
    nodes = [one] if one is not None else list(several.named_children if several else [])
    return {(node.text or b"").decode() for node in nodes if node.type == "identifier"}
