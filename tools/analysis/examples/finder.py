"""Find examples of a program's behaviour in a task's own words, Spanish and English.

Precision over recall: whatever can be read in two ways is left out.
"""

import re
from collections.abc import Iterator, Mapping

from tools.analysis.examples.example import Example, Kind
from tools.analysis.examples.input_phrases import find_arrows, find_phrases
from tools.analysis.examples.io_pairs import IoPair, find_io_pairs
from tools.analysis.examples.js_forms import JsForms
from tools.analysis.examples.json_cases import read_json_cases, read_signatures
from tools.analysis.examples.native_forms import LANGUAGES as NATIVE_LANGUAGES
from tools.analysis.examples.native_forms import NativeForms
from tools.analysis.examples.python_forms import PythonForms
from tools.analysis.examples.sql_cases import find_sql_examples
from tools.analysis.examples.tables import find_function, read_rows
from tools.analysis.examples.wording import MAX_CALL, call_end, next_call, read_gift, stands_alone
from tools.analysis.syntax import normalise_language

__all__ = ["MAX_EXAMPLES", "Example", "Kind", "find_examples"]

MAX_EXAMPLES = 50
Forms = PythonForms | JsForms | NativeForms
MAX_TEXT = 50_000
MAX_QUOTE = 300
MAX_CALLS = 500
MAX_OUTPUT_LINES = 40


def find_examples(*texts: str, language: str = "python") -> tuple[Example, ...]:
    """Find at most `MAX_EXAMPLES` examples, in reading order, without contradictions; never raises.

    Each text is a title, a description or a criterion; only its first `MAX_TEXT` characters count.
    `language` is the task's: calls and values are read as it writes them, and as Python where no
    other way is known. For SQL an example is a set of tables with the rows that a query gives.
    """
    if normalise_language(language) == "sql":
        return find_sql_examples(texts)
    forms = _forms_of(language)
    readers = [_Reader(text[:MAX_TEXT], forms) for text in texts]
    signatures = read_signatures([reader.text for reader in readers])
    found: dict[tuple[str, Kind | None], Example] = {}
    contradicted: set[tuple[str, Kind | None]] = set()
    for reader in readers:
        for example in reader.examples(signatures):
            key = (example.expression, example.kind if example.kind in ("io", "truth") else None)
            known = found.setdefault(key, example)
            if (known.expected, known.raises) != (example.expected, example.raises):
                contradicted.add(key)
    kept = [example for key, example in found.items() if key not in contradicted]
    return tuple(kept[:MAX_EXAMPLES])


def _forms_of(language: str) -> Forms:
    name = normalise_language(language) or ""
    if name in ("javascript", "typescript", "tsx"):
        return JsForms()
    return NativeForms(name) if name in NATIVE_LANGUAGES else PythonForms()


# Same length, so that positions in the text as written stay true.
_PLAIN = str.maketrans("“”„‘’´\u00a0", "\"\"\"''' ")

_ASSERT = re.compile(r"(?<![\w.])assert\b(?!\.|[ \t]*\.)[ \t]*(?=\S)")
_DOCTEST = re.compile(r"^[ \t]*>>> ?(?P<first>.*)(?P<more>(?:\n[ \t]*\.\.\.(?: .*)?)*)", re.M)
_CONTINUATION = re.compile(r"\n[ \t]*\.\.\. ?")
_NOT_LINE_BREAK = re.compile(r"[^\n]")
# A program that reads and prints, and not a function's arguments and value.
_READS = re.compile(
    r"\b(?:le(?:e|a|er|yendo)|teclado|stdin|stdout|print(?:s|ed|ing)?|imprim\w+|muestr\w+|mostrar"
    r"|pantalla|consola|keyboard|reads?|reading|console|standard (?:input|output)"
    r"|(?:entrada|salida) est[aá]ndar|input\(\))",
    re.IGNORECASE,
)

_Placed = Iterator[tuple[int, Example | None]]


