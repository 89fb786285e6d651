"""Read the values that a harness wrote as JSON, compare them, and show them as their language does.

What comes out of a box was written by hostile code: it is bounded, and never evaluated.
"""

import json
from collections.abc import Iterator
from typing import Final

from tools.analysis.examples.native_values import Char, Group, Pairs, Thing, Wrapped
from tools.analysis.runs.values import Unreadable, is_near

MAX_SHOWN: Final = 400
MAX_DEPTH: Final = 60
_NARROW_DIGITS = 1e-6
_TRUTHS_ARE_NUMBERS = frozenset({"c", "cpp"})


class Narrow(float):
    """A number of single precision."""


def read_answer(value: object, depth: int = 0) -> object:
    """Read a value of a harness's JSON. Raises Unreadable."""
    if depth > MAX_DEPTH:
        raise Unreadable("too deep")
    if isinstance(value, list):
        return [read_answer(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    try:
        ((kind, inside),) = value.items()
        return _read_tagged(kind, inside, depth)
    except (ValueError, TypeError, AttributeError) as error:
        raise Unreadable("not a value") from error


def _read_tagged(kind: str, inside: object, depth: int) -> object:  # noqa: PLR0911 - one for each tag
    match kind, inside:
        case "f", str(text):
            return float(text)
        case "g", str(text):
            return Narrow(text)
        case "i", str(text) if len(text) < 2_000:
            return int(text)
        case "c", str(text):
            return Char(text)
        case "s", list(items):
            return Group(tuple(read_answer(one, depth + 1) for one in items), bag=True)
        case "t", list(items):
            return tuple(read_answer(one, depth + 1) for one in items)
        case "m", list(items):
            pairs = [(read_answer(k, depth + 1), read_answer(v, depth + 1)) for k, v in items]
            return Pairs(tuple(pairs))
        case (("some" | "ok" | "err"), _):
            return Wrapped(kind, read_answer(inside, depth + 1))
        case "u", [str(name), str(shown)]:
            return Thing(name[:80], shown[:MAX_SHOWN])
    raise Unreadable("not a value")


def parse_answer(line: bytes) -> list[object]:
    """Read one answer, a list that starts with its name. Raises Unreadable."""
    try:
        answer = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(answer, list) or not answer or not isinstance(answer[0], str):
        raise Unreadable("not an answer")
    return answer


def is_same(got: object, want: object, language: str) -> bool:  # noqa: PLR0911 - one for each kind
    """Tell whether a program's value is the one that is written, floats nearly."""
    if isinstance(want, Wrapped):
        inner = got.value if isinstance(got, Wrapped) else got
        kind = got.kind if isinstance(got, Wrapped) else "some"
        return (kind == "err") == (want.kind == "err") and is_same(inner, want.value, language)
    if isinstance(got, Wrapped):
        return got.kind != "err" and want is not None and is_same(got.value, want, language)
    if isinstance(want, bool | int | float):
        return _is_same_number(got, want, language)
    if isinstance(want, str | Char):
        return _is_same_text(got, want)
    if isinstance(want, list | tuple | Group):
        return _is_same_items(got, want, language)
    if isinstance(want, Pairs):
        return _is_same_pairs(got, want, language)
    return want is None and got is None


def _is_same_number(got: object, want: float, language: str) -> bool:
    if isinstance(got, Char):
        return not isinstance(want, bool) and len(got.text) == 1 and ord(got.text) == want
    if not isinstance(got, bool | int | float):
        return False
    if isinstance(got, bool) != isinstance(want, bool):
        return language in _TRUTHS_ARE_NUMBERS and bool(got) == bool(want) and want in (0, 1)
    if isinstance(got, Narrow):
        return is_near(got, want, share=_NARROW_DIGITS)
    return is_near(got, want)


def _is_same_text(got: object, want: str | Char) -> bool:
    text = want.text if isinstance(want, Char) else want
    if isinstance(got, Char):
        return got.text == text
    if isinstance(got, int) and not isinstance(got, bool) and isinstance(want, Char):
        return len(text) == 1 and got == ord(text)
    return isinstance(got, str) and got == text


def _is_same_items(got: object, want: object, language: str) -> bool:
    items = _members(want) or []
    if isinstance(got, Pairs):
        halves = [_members(one) or [] for one in items]
        fits = all(len(one) == 2 for one in halves)
        pairs = tuple((one[0], one[1]) for one in halves) if fits else ()
        return fits and _is_same_pairs(got, Pairs(pairs), language)
    members = _members(got)
    if members is None or len(members) != len(items):
        return False
    if isinstance(got, Group) or (isinstance(want, Group) and want.bag):
        return _is_same_bag(members, items, language)
    return all(is_same(one, other, language) for one, other in zip(members, items, strict=True))


def _members(value: object) -> list[object] | None:
    if isinstance(value, Group):
        return list(value.items)
    return list(value) if isinstance(value, list | tuple) else None


def _is_same_bag(got: list[object], want: list[object], language: str) -> bool:
    left = list(want)
    for one in got:
        place = next((n for n, other in enumerate(left) if is_same(one, other, language)), None)
        if place is None:
            return False
        left.pop(place)
    return not left


def _is_same_pairs(got: object, want: Pairs, language: str) -> bool:
    if isinstance(got, list) and not got:
        return not want.items  # PHP has one literal for both
    if not isinstance(got, Pairs) or len(got.items) != len(want.items):
        return False
    pairs: list[object] = [list(pair) for pair in want.items]
    return _is_same_bag([list(pair) for pair in got.items], pairs, language)


_WORDS = {
    "python": ("True", "False", "None"),
    **dict.fromkeys(("go", "ruby"), ("true", "false", "nil")),
    "rust": ("true", "false", "None"),
    "cpp": ("true", "false", "nullptr"),
    "c": ("true", "false", "NULL"),
}


def show(value: object, language: str) -> str:
    """Write a value as `language` would, or as `python`; at most `MAX_SHOWN` characters of it."""
    text = ""
    for part in _shown(value, language):
        text += part
        if len(text) > MAX_SHOWN:
            return text[: MAX_SHOWN - 3] + "..."
    return text


def _shown(value: object, language: str) -> Iterator[str]:
    words = _WORDS.get(language, ("true", "false", "null"))
    if value is None:
        yield words[2]
    elif isinstance(value, bool):
        yield words[0 if value else 1]
    elif isinstance(value, float):
        yield repr(round(float(value), 6) if isinstance(value, Narrow) else float(value))
    elif isinstance(value, str):
        yield _quote(value[:MAX_SHOWN], language)
    elif isinstance(value, Char):
        yield repr(value.text) if language == "python" else f"'{value.text}'"
    elif isinstance(value, Thing):
        yield value.shown
    elif isinstance(value, Wrapped):
        yield from _shown_wrapped(value, language)
    elif isinstance(value, Pairs):
        yield from _shown_pairs(value, language)
    elif isinstance(value, Group | list | tuple):
        yield from _shown_items(value, language)
    else:
        yield str(value)


def _quote(text: str, language: str) -> str:
    return repr(text) if language == "python" else json.dumps(text, ensure_ascii=False)


def _shown_wrapped(value: Wrapped, language: str) -> Iterator[str]:
    if language != "rust":
        yield from _shown(value.value, language)
        return
    yield value.kind.capitalize() + "("
    yield from _shown(value.value, language)
    yield ")"


def _shown_pairs(value: Pairs, language: str) -> Iterator[str]:
    arrow = " => " if language in ("php", "ruby") else ": "
    yield "[" if language == "php" else "{"
    for place, (key, inside) in enumerate(value.items):
        yield ", " if place else ""
        yield from _shown(key, language)
        yield arrow
        yield from _shown(inside, language)
    yield "]" if language == "php" else "}"


def _shown_items(value: object, language: str) -> Iterator[str]:
    items = _members(value) or []
    brackets = "{}" if language in ("c", "cpp", "csharp", "go") else "[]"
    if isinstance(value, tuple):
        brackets = "()"
    elif isinstance(value, Group) and value.bag:
        brackets = "{}"
    if language == "python" and isinstance(value, Group) and not items:
        yield "set()"
        return
    yield brackets[0]
    for place, item in enumerate(items):
        yield ", " if place else ""
        yield from _shown(item, language)
    yield "," if language == "python" and isinstance(value, tuple) and len(items) == 1 else ""
    yield brackets[1]
