"""Read values that came out of V8 as tagged JSON, and compare two of them by value.

Both sides are written by the same harness, what is expected in a clean context of its own.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tools.analysis.runs.values import Thing, Unreadable

MAX_SHOWN = 400
_MAX_DEPTH = 60

Container = Literal["array", "record", "map", "set", "stream"]
_CONTAINERS: dict[str, Container] = {
    **{"array": "array", "record": "record", "map": "map", "set": "set", "stream": "stream"}
}


@dataclass(frozen=True)
class Primitive:
    """`undefined`, `null`, a boolean, a bigint, a date: equal when written alike."""

    kind: str
    text: str


@dataclass(frozen=True)
class JsItems:
    """An array, an iterator, a Set, a Map or an object; the latter two hold pairs."""

    kind: Container
    name: str
    items: tuple[object, ...]
    whole: bool


def read_js_value(  # noqa: PLR0911 - one for each type
    tagged: object, depth: int = 0
) -> object:
    """Read a value: str, float, `Primitive`, `JsItems` or `Thing`. Raises Unreadable."""
    if depth > _MAX_DEPTH:
        raise Unreadable("not a value")
    match tagged:
        case ["undefined" | "null" as kind]:
            return Primitive(str(kind), str(kind))
        case ["boolean", bool(value)]:
            return Primitive("boolean", "true" if value else "false")
        case ["bigint" | "date" as kind, str(text)]:
            return Primitive(str(kind), text)
        case ["number", str(text)]:
            return _read_number(text)
        case ["string", str(text)]:
            return text
        case ["thing", str(name), str(shown)]:
            return Thing(name[:80], shown[:MAX_SHOWN])
        case [str(kind), str(name), list(items), bool(whole)] if kind in _CONTAINERS:
            pairs = kind in ("map", "record")
            read = tuple(_read_item(item, depth + 1, pair=pairs) for item in items)
            return JsItems(_CONTAINERS[kind], name[:80], read, whole)
    raise Unreadable("not a value")


def _read_item(item: object, depth: int, *, pair: bool) -> object:
    if not pair:
        return read_js_value(item, depth)
    match item:
        case [key, value]:
            read = key if isinstance(key, str) else read_js_value(key, depth)
            return read, read_js_value(value, depth)
    raise Unreadable("not a pair")


def _read_number(text: str) -> float:
    try:
        return float(text.replace("Infinity", "inf"))
    except ValueError as error:
        raise Unreadable("not a number") from error


def is_same_js(got: object, want: object) -> bool:
    """Tell whether two values are alike: numbers nearly, objects by their own properties.

    A property that is `undefined` is as good as none, and 0 is as good as -0 unless -0 is wanted.
    """
    if isinstance(want, float):
        return isinstance(got, float) and _is_same_number(got, want)
    if not isinstance(want, JsItems) or not isinstance(got, JsItems):
        return type(got) is type(want) and got == want
    if not got.whole:
        return False
    if got.kind != want.kind and (got.kind, want.kind) != ("stream", "array"):
        return False
    return _is_same_record(got, want) if want.kind in ("record", "map") else _is_same(got, want)


def _is_same(got: JsItems, want: JsItems) -> bool:
    if len(got.items) != len(want.items):
        return False
    if want.kind == "set":
        return {_key(item) for item in want.items} == {_key(item) for item in got.items}
    return all(map(is_same_js, got.items, want.items))


def _is_same_number(got: float, want: float) -> bool:
    if math.isnan(got) or math.isnan(want):
        return math.isnan(got) and math.isnan(want)
    if want == 0 and math.copysign(1, want) < 0:
        return got == 0 and math.copysign(1, got) < 0
    if got == want or math.isinf(got) or math.isinf(want):
        return got == want
    whole = got.is_integer() and want.is_integer() and max(abs(got), abs(want)) < 2**53
    return not whole and abs(got - want) <= max(1e-9 * max(abs(got), abs(want)), 1e-12)


def _is_same_record(got: JsItems, want: JsItems) -> bool:
    found, wanted = _pairs(got), _pairs(want)
    return found.keys() == wanted.keys() and all(
        is_same_js(found[key], value) for key, value in wanted.items()
    )


def _pairs(value: JsItems) -> dict[str, object]:
    pairs: dict[str, object] = {}
    for item in value.items:
        assert isinstance(item, tuple)
        if value.kind == "map" or item[1] != Primitive("undefined", "undefined"):
            pairs[_key(item[0])] = item[1]
    return pairs


def _key(value: object) -> str:
    return "".join(_shown(value))


def js_type(value: object) -> str:
    """Give the name of a value's type as a learner knows it."""
    match value:
        case str():
            return "string"
        case float():
            return "number"
        case Primitive(kind=kind):
            return {"date": "Date"}.get(kind, kind)
        case JsItems(kind=kind, name=name):
            return "iterator" if kind == "stream" else name
        case Thing(name=name):
            return name
    return "unknown"


def show_js(value: object) -> str:
    """Write a value as JavaScript, at most `MAX_SHOWN` characters of it."""
    text = ""
    for part in _shown(value):
        text += part
        if len(text) > MAX_SHOWN:
            return text[: MAX_SHOWN - 3] + "..."
    return text


def _shown(value: object) -> Iterator[str]:
    match value:
        case str():
            yield json.dumps(value, ensure_ascii=False)
        case float():
            yield _show_number(value)
        case Primitive(kind="bigint", text=text):
            yield f"{text}n"
        case Primitive(kind="date", text=text):
            yield f"Date({_date(text)})"
        case Primitive(text=text):
            yield text
        case Thing(name=name, shown=shown):
            yield f"{name}({shown})"
        case JsItems():
            yield from _show_items(value)


def _show_items(value: JsItems) -> Iterator[str]:
    opening, closing = ("{", "}") if value.kind == "record" else ("[", "]")
    wrapper = {"map": "Map", "set": "Set"}.get(value.kind, "")
    yield f"{wrapper}({opening}" if wrapper else opening
    for position, item in enumerate(value.items):
        yield ", " if position else ""
        if not isinstance(item, tuple):
            yield from _shown(item)
            continue
        key, held = item
        plain = isinstance(key, str) and key.isidentifier() and value.kind == "record"
        yield from ([key] if plain else _shown(key))
        yield ": " if value.kind == "record" else " => "
        yield from _shown(held)
    yield ("" if value.whole else ", ...") + (f"{closing})" if wrapper else closing)


def _show_number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)


def _date(text: str) -> str:
    try:
        return datetime.fromtimestamp(float(text) / 1000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return text