class _Reader:
    """Reads one text; every kind of example blanks what it has read for those after it."""

    def __init__(self, text: str, forms: Forms) -> None:
        self.forms = forms
        self.written = text.replace("\r\n", "\n").replace("\r", "\n")
        plain = self.written.translate(_PLAIN).replace("assert_eq!(", "assert_eq_(")
        self.text = self.left = plain

    def examples(self, signatures: Mapping[str, int | None]) -> list[Example]:
        placed = [
            *self.doctests(),
            *self.json_cases(signatures),
            *self.asserts(),
            *self.calls(),
            *self.rows(signatures),
            *self.io_pairs(signatures),
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
            yield (
                prompt.start(),
                self.forms.doctest(source, output, quote=self.quote(prompt.start(), end)),
            )
            self.blank(prompt.start(), end)

    def json_cases(self, signatures: Mapping[str, int | None]) -> _Placed:
        for case in list(read_json_cases(self.left, signatures, write=self.forms.write)):
            quote = self.quote(case.start, case.end)
            if case.raises is not None:
                yield (
                    case.start,
                    self.forms.raising("json", case.expression, case.raises, quote=quote),
                )
            elif case.expected is not None:
                yield (
                    case.start,
                    self.forms.stated("json", case.expression, case.expected, quote=quote),
                )
            self.blank(case.start, case.end)

    def asserts(self) -> _Placed:
        for word in list(_ASSERT.finditer(self.left))[:MAX_CALLS]:
            rest = self.left[word.end() : word.end() + MAX_CALL].split("\n", 1)[0]
            for cut in (rest, rest.split("`")[0], rest.rstrip(" .;")):
                quote = self.quote(word.start(), word.end() + len(cut))
                example = self.forms.asserted(cut, quote=quote)
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
            start = self.forms.begin(self.left, start)
            if end is None or not stands_alone(self.left, start):
                continue
            call = self.left[start:end]
            if self.forms.assertion.match(self.left, start):
                yield start, self.forms.assertion_call(call, quote=self.quote(start, end))
                position = end
                continue
            gift = read_gift(self.left, start, end, values=self.forms)
            if gift is None:
                continue
            position = gift.end
            quote = self.quote(start, gift.end)
            if gift.raises is not None:
                yield start, self.forms.raising("call", call, gift.raises, quote=quote)
            elif gift.expected is not None and not (
                gift.symbol and self.forms.is_signature(call, gift.expected)
            ):
                yield start, self.forms.called(call, gift.expected, quote=quote)

    def rows(self, signatures: Mapping[str, int | None]) -> _Placed:
        """Read tables of expressions and values, and of one function's arguments and values."""
        for row in list(read_rows(self.left)):
            quote = self.quote(row.start, row.end)
            function = find_function(row.header, signatures)
            if function is not None and all(map(self.forms.is_value, row.cells)):
                call = f"{function}({', '.join(row.cells[:-1])})"
                yield row.start, self.forms.stated("call", call, row.cells[-1], quote=quote)
            elif len(row.cells) == 2 and self.forms.is_value(row.cells[1]):
                yield row.start, self.forms.stated("call", *row.cells, quote=quote)

    def io_pairs(self, signatures: Mapping[str, int | None]) -> _Placed:
        """Read inputs with outputs; those of the one function of the task become its calls."""
        reads = _READS.search(self.text) is not None
        pairs = [*find_io_pairs(self.left), *find_phrases(self.left, self.forms)]
        for pair in pairs:
            call = None if reads else self.as_call(pair, signatures)
            quote = self.quote(pair.start, pair.end)
            read = Example("io", repr(pair.given), repr(pair.printed), None, quote)
            yield pair.start, call or read
        for pair in list(find_arrows(self.left, self.forms)):
            if not reads:
                yield pair.start, self.as_call(pair, signatures)

    def as_call(self, pair: IoPair, signatures: Mapping[str, int | None]) -> Example | None:
        """Write a pair as a call of the task's one function; None where that can be doubted."""
        if len(signatures) != 1 or not self.forms.is_value(pair.printed):
            return None
        ((name, parameters),) = signatures.items()
        call = f"{name}({pair.given})"
        if parameters is None or self.forms.count_arguments(call) != parameters:
            return None
        quote = self.quote(pair.start, pair.end)
        return self.forms.stated("call", call, pair.printed, quote=quote)
