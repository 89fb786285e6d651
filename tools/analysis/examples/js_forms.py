"""Make examples of calls, values and assertions that are written as JavaScript."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tools.analysis.examples.example import Example, Kind
from tools.analysis.examples.js_expressions import (
    is_js_literal,
    read_js,
    read_js_call,
    read_js_value_text,
)
from tools.analysis.examples.wording import balanced_end

if TYPE_CHECKING:
    from tree_sitter import Node

_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE", "verdadero"), "true"),
    **dict.fromkeys(("false", "False", "FALSE", "falso"), "false"),
    **dict.fromkeys(("null", "None", "none", "nil"), "null"),
    **{"undefined": "undefined", "NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity"},
}
_BEFORE = re.compile(r"(?:\b(?:new|await)[ \t]+)+\Z")
_EXCEPTION = re.compile(r"(?:Error|Exception)\Z")
_GOES_ON = re.compile(r"\s*(?:\Z|[-+*/%]|\.(?:fill|repeat)\()")
_SUM = re.compile(r"[-+*/%()\d.eE_n\s]+")
_EQUAL = frozenset(
    {"toBe", "toEqual", "toStrictEqual", "equal", "equals", "eql", "strictEqual", "deepEqual"}
    | {"deepStrictEqual", "toBeCloseTo"}
)
_VALUES = {"toBeNull": "null", "toBeUndefined": "undefined", "toBeNaN": "NaN"}
_TRUTHS = {"toBeTruthy": "true", "toBeFalsy": "false"}
_THROWS = frozenset({"toThrow", "toThrowError", "throws"})


class JsForms:
    """What a call, a value and an assertion look like in JavaScript."""

    words: Mapping[str, str] = _WORDS
    assertion = re.compile(r"(?:expect|(?:console\.)?assert(?:\.\w+)?)\(")

    def is_value(self, text: str) -> bool:
        """Tell whether a value is written out; a bare `1, 2` may be two of them."""
        if text in _WORDS:
            return True
        node = read_js(text) if _looks_whole(text) else None
        if node is None or (node.type == "sequence_expression" and not text.startswith("(")):
            return False
        return is_js_literal(node)

    def write(self, value: object) -> str:
        """Write a value of JSON."""
        return json.dumps(value, ensure_ascii=False)

    def begin(self, text: str, start: int) -> int:
        """Give where the call begins whose name is at `start`: before `new` and `await`."""
        words = _BEFORE.search(text, max(start - 20, 0), start)
        return words.start() if words is not None else start

    def count_arguments(self, call: str) -> int | None:
        """Count the arguments of a call."""
        node = read_js(call)
        return len(_arguments(node)) if node is not None else None

    def is_signature(self, call: str, expected: str | None) -> bool:
        """Tell `f() -> null` from an example: nothing is passed, nothing is given."""
        return call.endswith("()") and expected in ("null", "undefined")

    def stated(self, kind: Kind, expression: str, expected: str, *, quote: str) -> Example | None:
        """Make an example of a call and its value; None where either is not written out."""
        call, value = read_js_call(expression), read_js_value_text(_WORDS.get(expected, expected))
        if call is None or value is None:
            return None
        return Example(kind, call.text, value, None, quote)

    def raising(self, kind: Kind, expression: str, raises: str, *, quote: str) -> Example | None:
        """Make an example of a call that throws; `Error` stands for whatever is thrown."""
        call = read_js_call(expression)
        if call is None or _EXCEPTION.search(raises) is None:
            return None
        return Example(kind, call.text, None, raises, quote)

    def called(
        self,
        call: str,
        expected: str,
        *,
        quote: str,
        kind: Kind = "call",
        printed: str | None = None,
    ) -> Example | None:
        """Make an example of a call and its value; what `console.log` shows is compared as text."""
        node = read_js(call)
        name = _text(node.child_by_field_name("function")) if node is not None else ""
        if node is None or name != "console.log":
            return self.stated(kind, call, expected, quote=quote)
        arguments = _arguments(node)
        value = read_js(_WORDS.get(expected, expected))
        if len(arguments) != 1 or value is None:
            return None
        if value.type in ("array", "object", "new_expression"):
            return self.stated(kind, arguments[0], expected, quote=quote)
        text = expected if value.type != "string" else _text(value)[1:-1]
        return self.stated(kind, f"String({arguments[0]})", json.dumps(text), quote=quote)

    def doctest(self, source: str, output: list[str], *, quote: str) -> Example | None:
        """Make an example of a prompt and what it shows."""
        return self.called(source, " ".join(output), quote=quote, kind="doctest")

    def asserted(self, source: str, *, quote: str) -> Example | None:
        """Make an example of what follows the word `assert`; in JavaScript it is a call."""
        test = read_js(source)
        return self._tested(test, quote=quote) if test is not None else None

    def assertion_call(self, call: str, *, quote: str) -> Example | None:
        """Make an example of `expect(…).toBe(…)`, `assert.equal(…)` or `console.assert(…)`."""
        node = read_js(call)
        if node is None or node.type != "call_expression":
            return None
        function = node.child_by_field_name("function")
        named = function is not None and function.type == "member_expression"
        owner = function.child_by_field_name("object") if named and function is not None else None
        if owner is not None and owner.type == "call_expression":
            return self._expected(owner, _last(function), node, quote=quote)
        arguments = _arguments(node)
        method = _last(function)
        if method in _EQUAL and len(arguments) >= 2:
            return self.stated("assert", arguments[0], arguments[1], quote=quote)
        if method in ("assert", "ok") and arguments:
            return self.asserted(arguments[0], quote=quote)
        return None

    def _expected(
        self, expect: "Node", matcher: str, node: "Node", *, quote: str
    ) -> Example | None:
        """Read `expect(call).matcher(value)`; one with `.not` has another owner, and is left."""
        asked, wanted = _arguments(expect), _arguments(node)
        if _text(expect.child_by_field_name("function")) != "expect" or len(asked) != 1:
            return None
        if matcher in _EQUAL and wanted and matcher != "toBeCloseTo":
            return self.stated("assert", asked[0], wanted[0], quote=quote)
        if matcher in _VALUES:
            return self.stated("assert", asked[0], _VALUES[matcher], quote=quote)
        if matcher in _TRUTHS:
            return self.stated("truth", asked[0], _TRUTHS[matcher], quote=quote)
        inner = re.fullmatch(r"\(\)\s*=>\s*(.+)", asked[0], re.DOTALL)
        if matcher in _THROWS and inner is not None:
            name = wanted[0] if wanted and wanted[0].isidentifier() else "Error"
            return self.raising("assert", inner[1], name, quote=quote)
        return None

    def _tested(self, test: "Node", *, quote: str) -> Example | None:
        if test.type == "binary_expression" and _text(test.children[1]) in ("===", "=="):
            left, right = test.named_children
            call, value = (right, left) if is_js_literal(left) else (left, right)
            if is_js_literal(value):
                return self.stated("assert", _text(call), _text(value), quote=quote)
        if test.type == "unary_expression" and _text(test.children[0]) == "!":
            return self.stated("truth", _text(test.named_children[-1]), "false", quote=quote)
        return self.stated("truth", _text(test), "true", quote=quote)


def _looks_whole(text: str) -> bool:
    """Tell quickly what cannot be one value, which the parser would be slow to refuse."""
    if text[:1] in tuple("[({'\""):
        end = balanced_end(text, 0, limit=len(text))
        return end is not None and _GOES_ON.match(text, end) is not None
    return len(text) < 40 or _SUM.fullmatch(text) is not None or text.startswith(("new ", "`"))


def _text(node: "Node | None") -> str:
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def _last(node: "Node | None") -> str:
    return _text(node).rpartition(".")[2]


def _arguments(node: "Node") -> list[str]:
    arguments = node.child_by_field_name("arguments")
    return [_text(one) for one in arguments.named_children] if arguments is not None else []
