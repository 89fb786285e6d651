"""Find examples of a function's behaviour in a task's own words, Spanish and English.

Precision over recall: whatever can be read in two ways is left out.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from tools.analysis.expressions import (
    canonical,
    is_closed_call,
    is_literal,
    parse_expression,
    silent_warnings,
)
from tools.analysis.json_cases import read_json_cases, read_signatures
from tools.analysis.wording import (
    MAX_CALL,
    WORD_VALUES,
    Gift,
    call_end,
    is_exception_name,
    next_call,
    read_gift,
    stands_alone,
)

MAX_EXAMPLES = 50
MAX_TEXT = 50_000
MAX_QUOTE = 300
MAX_CALLS = 500
MAX_OUTPUT_LINES = 40

Kind = Literal["doctest", "call", "assert", "truth", "json"]


@dataclass(frozen=True)
class Example:
    """`expression` gives `expected`, or raises `raises`; `quote` is where the task says so.

    Expressions are Python in one line. Of kind `truth`, only the truth of the value counts.
    """

    kind: Kind
    expression: str
    expected: str | None
    raises: str | None
    quote: str


def find_examples(*texts: str) -> tuple[Example, ...]:
    """Find at most `MAX_EXAMPLES` examples, in reading order, without contradictions; never raises.

    Each text is a title, a description or a criterion; only its first `MAX_TEXT` characters count.
    """
    readers = [_Reader(text[:MAX_TEXT]) for text in texts]
    signatures = read_signatures([reader.text for reader in readers])
    found: dict[tuple[str, bool], Example] = {}
    contradicted: set[tuple[str, bool]] = set()
    for reader in readers:
        for example in reader.examples(signatures):
            key = (example.expression, example.kind == "truth")
            known = found.setdefault(key, example)
            if (known.expected, known.raises) != (example.expected, example.raises):
                contradicted.add(key)
    kept = [example for key, example in found.items() if key not in contradicted]
    return tuple(kept[:MAX_EXAMPLES])


# Same length, so that positions in the text as written stay true.
_PLAIN = str.maketrans("“”„‘’´\u00a0", "\"\"\"''' ")

_ASSERT = re.compile(r"(?<!\w)assert\b[ \t]*(?=\S)")
_ASSERT_EQUAL = re.compile(r"(?:\w+\.)?assertEquals?\(")
_DOCTEST = re.compile(r"^[ \t]*>>> ?(?P<first>.*)(?P<more>(?:\n[ \t]*\.\.\.(?: .*)?)*)", re.M)
_CONTINUATION = re.compile(r"\n[ \t]*\.\.\. ?")
_NOT_LINE_BREAK = re.compile(r"[^\n]")

_Placed = Iterator[tuple[int, Example | None]]


class _Reader:
    """Reads one text; every kind of example blanks what it has read for those after it."""

    def __init__(self, text: str) -> None:
        self.written = text.replace("\r\n", "\n").replace("\r", "\n")
        self.text = self.left = self.written.translate(_PLAIN)

    def examples(self, signatures: Mapping[str, int | None]) -> list[Example]:
        placed = [
            *self.doctests(),
            *self.json_cases(signatures),
            *self.asserts(),
            *self.calls(),
        ]
        placed.sort(key=lambda place: place[0])
        return [example for _, example in placed if example is not None]

    def blank(self, start: int, end: int) -> None:
        hidden = _NOT_LINE_BREAK.sub(" ", self.left[start:end])
        self.left = self.left[:start] + hidden + self.left[end:]

    def quote(self, start: int, end: int) -> str:
        return self.written[start:end].strip()[:MAX_QUOTE]

    def doctests(self) -> _Placed:
        for prompt in list(_DOCTEST.finditer(self.left))[:MAX_CALLS]:
            source = prompt["first"] + _CONTINUATION.sub("\n", prompt["more"])
            end = prompt.end()
            output: list[str] = []
            following = self.left[end + 1 : end + 4_000].split("\n")
            for line in following[:MAX_OUTPUT_LINES]:
                if not line.strip() or line.lstrip().startswith((">>>", "```")):
                    break
                output.append(line.strip())
                end += 1 + len(line)
            yield prompt.start(), _doctest(source, output, quote=self.quote(prompt.start(), end))
            self.blank(prompt.start(), end)

    def json_cases(self, signatures: Mapping[str, int | None]) -> _Placed:
        for case in list(read_json_cases(self.left, signatures)):
            quote = self.quote(case.start, case.end)
            if case.raises is not None:
                yield case.start, _raising("json", case.expression, case.raises, quote=quote)
            elif case.expected is not None:
                yield case.start, _stated("json", case.expression, case.expected, quote=quote)
            self.blank(case.start, case.end)

    def asserts(self) -> _Placed:
        for word in list(_ASSERT.finditer(self.left))[:MAX_CALLS]:
            rest = self.left[word.end() : word.end() + MAX_CALL].split("\n", 1)[0]
            for cut in (rest, rest.split("`")[0], rest.rstrip(" .;")):
                quote = self.quote(word.start(), word.end() + len(cut))
                example = _assertion(cut, quote=quote)
                if example is not None:
                    yield word.start(), example
                    break
            self.blank(word.start(), word.end() + len(rest))

    def calls(self) -> _Placed:
        position = 0
        for _ in range(MAX_CALLS):
            found = next_call(self.left, position)
            if found is None:
                return
            start, bracket = found
            position = bracket + 1
            end = call_end(self.left, bracket)
            if end is None or not stands_alone(self.left, start):
                continue
            if _ASSERT_EQUAL.match(self.left, start):
                yield start, _assert_equal(self.left[start:end], quote=self.quote(start, end))
                position = end
                continue
            gift = read_gift(self.left, start, end)
            if gift is None:
                continue
            position = gift.end
            call, quote = self.left[start:end], self.quote(start, gift.end)
            if gift.raises is not None:
                yield start, _raising("call", call, gift.raises, quote=quote)
            elif gift.expected is not None and not (gift.symbol and _is_signature(call, gift)):
                yield start, _called(call, gift.expected, quote=quote)


def _is_signature(call: str, gift: Gift) -> bool:
    """Tell `f() -> None` from an example: nothing is passed, nothing is given."""
    node = parse_expression(call)
    return isinstance(node, ast.Call) and not node.args and gift.expected == "None"


def _closed(expression: str) -> str | None:
    node = parse_expression(expression)
    return canonical(node) if node is not None and is_closed_call(node) else None


def _stated(kind: Kind, expression: str, expected: str, *, quote: str) -> Example | None:
    line = _closed(expression)
    value = parse_expression(WORD_VALUES.get(expected, expected))
    if line is None or value is None or not is_literal(value):
        return None
    written = canonical(value)
    return Example(kind, line, written, None, quote) if written is not None else None


def _raising(kind: Kind, expression: str, raises: str, *, quote: str) -> Example | None:
    line = _closed(expression)
    name = raises.rpartition(".")[2]
    if line is None or not is_exception_name(name):
        return None
    return Example(kind, line, None, name, quote)


def _called(
    call: str, expected: str, *, quote: str, kind: Kind = "call", printed: str | None = None
) -> Example | None:
    """Make an example of a call and its value; what `print` shows is compared as text."""
    match parse_expression(call):
        case ast.Call(func=ast.Name(id="print"), args=[shown], keywords=[]):
            value = parse_expression(expected)
            if printed is None and isinstance(value, ast.Constant) and isinstance(value.value, str):
                printed = value.value
            text = repr(expected if printed is None else printed)
            inner = canonical(shown)
            return _stated(kind, f"str({inner})", text, quote=quote) if inner else None
    return _stated(kind, call, expected, quote=quote)


def _doctest(source: str, output: list[str], *, quote: str) -> Example | None:
    if not output:
        return None
    if output[0].startswith("Traceback (most recent call last)"):
        name = re.match(r"[\w.]+", output[-1])
        return _raising("doctest", source, name[0], quote=quote) if name else None
    printed = "\n".join(output)
    return _called(source, " ".join(output), quote=quote, kind="doctest", printed=printed)


def _assertion(source: str, *, quote: str) -> Example | None:
    test = _asserted(source)
    truth = "True"
    match test:
        case None | ast.Tuple():
            return None
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            call, value = (right, left) if is_literal(left) else (left, right)
            if is_literal(value):
                return _from_trees(call, value, quote=quote)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            test, truth = operand, "False"
    expression = canonical(test)
    return _stated("truth", expression, truth, quote=quote) if expression else None


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


def _assert_equal(call: str, *, quote: str) -> Example | None:
    match parse_expression(call):
        case ast.Call(args=[first, second, *_]):
            if is_literal(first):
                first, second = second, first
            return _from_trees(first, second, quote=quote)
    return None


def _from_trees(call: ast.expr, value: ast.expr, *, quote: str) -> Example | None:
    expression, expected = canonical(call), canonical(value)
    if expression is None or expected is None:
        return None
    return _stated("assert", expression, expected, quote=quote)
