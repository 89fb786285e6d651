"""Read examples from JSON: calls with their values, or arguments for one function."""

import builtins
import json
import keyword
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

MAX_STARTS = 40
MAX_CASES = 50
MAX_DEPTH = 4

_EXPECTED = ("expected", "output", "esperado", "salida", "result")
_RAISES = ("raises", "lanza", "exception")
_CALL = ("call", "expression", "llamada", "expresion", "expresión")
_FUNCTION = ("function", "function_name", "funcion", "función")
_ARGUMENTS = ("args", "arguments", "argumentos")
_INPUT = ("input", "entrada")

_HINT = re.compile(rf'"(?:{"|".join(_EXPECTED + _RAISES)})"')
_START = re.compile(r'[\[{]\s*["{]')
_SIGNATURE = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\(([^()\n]{0,200})\)")


_ENDINGS = frozenset({"as", "es", "os", "s"})


@dataclass(frozen=True)
class JsonCase:
    """A call written as Python, its value as Python or the exception; the place in the text."""

    start: int
    end: int
    expression: str
    expected: str | None
    raises: str | None


def read_signatures(texts: Sequence[str]) -> dict[str, int | None]:
    """Map each function named in the texts to its number of parameters; None where unclear."""
    found: dict[str, int | None] = {}
    for text in texts:
        for match in _SIGNATURE.finditer(text):
            name, inside = match[1], match[2].strip()
            if hasattr(builtins, name) or keyword.iskeyword(name) or _is_plural(text, match):
                continue
            names = [part.split(":")[0].split("=")[0].strip() for part in inside.split(",")]
            written_out = bool(inside) and all(part.isidentifier() for part in names)
            known = found.get(name)
            found[name] = len(names) if known is None and written_out else known
    return found


def _is_plural(text: str, match: re.Match[str]) -> bool:
    """Tell `número(s)` and `valor(es)` from a function's signature."""
    return match[2] in _ENDINGS and text[max(match.start() - 1, 0)] not in "`"


def read_json_cases(
    text: str, signatures: Mapping[str, int | None], *, write: Callable[[object], str] = repr
) -> Iterator[JsonCase]:
    """Read every JSON value of the text that holds cases, at most `MAX_STARTS` beginnings."""
    if _HINT.search(text) is None:
        return
    decoder = json.JSONDecoder()
    position = 0
    for _ in range(MAX_STARTS):
        found = _START.search(text, position)
        if found is None:
            return
        start = found.start()
        position = start + 1
        try:
            value, end = decoder.raw_decode(text, start)
            cases = list(_Cases(signatures, write).read(value, None))
        except (ValueError, RecursionError):
            continue
        for expression, expected, raises in cases[:MAX_CASES]:
            yield JsonCase(start, end, expression, expected, raises)
        position = end if cases else position


_Case = tuple[str, str | None, str | None]


class _Cases:
    def __init__(
        self, signatures: Mapping[str, int | None], write: Callable[[object], str]
    ) -> None:
        self._signatures = signatures
        self._write = write

    def read(self, value: object, function: str | None, depth: int = 0) -> Iterator[_Case]:
        if depth > MAX_DEPTH:
            return
        if isinstance(value, list):
            for item in value[:MAX_CASES]:
                yield from self.read(item, function, depth + 1)
            return
        if not isinstance(value, dict):
            return
        named = _first(value, _FUNCTION)
        function = named if isinstance(named, str) and named.isidentifier() else function
        case = self._case(value, function)
        if case is not None:
            yield case
            return
        for item in value.values():
            yield from self.read(item, function, depth + 1)

    def _case(self, case: dict[str, object], function: str | None) -> _Case | None:
        raises = _first(case, _RAISES)
        raised = raises if isinstance(raises, str) else None
        if raised is None and not any(key in case for key in _EXPECTED):
            return None
        expected = self._write(_first(case, _EXPECTED)) if raised is None else None
        call = _first(case, _CALL)
        if isinstance(call, str):
            return call, expected, raised
        if function is None and len(self._signatures) == 1:
            function = next(iter(self._signatures))
        if function is None:
            return None
        arguments = self._arguments(case, self._signatures.get(function))
        return (f"{function}({arguments})", expected, raised) if arguments is not None else None

    def _arguments(self, case: dict[str, object], parameters: int | None) -> str | None:
        """Write a case's arguments; None where a list may be one argument or several."""
        listed = _first(case, _ARGUMENTS)
        if isinstance(listed, list):
            return ", ".join(map(self._write, listed))
        if not any(key in case for key in _INPUT):
            return None
        value = _first(case, _INPUT)
        if not isinstance(value, list):
            return self._write(value)
        if parameters == 1 and len(value) != 1:
            return self._write(value)
        fits = parameters == len(value) and parameters != 1
        return ", ".join(map(self._write, value)) if fits else None


def _first(case: Mapping[str, object], keys: tuple[str, ...]) -> object:
    return next((case[key] for key in keys if key in case), None)
