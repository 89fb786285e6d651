"""Make examples of calls, values and assertions that are written as Python."""

import ast
import re
from collections.abc import Mapping

from tools.analysis.examples.example import Example, Kind
from tools.analysis.examples.expressions import (
    canonical,
    is_closed_call,
    is_literal,
    parse_expression,
    silent_warnings,
)
from tools.analysis.examples.wording import WORD_VALUES, is_exception_name


class PythonForms:
    """What a call, a value and an assertion look like in Python."""

    words: Mapping[str, str] = WORD_VALUES
    assertion = re.compile(r"(?:\w+\.)?assertEquals?\(")

    def is_value(self, text: str) -> bool:
        """Tell whether a value is written out; a bare `1, 2` may be two of them."""
        if text in WORD_VALUES:
            return True
        node = parse_expression(text)
        if node is None or (isinstance(node, ast.Tuple) and not text.startswith("(")):
            return False
        return is_literal(node)

    def write(self, value: object) -> str:
        """Write a value of JSON."""
        return repr(value)

    def begin(self, text: str, start: int) -> int:
        """Give where the call begins whose name is at `start`."""
        return start

    def count_arguments(self, call: str) -> int | None:
        """Count the arguments of a call that has no named ones."""
        match parse_expression(call):
            case ast.Call(args=arguments, keywords=[]):
                return len(arguments)
        return None

    def is_signature(self, call: str, expected: str | None) -> bool:
        """Tell `f() -> None` from an example: nothing is passed, nothing is given."""
        node = parse_expression(call)
        return isinstance(node, ast.Call) and not node.args and expected == "None"

    def stated(self, kind: Kind, expression: str, expected: str, *, quote: str) -> Example | None:
        """Make an example of a call and its value; None where either is not written out."""
        line = _closed(expression)
        value = parse_expression(WORD_VALUES.get(expected, expected))
        if line is None or value is None or not is_literal(value):
            return None
        written = canonical(value)
        return Example(kind, line, written, None, quote) if written is not None else None

    def raising(self, kind: Kind, expression: str, raises: str, *, quote: str) -> Example | None:
        """Make an example of a call that raises; None where the name is no exception's."""
        line = _closed(expression)
        name = raises.rpartition(".")[2]
        if line is None or not is_exception_name(name):
            return None
        return Example(kind, line, None, name, quote)

    def called(
        self,
        call: str,
        expected: str,
        *,
        quote: str,
        kind: Kind = "call",
        printed: str | None = None,
    ) -> Example | None:
        """Make an example of a call and its value; what `print` shows is compared as text."""
        match parse_expression(call):
            case ast.Call(func=ast.Name(id="print"), args=[shown], keywords=[]):
                value = parse_expression(expected)
                is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
                if printed is None and is_text and isinstance(value, ast.Constant):
                    printed = str(value.value)
                text = repr(expected if printed is None else printed)
                inner = canonical(shown)
                return self.stated(kind, f"str({inner})", text, quote=quote) if inner else None
        return self.stated(kind, call, expected, quote=quote)

    def doctest(self, source: str, output: list[str], *, quote: str) -> Example | None:
        """Make an example of an interpreter's prompt and what it shows."""
        if not output:
            return None
        if output[0].startswith("Traceback (most recent call last)"):
            name = re.match(r"[\w.]+", output[-1])
            return self.raising("doctest", source, name[0], quote=quote) if name else None
        return self.called(
            source, " ".join(output), quote=quote, kind="doctest", printed="\n".join(output)
        )

    def asserted(self, source: str, *, quote: str) -> Example | None:
        """Make an example of what follows the word `assert`."""
        test = _asserted(source)
        truth = "True"
        match test:
            case None | ast.Tuple():
                return None
            case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
                call, value = (right, left) if is_literal(left) else (left, right)
                if is_literal(value):
                    return self._of_trees(call, value, quote=quote)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                test, truth = operand, "False"
        expression = canonical(test)
        return self.stated("truth", expression, truth, quote=quote) if expression else None

    def assertion_call(self, call: str, *, quote: str) -> Example | None:
        """Make an example of `assertEqual(call, value)`, in either order."""
        match parse_expression(call):
            case ast.Call(args=[first, second, *_]):
                if is_literal(first):
                    first, second = second, first
                return self._of_trees(first, second, quote=quote)
        return None

    def _of_trees(self, call: ast.expr, value: ast.expr, *, quote: str) -> Example | None:
        expression, expected = canonical(call), canonical(value)
        if expression is None or expected is None:
            return None
        return self.stated("assert", expression, expected, quote=quote)


def _closed(expression: str) -> str | None:
    node = parse_expression(expression)
    return canonical(node) if node is not None and is_closed_call(node) else None


def _asserted(source: str) -> ast.expr | None:
    try:
        with silent_warnings():
            statements = ast.parse(f"assert {source.strip()}").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match statements:
        case [ast.Assert(test=test)]:
            return test
    return None
