"""Make examples of calls and values that are written in a language that is built or interpreted.

What a task writes is kept as written: the program's own language, or Python's and JSON's literals.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from tools.analysis.examples.example import Example, Kind
from tools.analysis.examples.native_literals import NotRead, read_call, read_value
from tools.analysis.examples.native_values import Call, Unread
from tools.analysis.examples.wording import is_exception_name

LANGUAGES: Final = frozenset(
    {"c", "cpp", "java", "go", "rust", "csharp", "php", "ruby", "kotlin", "bash"}
)
_WORDS: Final = {
    **{word: word for word in ("true", "false", "True", "False", "null", "nil", "None", "NULL")},
    **{"nullptr": "nullptr", "TRUE": "true", "FALSE": "false"},
    **{"verdadero": "true", "falso": "false"},
}
_BEFORE: Final = re.compile(r"(?:\bnew[ \t]+|(?:\b[A-Za-z_]\w*::)+|\\)\Z")
_QUOTED: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_EQUALS: Final = re.compile(r"\s*={2,3}\s*")
_EQUAL_TO: Final = re.compile(r"(?:assert_?eq\w*|are_?equal|assert_?same|assert_?equals?)!?$", re.I)
_TRUE: Final = re.compile(r"(?:assert|assert_?true|is_?true|require|check)!?$", re.I)
_FALSE: Final = re.compile(r"(?:assert_?false|is_?false)!?$", re.I)
_PRINTS: Final = re.compile(
    r"(?:System\.out\.)?print(?:ln|f)?$|puts$|p$|echo$|Console\.Write(?:Line)?$|fmt\.\w+$|main$",
    re.I,
)


class NativeForms:
    """What a call, a value and an assertion look like in `language`."""

    words: Mapping[str, str] = _WORDS
    assertion = re.compile(
        r"(?:\w+\.)?(?:assert\w*|Are(?:Not)?Equal|IsTrue|IsFalse|REQUIRE|CHECK)\(", re.IGNORECASE
    )

    def __init__(self, language: str) -> None:
        self._language = language

    def is_value(self, text: str) -> bool:
        """Tell whether a value is written out; a bare `1, 2` may be two of them."""
        return self._value(text) is not None

    def _value(self, text: str) -> str | None:
        text = _WORDS.get(text, text).strip()
        try:
            read_value(text, self._language)
        except (NotRead, ValueError, RecursionError):
            return None
        return text

    def _call(self, text: str) -> Call | None:
        if self._language == "bash":
            return None
        try:
            call = read_call(" ".join(text.split("\n")), self._language)
        except (NotRead, ValueError, RecursionError):
            return None
        return None if _PRINTS.match(call.path) else call

    def write(self, value: object) -> str:
        """Write a value of JSON."""
        return json.dumps(value, ensure_ascii=False)

    def begin(self, text: str, start: int) -> int:
        """Give where the call begins whose name is at `start`: before `new` and `Type::`."""
        before = _BEFORE.search(text, max(start - 60, 0), start)
        return before.start() if before is not None else start

    def count_arguments(self, call: str) -> int | None:
        """Count the arguments of a call."""
        read = self._call(call)
        return len(read.arguments) if read is not None else None

    def is_signature(self, call: str, expected: str | None) -> bool:
        """Tell `f() -> null` from an example: nothing is passed, nothing is given."""
        return call.endswith("()") and expected in ("null", "nil", "None", "nullptr")

    def stated(self, kind: Kind, expression: str, expected: str, *, quote: str) -> Example | None:
        """Make an example of a call and its value; None where either is not written out."""
        call, value = self._call(expression), self._value(expected)
        if call is None or value is None:
            return None
        return Example(kind, call.text, value, None, quote)

    def raising(self, kind: Kind, expression: str, raises: str, *, quote: str) -> Example | None:
        """Make an example of a call that raises; None where the name is no exception's."""
        call, name = self._call(expression), raises.rpartition(".")[2]
        if call is None or not is_exception_name(name):
            return None
        return Example(kind, call.text, None, name, quote)

    def called(
        self,
        call: str,
        expected: str,
        *,
        quote: str,
        kind: Kind = "call",
        printed: str | None = None,
    ) -> Example | None:
        """Make an example of a call and its value."""
        return self.stated(kind, call, expected, quote=quote)

    def doctest(self, source: str, output: list[str], *, quote: str) -> Example | None:
        """Make an example of a prompt and what it shows."""
        return self.stated("doctest", source, " ".join(output), quote=quote) if output else None

    def asserted(self, source: str, *, quote: str) -> Example | None:
        """Make an example of what follows the word `assert`, brackets around it or none."""
        inside = re.fullmatch(r"!?\s*\((?P<inside>.*)\)\s*;?", source.strip(), re.DOTALL)
        return self._tested(inside["inside"] if inside else source.strip(" ;"), quote=quote)

    def assertion_call(self, call: str, *, quote: str) -> Example | None:
        """Make an example of `assertEquals(value, call)`, in either order, or `assert(test)`."""
        path, _, rest = call.partition("(")
        inside, name = rest.strip()[:-1], path.rpartition(".")[2].rstrip("_!")
        if _TRUE.match(name):
            return self._tested(inside, quote=quote)
        if _FALSE.match(name):
            return self.stated("truth", inside, "false", quote=quote)
        if _EQUAL_TO.match(name) is None:
            return None
        try:
            both = read_call(f"f({inside})", self._language).arguments
        except (NotRead, ValueError, RecursionError):
            return None
        unread = [one.text for one in both if isinstance(one, Unread)]
        if len(both) != 2 or len(unread) != 1:
            return None
        # The value is what is left beside the call.
        other = inside.replace(unread[0], "", 1).strip().strip(",").strip()
        return self.stated("assert", unread[0], other, quote=quote)

    def _tested(self, test: str, *, quote: str) -> Example | None:
        spans = [found.span() for found in _QUOTED.finditer(test)]
        signs = [
            found
            for found in _EQUALS.finditer(test)
            if not any(start < found.start() < end for start, end in spans)
        ]
        if len(signs) == 1:
            left, right = test[: signs[0].start()], test[signs[0].end() :]
            call, value = (right, left) if self.is_value(left) else (left, right)
            return self.stated("assert", call, value, quote=quote)
        if signs:
            return None
        negated = test.strip().startswith("!")
        truth = "false" if negated else "true"
        return self.stated("truth", test.strip().lstrip("!"), truth, quote=quote)
