"""Read values that came out of a sandbox as tagged JSON, and compare them with what is expected.

Everything here was written by hostile code: it is checked, bounded and never evaluated.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

MAX_SHOWN = 400
_MAX_DEPTH = 60

Container = Literal["list", "tuple", "set", "frozenset", "dict", "range", "view", "stream"]
_CONTAINERS: dict[str, Container] = {
    **{"list": "list", "tuple": "tuple", "set": "set", "frozenset": "frozenset"},
    **{"dict": "dict", "range": "range", "view": "view", "stream": "stream"},
}


@dataclass(frozen=True)
class Items:
    """A container of type `name`; a dict's items are pairs; `whole` is False where it was cut."""

    kind: Container
    name: str
    items: tuple[object, ...]
    whole: bool


@dataclass(frozen=True)
class Thing:
    """A value of a type that has no literal, and how it shows itself."""

    name: str
    shown: str


class Unreadable(ValueError):
    """The answer is not one that the harness writes."""


def read_json(line: bytes) -> list[object]:
    """Read one answer, a list that starts with its name. Raises Unreadable."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(answer, list) or not answer or not isinstance(answer[0], str):
        raise Unreadable("not an answer")
    return answer


def read_value(tagged: object, depth: int = 0) -> object:
    """Read a tagged value: None, a scalar, `Items` or a `Thing`. Raises Unreadable."""
    if not isinstance(tagged, list) or depth > _MAX_DEPTH:
        raise Unreadable("not a value")
    try:
        return _read_scalar(tagged) if tagged[0] not in _CONTAINERS else _read_items(tagged, depth)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise Unreadable("not a value") from error


def _read_scalar(tagged: list[object]) -> object:  # noqa: PLR0911 - one for each type
    match tagged:
        case ["none"]:
            return None
        case ["bool", bool(value)]:
            return value
        case ["int", str(text)]:
            return int(text, 16)
        case ["float", str(text)]:
            return float.fromhex(text)
        case ["complex", str(real), str(imaginary)]:
            return complex(float.fromhex(real), float.fromhex(imaginary))
        case ["str", str(text)]:
            return text
        case ["bytes", str(text)]:
            return bytes.fromhex(text)
        case ["Decimal", str(text)] if len(text) < 200:
            return Decimal(text)
        case ["Fraction", str(text)] if len(text) < 200 and "e" not in text.lower():
            return Fraction(text)
        case [str(), str(name), str(shown)]:
            return Thing(name[:80], shown[:MAX_SHOWN])
        case ["bytearray", str(text)]:
            return Thing("bytearray", repr(bytearray.fromhex(text))[:MAX_SHOWN])
    raise Unreadable("not a value")


def _read_items(tagged: list[object], depth: int) -> Items:
    tag, name, items, whole = tagged
    if not isinstance(name, str) or not isinstance(items, list) or not isinstance(tag, str):
        raise Unreadable("not a container")
    if tag == "dict":
        read: tuple[object, ...] = tuple(
            (read_value(key, depth + 1), read_value(value, depth + 1)) for key, value in items
        )
    else:
        read = tuple(read_value(item, depth + 1) for item in items)
    return Items(_CONTAINERS[tag], name[:80], read, whole is True)


def is_same(got: object, want: object) -> bool:
    """Tell whether the two are equal by value, floats nearly; `want` is a plain Python value.

    Types count, but for the kinds of numbers; iterators and views count as what they give.
    """
    if isinstance(want, bool | int | float | complex):
        return _is_same_number(got, want)
    if isinstance(want, list | tuple | range):
        return _is_same_sequence(got, want)
    if isinstance(want, dict):
        return _is_same_dict(got, want)
    if isinstance(want, set | frozenset):
        return _is_same_set(got, want)
    return type(got) is type(want) and got == want


def _is_same_number(got: object, want: complex) -> bool:
    if isinstance(got, Decimal | Fraction):
        return got == want
    if not isinstance(got, bool | int | float | complex):
        return False
    return is_near(got, want)


def is_near(got: complex, want: complex, *, share: float = 1e-9) -> bool:
    """Tell whether two numbers are one: whole ones exactly, others to `share` of their size."""
    if got == want or (isinstance(got, int) and isinstance(want, int)):
        return got == want
    if got != got and want != want:
        return True
    try:
        size, distance = max(abs(got), abs(want)), abs(got - want)
    except OverflowError:
        return False
    return not math.isinf(size) and distance <= max(share * size, 1e-12)


def _is_same_sequence(got: object, want: list[object] | tuple[object, ...] | range) -> bool:
    if not isinstance(got, Items) or not got.whole or len(got.items) != len(want):
        return False
    alike = got.kind == type(want).__name__ or got.kind in ("stream", "view", "range")
    if not alike and not (isinstance(want, range) and got.kind == "list"):
        return False
    return all(map(is_same, got.items, want))


def _is_same_dict(got: object, want: dict[object, object]) -> bool:
    if not isinstance(got, Items) or got.kind != "dict" or len(got.items) != len(want):
        return False
    # Hostile keys may all have one hash: theirs are compared with ours, never with each other.
    found = {}
    for pair in got.items:
        assert isinstance(pair, tuple)
        key, value = pair[0], pair[1]
        hashable = _as_key(key)
        if hashable not in want:
            return False
        found[hashable] = value
    return len(found) == len(want) and all(is_same(found[key], want[key]) for key in want)


def _is_same_set(got: object, want: set[object] | frozenset[object]) -> bool:
    if not isinstance(got, Items) or not got.whole or len(got.items) != len(want):
        return False
    if got.kind not in ("set", "frozenset", "view"):
        return False
    keys = [_as_key(item) for item in got.items]
    return all(key in want for key in keys) and set(keys) == want


def _as_key(value: object) -> object:
    if isinstance(value, Items):
        items = tuple(_as_key(item) for item in value.items)
        return frozenset(items) if value.kind == "frozenset" else items
    return value


def type_name(value: object) -> str:
    """Give the name of the type that the value has in the program."""
    return value.name if isinstance(value, Items | Thing) else type(value).__name__


def show(value: object) -> str:
    """Write a value as Python would, at most `MAX_SHOWN` characters of it."""
    text, parts = "", _shown(value)
    for part in parts:
        text += part
        if len(text) > MAX_SHOWN:
            return text[: MAX_SHOWN - 3] + "..."
    return text


_BRACKETS = {"tuple": "()", "set": "{}", "dict": "{}", "frozenset": "{}"}


def _shown(value: object) -> Iterator[str]:
    if isinstance(value, Thing):
        yield value.shown
    elif isinstance(value, int) and value.bit_length() > 4 * MAX_SHOWN:
        # Python refuses to write very long integers; the first digits say enough.
        digits = int(value.bit_length() * math.log10(2)) - MAX_SHOWN
        leading = str(abs(value) // 10**digits) if digits < 4_000 else "a very large int "
        yield ("-" if value < 0 else "") + leading + "." * MAX_SHOWN
    elif not isinstance(value, Items):
        yield repr(value[:MAX_SHOWN] if isinstance(value, str | bytes) else value)
    elif value.kind == "range":
        step = _step(value.items)
        start = value.items[0] if value.items else 0
        yield f"range({start}, {_end(value.items, step)}{f', {step}' if step != 1 else ''})"
    elif value.kind in ("set", "frozenset") and not value.items:
        yield f"{value.kind}()"
    else:
        brackets, wrapped = _BRACKETS.get(value.kind, "[]"), value.kind == "frozenset"
        yield ("frozenset(" if wrapped else "") + brackets[0]
        for position, item in enumerate(value.items):
            yield ", " if position else ""
            if isinstance(item, tuple):
                yield from _shown(item[0])
                yield ": "
                yield from _shown(item[1])
            else:
                yield from _shown(item)
        yield "," if value.kind == "tuple" and len(value.items) == 1 else ""
        yield "" if value.whole else ", ..."
        yield brackets[1] + (")" if wrapped else "")


def _step(items: tuple[object, ...]) -> int:
    match items:
        case (int(first), int(second), *_):
            return second - first
    return 1


def _end(items: tuple[object, ...], step: int) -> object:
    return items[-1] + step if items and isinstance(items[-1], int) else 0
