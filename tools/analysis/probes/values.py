"""Make values of the shape of given ones: small, with ties, empty parts and known limits.

Small on purpose: two numbers out of six are often equal, or one the sum of two others, and two
words of three letters often have the same. Deterministic for the same random numbers.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

from tools.analysis.probes.hints import Hints, beside

Maker = Callable[[Random, int], Any]
"""Make a value; the number says how deep in others it stands."""

LENGTHS: Final = (0, 1, 1, 2, 2, 3, 3, 4)
DEEPEST: Final = 3
LONGEST_TEXT: Final = 60
_PIECES: Final = re.compile(r"(\d+|\W)")


def maker_of(seen: Sequence[Any], hints: Hints) -> Maker | None:
    """Return what makes values like those `seen`; None where they have no common shape."""
    values = [value for value in seen if value is not None]
    maker = _maker(values, hints)
    if maker is None or len(values) == len(seen):
        return maker
    return lambda random, depth: None if random.random() < 1 / 4 else maker(random, depth)


def _maker(seen: Sequence[Any], hints: Hints) -> Maker | None:
    kinds = {type(value) for value in seen}
    if kinds == {bool}:
        return lambda random, _depth: random.random() < 1 / 2
    if kinds and kinds <= {int, float}:
        return _numbers(seen, hints)
    if kinds == {str}:
        return _texts(seen, hints)
    if kinds == {dict}:
        return _mappings(seen, hints)
    if kinds in ({list}, {tuple}, {set}):
        return _items(seen, hints, kind=kinds.pop())
    return None


def _numbers(seen: Sequence[int | float], hints: Hints) -> Maker:
    small: list[int | float] = [0, 1, 2, 3, 4, 5]
    known = beside([*seen, *hints.numbers])
    if hints.negative or any(value < 0 for value in seen):
        small += [-1, -2, -3]
        known += [-value for value in seen]
    elif all(value >= 0 for value in seen):
        known = [value for value in known if value >= 0]
    if hints.fractions or any(isinstance(value, float) for value in seen):
        known += [0.333, 0.1, 2.5, 1.005, 0.5]
    if all(isinstance(value, float) for value in seen):
        small = [float(value) for value in small]

    def make(random: Random, _depth: int) -> int | float:
        return random.choice(small if random.random() < 1 / 2 else known)

    return make


def _texts(seen: Sequence[str], hints: Hints) -> Maker:
    letters = [one for one in dict.fromkeys("".join(seen)) if one.isalpha()][:2] or ["a"]
    letters += ["a", "b"]
    words = [*seen, *hints.texts]
    plain = all(value.isalpha() for value in seen if value)
    numbered = any(one.isdecimal() for value in seen for one in value)

    def make(random: Random, _depth: int) -> str:
        way = random.random()
        if plain and way < 1 / 2:
            return "".join(random.choices(letters, k=random.choice(LENGTHS)))
        if numbered and way < 1 / 2:
            return _renumbered(random.choice(seen), random)
        if way < 3 / 4:
            return _edited(random.choice(seen), random, letters)
        return random.choice(("", " ")).join(random.choices(words, k=random.choice((1, 2, 3))))

    return lambda random, depth: make(random, depth)[:LONGEST_TEXT]


def _edited(text: str, random: Random, letters: Sequence[str]) -> str:
    """Return the text with up to two of its characters doubled, left out, exchanged or new."""
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(text) + 1)
        one = text[at : at + 1]
        other = random.choice((one, random.choice(letters), random.choice(text) if text else " "))
        changes = (
            text[:at] + other + text[at:],
            text[:at] + text[at + 1 :],
            text[:at] + text[at + 1 : at + 2] + one + text[at + 2 :],
            text[:at] + one.swapcase() + text[at + 1 :],
            text + text[-1:],
        )
        text = random.choice(changes)
    return text


def _renumbered(text: str, random: Random) -> str:
    """Return the text with other numbers in the same places."""
    pieces = _PIECES.split(text)
    numbers = ("0", "1", "2", "9", "10", "11")
    return "".join(random.choice(numbers) if piece.isdigit() else piece for piece in pieces)


def _items(seen: Sequence[Any], hints: Hints, *, kind: type) -> Maker | None:
    lengths = {len(value) for value in seen}
    inside = [item for value in seen for item in value]
    if not inside:
        return lambda _random, _depth: kind()
    if kind is tuple and len(lengths) == 1:
        parts = [maker_of([value[place] for value in seen], hints) for place in range(*lengths)]
        whole = [part for part in parts if part is not None]
        if len(whole) < len(parts):
            return None
        return lambda random, depth: tuple(part(random, depth + 1) for part in whole)
    item = maker_of(inside, hints)
    if item is None:
        return None

    def make(random: Random, depth: int) -> Any:
        many = random.choice(LENGTHS) if depth < DEEPEST else 0
        made = [item(random, depth + 1) for _ in range(many)]
        if many > 1 and random.random() < 1 / 2:
            made[random.randrange(many)] = made[random.randrange(many)]
        return kind(made) if kind is not set else set(filter(_is_hashable, made))

    return make


def _mappings(seen: Sequence[Mapping[Any, Any]], hints: Hints) -> Maker | None:
    if not any(seen):
        return lambda _random, _depth: {}
    alike = [value for value in _all_like(seen) if value]
    names = {frozenset(value) for value in alike}
    if len(names) == 1 and (len(alike) > 1 or len({type(one) for one in alike[0].values()}) > 1):
        return _records(alike, hints)
    keys = maker_of([key for value in seen for key in value], hints)
    value_maker = maker_of([one for value in seen for one in value.values()], hints)
    if keys is None or value_maker is None:
        return None
    known = list(dict.fromkeys(key for value in seen for key in value))

    def make(random: Random, depth: int) -> dict[Any, Any]:
        many = random.choice(LENGTHS) if depth < DEEPEST else 0
        new = random.random() < 1 / 4
        chosen = [keys(random, depth) if new else random.choice(known) for _ in range(many)]
        return {key: value(random, depth + 1) for key in chosen}

    def value(random: Random, depth: int) -> Any:
        if hints.nested and depth < DEEPEST and random.random() < 1 / 3:
            return make(random, depth)
        return value_maker(random, depth)

    return make


def _records(alike: Sequence[Mapping[Any, Any]], hints: Hints) -> Maker | None:
    """Make records with the same fields; one whose items are such records holds them again."""
    fields: dict[Any, Maker] = {}

    def make(random: Random, depth: int) -> dict[Any, Any]:
        return {name: field(random, depth) for name, field in fields.items()}

    def nested(random: Random, depth: int) -> list[Any]:
        many = random.choice((0, 1, 2, 2, 3)) if depth < DEEPEST else 0
        return [make(random, depth + 1) for _ in range(many)]

    for name in alike[0]:
        values = [value[name] for value in alike]
        holds_itself = any(
            isinstance(value, list) and any(item in alike for item in value) for value in values
        )
        field = nested if holds_itself else maker_of(values, hints)
        if field is None:
            return None
        fields[name] = field
    return make


def _all_like(seen: Sequence[Mapping[Any, Any]]) -> list[Mapping[Any, Any]]:
    """Return the records, and those with the same fields that stand in their lists."""
    found: list[Mapping[Any, Any]] = []
    waiting = list(seen)
    while waiting:
        value = waiting.pop(0)
        found.append(value)
        items = [item for inside in value.values() if isinstance(inside, list) for item in inside]
        waiting += [item for item in items if isinstance(item, dict) and set(item) == set(value)]
    return found


def _is_hashable(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | tuple)
