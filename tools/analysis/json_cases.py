"""Read examples from JSON: calls with their values, or arguments for one function."""

import builtins
import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
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
            if hasattr(builtins, name) or keyword.iskeyword(name):
                continue
            names = [part.split(":")[0].split("=")[0].strip() for part in inside.split(",")]
            written_out = bool(inside) and all(part.isidentifier() for part in names)
            known = found.get(name)
            found[name] = len(names) if known is None and written_out else known
    return found


def read_json_cases(text: str, signatures: Mapping[str, int | None]) -> Iterator[JsonCase]:
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
            cases = list(_cases(value, None, signatures=signatures, depth=0))
        except (ValueError, RecursionError):
            continue
        for expression, expected, raises in cases[:MAX_CASES]:
            yield JsonCase(start, end, expression, expected, raises)
        position = end if cases else position


_Case = tuple[str, str | None, str | None]


def _cases(
    value: object, function: str | None, *, signatures: Mapping[str, int | None], depth: int
) -> Iterator[_Case]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value[:MAX_CASES]:
            yield from _cases(item, function, signatures=signatures, depth=depth + 1)
        return
    if not isinstance(value, dict):
        return
    named = _first(value, _FUNCTION)
    function = named if isinstance(named, str) and named.isidentifier() else function
    case = _case(value, function, signatures=signatures)
    if case is not None:
        yield case
        return
    for item in value.values():
        yield from _cases(item, function, signatures=signatures, depth=depth + 1)


def _case(
    case: dict[str, object], function: str | None, *, signatures: Mapping[str, int | None]
) -> _Case | None:
    raises = _first(case, _RAISES)
    raised = raises if isinstance(raises, str) else None
    if raised is None and not any(key in case for key in _EXPECTED):
        return None
    expected = repr(_first(case, _EXPECTED)) if raised is None else None
    call = _first(case, _CALL)
    if isinstance(call, str):
        return call, expected, raised
    if function is None and len(signatures) == 1:
        function = next(iter(signatures))
    if function is None:
        return None
    arguments = _arguments(case, signatures.get(function))
    return (f"{function}({arguments})", expected, raised) if arguments is not None else None


def _arguments(case: dict[str, object], parameters: int | None) -> str | None:
    """Write a case's arguments; None where a list may be one argument or several."""
    listed = _first(case, _ARGUMENTS)
    if isinstance(listed, list):
        return ", ".join(map(repr, listed))
    if not any(key in case for key in _INPUT):
        return None
    value = _first(case, _INPUT)
    if not isinstance(value, list):
        return repr(value)
    if parameters == 1 and len(value) != 1:
        return repr(value)
    fits = parameters == len(value) and parameters != 1
    return ", ".join(map(repr, value)) if fits else None


def _first(case: Mapping[str, object], keys: tuple[str, ...]) -> object:
    return next((case[key] for key in keys if key in case), None)
