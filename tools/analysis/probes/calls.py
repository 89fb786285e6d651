"""Calls of one function with other arguments: beside the given ones, and drawn from their shape."""

import ast
import json
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random
from typing import Any, Final

from tools.analysis.examples.expressions import canonical, is_closed_call, parse_expression
from tools.analysis.examples.js_expressions import read_js_call
from tools.analysis.probes.boundaries import neighbours, vary
from tools.analysis.probes.hints import Hints
from tools.analysis.probes.mending import mend_line_breaks
from tools.analysis.probes.reading import parse_call, value_of
from tools.analysis.probes.values import Maker, maker_of

MOST_VARIED: Final = 60
MOST_DRAWN: Final = 120
SEED: Final = 20_261_122
MAX_CALL: Final = 400

_CALL: Final = re.compile(r"(?P<name>[A-Za-z_][\w.]*)\((?P<given>.*)\)", re.S)
_SIGNED: Final = re.compile(r"(?<![\w.\"'-])-?\d+(?:\.\d+)?(?![\w.\"'])")
_BARE: Final = re.compile(r"\w[\w.:/-]*")


def read_calls(calls: Iterable[str], *, javascript: bool) -> tuple[str, ...]:
    """Return the calls that stand by themselves, each once; what only lacks quotes gets them."""
    read = _read_javascript if javascript else _read_python
    found = (read(text) or read(_mended(text)) for text in calls)
    return tuple(dict.fromkeys(text for text in found if text is not None))


def varied_calls(calls: Sequence[str], *, javascript: bool) -> tuple[str, ...]:
    """Return variants of each call in turns, one changed argument each."""
    variants = [vary(call, javascript=javascript) for call in calls]
    longest = max(map(len, variants), default=0)
    in_turns = (some[turn] for turn in range(longest) for some in variants if turn < len(some))
    return tuple(islice(dict.fromkeys(in_turns), MOST_VARIED))


def within(calls: Iterable[str], given: Iterable[str], hints: Hints) -> tuple[str, ...]:
    """Return the `calls` without those that have a zero or a negative number unlike all `given`.

    Nobody has said what a page of size zero is: solutions may agree on it, and be wrong.
    """
    seen = {sign for call in given for sign in _signs(call)} | ({-1} if hints.negative else set())
    return tuple(call for call in calls if _signs(call) <= seen | {1})


def drawn_calls(calls: Sequence[str], hints: Hints, *, javascript: bool) -> tuple[str, ...]:
    """Return calls whose arguments are drawn from the shape of those that `calls` have."""
    random = Random(SEED)  # noqa: S311 - inputs, no secrets
    write = _write_javascript if javascript else _write_python
    drawn: dict[str, None] = {}
    groups = _by_function(calls, javascript=javascript)
    for function, given in groups.items():
        makers = _makers(given, hints)
        if makers is None:
            continue
        for _ in range(2 * MOST_DRAWN // len(groups)):
            values = _draw(given, makers, random)
            if hints.kinds and random.random() < 1 / 3:
                place = random.randrange(len(values))
                values[place] = _twin(values[place])
            text = write(function, values)
            if text is not None and len(text) <= MAX_CALL and len(drawn) < MOST_DRAWN:
                drawn[text] = None
    return tuple(drawn)


def _signs(call: str) -> set[int]:
    """Return the signs of the numbers in a call; 0 for zero."""
    numbers = (float(found) for found in _SIGNED.findall(call))
    return {(number > 0) - (number < 0) for number in numbers}


def _draw(given: Sequence[Sequence[Any]], makers: Sequence[Maker], random: Random) -> list[Any]:
    """Draw most arguments anew, keep some of a given call; now and then two are alike."""
    kept = random.choice(given)
    fresh = random.random() < 1 / 2
    values = [
        make(random, 0) if fresh or random.random() < 1 / 2 else old
        for make, old in zip(makers, kept, strict=True)
    ]
    if len(values) > 1 and random.random() < 1 / 3:
        one, two = random.sample(range(len(values)), 2)
        if type(values[one]) is type(values[two]):
            alike = [values[two], _altered(values[two]), *neighbours(values[two])]
            values[one] = random.choice(alike[:2] if random.random() < 1 / 2 else alike)
    return values


def _altered(value: Any) -> Any:
    """Return a value of the same structure in which every number, text and truth is another."""
    if isinstance(value, dict):
        return {key: _altered(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_altered, value))
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + "x"
    return value + 1 if isinstance(value, int | float) else value


def _twin(value: Any) -> Any:
    """Return a number's text or a text's number, also of each item; anything else as it is."""
    if isinstance(value, list):
        return [_twin(item) for item in value]
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return str(value) if type(value) in (int, float) else value


def _makers(given: Sequence[Sequence[Any]], hints: Hints) -> list[Maker] | None:
    columns = zip(*given, strict=True)
    makers = [maker_of(column, hints) for column in columns]
    whole = [make for make in makers if make is not None]
    return whole if whole and len(whole) == len(makers) else None


def _by_function(calls: Sequence[str], *, javascript: bool) -> dict[str, list[list[Any]]]:
    """Return the arguments of the calls by what they call, of the most frequent number only."""
    found: dict[str, list[list[Any]]] = {}
    for call in calls:
        node = parse_call(call, javascript=javascript)
        values = _values(node)
        if isinstance(node, ast.Call) and values:
            found.setdefault(ast.unparse(node.func), []).append(values)
    for function, given in found.items():
        lengths = [len(values) for values in given]
        usual = max(set(lengths), key=lengths.count)
        found[function] = [values for values in given if len(values) == usual]
    return found


def _values(node: ast.expr | None) -> list[Any] | None:
    if not isinstance(node, ast.Call) or node.keywords:
        return None
    try:
        return [value_of(one) for one in node.args]
    except ValueError:
        return None


def _write_python(function: str, values: Sequence[Any]) -> str | None:
    return f"{function}({', '.join(map(repr, values))})"


def _write_javascript(function: str, values: Sequence[Any]) -> str | None:
    try:
        return f"{function}({', '.join(json.dumps(one, ensure_ascii=False) for one in values)})"
    except (TypeError, ValueError):
        return None


def _read_python(call: str) -> str | None:
    node = parse_expression(call)
    return canonical(node) if node is not None and is_closed_call(node) else None


def _read_javascript(call: str) -> str | None:
    read = read_js_call(call)
    return None if read is None else read.text


def _mended(call: str) -> str:
    """Escape line breaks inside a call, put quotes around what is no literal, borrow nothing."""
    call = mend_line_breaks(call.strip()).replace("&[", "[")
    found = _CALL.fullmatch(call)
    if found is None or any(mark in found["given"] for mark in "\"'([{"):
        return call
    given = [_quoted(one.strip()) for one in found["given"].split(",")]
    return f"{found['name']}({', '.join(given)})"


def _quoted(argument: str) -> str:
    if parse_expression(argument) is not None or not _BARE.fullmatch(argument):
        return argument
    return repr(argument)
