"""Vary the arguments of a call towards where programs go wrong: empty, equal, reversed, one more.

Deterministic: the same call gives the same variants in the same order.
"""

import ast
import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

from tools.analysis.examples.expressions import canonical, is_closed_call, parse_expression
from tools.analysis.probes.reading import parse_call, value_of

MAX_VARIANTS: Final = 24
MAX_LITERAL: Final = 200

_DIGITS: Final = re.compile(r"\d+")
_LETTERS: Final = re.compile(r"[^\W\d_]")


def vary(expression: str, *, javascript: bool = False) -> tuple[str, ...]:
    """Return up to `MAX_VARIANTS` calls that differ from `expression` in its literal arguments.

    One argument is changed at a time, or two of one type are exchanged or made equal. Nothing where
    `expression` is no call that stands by itself. `javascript`: it is written so, and its literals
    are those that JSON has.
    """
    node = parse_call(expression, javascript=javascript)
    if not isinstance(node, ast.Call) or not is_closed_call(node):
        return ()
    write = _write_javascript if javascript else canonical
    ways = [_changed_one(node, position) for position in range(len(node.args))]
    written = (write(variant) for variant in _in_turns([_changed_two(node), *ways]))
    same = write(node)
    different = dict.fromkeys(text for text in written if text is not None and text != same)
    return tuple(islice(different, MAX_VARIANTS))


def _write_javascript(call: ast.Call) -> str | None:
    try:
        values = [json.dumps(value_of(one), ensure_ascii=False) for one in call.args]
    except (ValueError, TypeError):
        return None
    return f"{ast.unparse(call.func)}({', '.join(values)})"


def _changed_one(call: ast.Call, position: int) -> Iterator[ast.Call]:
    try:
        value = value_of(call.args[position])
    except ValueError:
        return
    for other in neighbours(value):
        yield _with(call, {position: other})


def _changed_two(call: ast.Call) -> Iterator[ast.Call]:
    for first in range(len(call.args)):
        for second in range(first + 1, len(call.args)):
            one, two = call.args[first], call.args[second]
            if _kind(one) is not None and _kind(one) == _kind(two):
                yield _with(call, {first: value_of(two), second: value_of(one)})
                yield _with(call, {second: value_of(one)})


def _kind(node: ast.expr) -> type | None:
    try:
        return type(value_of(node))
    except ValueError:
        return None


def _with(call: ast.Call, values: dict[int, Any]) -> ast.Call:
    changed = copy.deepcopy(call)
    for position, value in values.items():
        written = parse_expression(repr(value))
        if written is not None:
            changed.args[position] = written
    return changed


def neighbours(value: Any) -> Iterator[Any]:
    """Yield values of the same type that a program may treat otherwise."""
    near = _NEAR.get(type(value))
    if near is None:
        return
    for other in near(value):
        if len(repr(other)) <= MAX_LITERAL:
            yield other


def _near_bool(value: bool) -> Iterable[bool]:  # noqa: FBT001 - a value, not a switch
    return (not value,)


def _near_int(value: int) -> Iterable[int]:
    return (0, 1, value - 1, value + 1, -value, 2, 10 * value, 7, 100)


def _near_float(value: float) -> Iterable[float]:
    return (0.0, -value, value + 0.5, float(round(value)), value * 10)


def _near_text(value: str) -> Iterable[str]:
    yield ""
    yield value[::-1]
    yield from (_DIGITS.sub(number, value, count=1) for number in ("0", "10", "9"))
    numbers = list(_DIGITS.finditer(value))
    for found in numbers[1:3]:
        yield value[: found.start()] + "10" + value[found.end() :]
    if _LETTERS.search(value):
        yield value.upper()
        yield value.swapcase()
    yield f"  {value} "
    yield value[:1]
    yield value + value
    yield value.replace(" ", "  ")
    yield value[:-1]


def _near_items(value: Any) -> Iterable[Any]:
    kind = type(value)
    items = list(value)
    yield kind()
    yield kind(items[:1])
    yield kind(reversed(items))
    yield kind(items + items)
    yield kind(items[:1] + items)
    yield kind(items[:-1])
    for place in sorted({0, len(items) - 1}) if items else ():
        for other in islice(neighbours(items[place]), 5):
            yield kind([*items[:place], other, *items[place + 1 :]])


def _near_mapping(value: dict[Any, Any]) -> Iterable[dict[Any, Any]]:
    pairs = list(value.items())
    yield {}
    yield dict(pairs[:1])
    yield dict(reversed(pairs))
    for place in sorted({0, len(pairs) - 1}) if pairs else ():
        key, old = pairs[place]
        for other in islice(neighbours(old), 3):
            yield {**value, key: other}


_NEAR: Final[dict[type, Callable[[Any], Iterable[Any]]]] = {
    bool: _near_bool,
    int: _near_int,
    float: _near_float,
    str: _near_text,
    list: _near_items,
    tuple: _near_items,
    dict: _near_mapping,
}


def _in_turns(ways: list[Iterator[ast.Call]]) -> Iterator[ast.Call]:
    """Yield one of each way after another, so that no argument crowds out the rest."""
    waiting = list(ways)
    while waiting:
        for way in tuple(waiting):
            try:
                yield next(way)
            except StopIteration:
                waiting.remove(way)
