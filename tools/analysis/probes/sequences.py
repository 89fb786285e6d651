"""Several calls on one object: what a program remembers between them, and shares with another.

Methods are those that most solutions have; a parameter's values come from the given calls, and from
other methods' parameters of the same name, out of few, so that keys and names meet again.
"""

import ast
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Final

from tools.analysis.probes.calls import SEED
from tools.analysis.probes.classes import FEWEST, ClassOutline, common_classes, parse_all
from tools.analysis.probes.hints import Hints, beside
from tools.analysis.probes.reading import parse_call, value_of

MOST: Final = 60
MOST_FUNCTIONS: Final = 12
LENGTHS: Final = (3, 4, 5, 6, 8)
_UNKNOWN: Final = ((1, 2, 3), ("a", "b", "c"))

_TURNS: Final = (("1", "1", "2", "1"), ("2", "1", "2", "2"), ("'a'", "'b'", "'a'"), ("", "", ""))
_SPIES: Final = {
    False: (
        "lambda *given: log.append(list(given))",
        "lambda *given: (log.append(list(given)), 0)[1]",
        "lambda *given: (log.append(list(given)), list(given))[1]",
    ),
    True: (
        "(a, b) => { log.push([a, b]); }",
        "(a, b) => { log.push([a, b]); return 0; }",
        "(a, b) => { log.push([a, b]); return [a, b]; }",
    ),
}


def object_sequences(
    calls: Sequence[str], solutions: Sequence[str], hints: Hints, *, javascript: bool
) -> tuple[str, ...]:
    """Return expressions that make an object, call its methods in turn and list what they gave."""
    random = Random(SEED)  # noqa: S311 - inputs, no secrets
    write = _write_javascript if javascript else _write_python
    found: dict[str, None] = {}
    for one in common_classes(solutions, javascript=javascript):
        known = _known_values(one, calls, javascript=javascript)
        for turn in range(MOST):
            pools = {key: _pool(values, hints, random) for key, values in known.items()}
            drawn = _draw_steps(one, pools, random=random, spare=_UNKNOWN[turn % 2])
            found[write(one.name, drawn)] = None
    return tuple(islice(found, MOST))


def function_sequences(
    calls: Sequence[str], solutions: Sequence[str], *, javascript: bool
) -> tuple[str, ...]:
    """Return expressions that call a made function several times; what it calls is written down.

    For functions that return functions: `calls` of such calls (`once(f)()`) show them, and where
    there are no calls at all, solutions with a function of one parameter.
    """
    makers = list(dict.fromkeys(filter(None, (_inner_call(call) for call in calls))))
    if not makers:
        makers = [f"{name}(0)" for name in _takers(solutions)] if not calls else []
    written = (
        _several(part, turns, javascript=javascript)
        for maker in makers
        for part in (maker, *_spied(maker, javascript=javascript))
        for turns in _TURNS
    )
    return tuple(islice(dict.fromkeys(written), MOST_FUNCTIONS * len(_TURNS)))


def _several(maker: str, turns: Sequence[str], *, javascript: bool) -> str:
    """Write the calls of one made function, then of it and another, and what was written down."""
    calls = [f"it({given})" for given in turns]
    steps = ", ".join([*calls, f"other({turns[0]})", *calls[1:], "log"])
    if javascript:
        return f"((log) => {{ const it = {maker}, other = {maker}; return [{steps}]; }})([])"
    return f"(lambda log: (lambda it, other: [{steps}])({maker}, {maker}))([])"


def _inner_call(call: str) -> str | None:
    """Return `once(f)` of `once(f)()`; None for a call of a name."""
    depth = 0
    for place in range(len(call) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(call[place], 0)
        if depth == 0:
            inner = call[:place]
            return inner if inner.endswith(")") and call.endswith(")") else None
    return None


def _spied(maker: str, *, javascript: bool) -> Iterator[str]:
    name = maker.partition("(")[0]
    if name.isidentifier():
        yield from (f"{name}({spy})" for spy in _SPIES[javascript])


def _takers(solutions: Iterable[str]) -> list[str]:
    """Name the functions of one parameter that most solutions have at their top."""
    votes: Counter[str] = Counter()
    for tree in parse_all(solutions):
        votes.update(
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and len(node.args.args) == 1
        )
    return [name for name, count in votes.items() if count >= FEWEST]


def _known_values(
    one: ClassOutline, calls: Iterable[str], *, javascript: bool
) -> dict[str, list[Any]]:
    """Return the literal arguments that the calls give, by the parameter's name."""
    known: dict[str, list[Any]] = {}
    for call in calls:
        node = parse_call(call, javascript=javascript)
        for part in ast.walk(node) if node is not None else ():
            match part:
                case ast.Call(func=ast.Name(id=called), args=given) if called == one.name:
                    names = one.made_by
                case ast.Call(func=ast.Attribute(attr=method), args=given):
                    names = one.methods.get(method, ())
                case _:
                    continue
            for parameter, argument in zip(names, given, strict=False):
                try:
                    value = value_of(argument)
                except ValueError:
                    continue
                known.setdefault(parameter, [])
                if value not in known[parameter]:
                    known[parameter].append(value)
    return known


def _pool(values: Sequence[Any], hints: Hints, random: Random) -> list[Any]:
    """Return few values: some of the given ones, and numbers beside them and the task's own."""
    numbers = [value for value in values if type(value) in (int, float)]
    if len(numbers) == len(values):
        near = [n for n in beside([*numbers, *hints.numbers]) if n > 0 or hints.negative]
        values = [*values, *random.sample(near, min(3, len(near)))]
    return random.sample(list(values), min(3, len(values)))


@dataclass(frozen=True)
class _Steps:
    """What an object is made of, its calls, and whether the former is looked at again."""

    made_of: list[Any]
    calls: list[tuple[str, list[Any]]]
    looks: bool


def _draw_steps(
    one: ClassOutline, pools: Mapping[str, Sequence[Any]], *, random: Random, spare: Sequence[Any]
) -> _Steps:
    rising = random.random() < 1 / 2  # times, for one, must not go back
    least: dict[str, Any] = {}

    def draw(parameter: str) -> Any:
        value = random.choice(pools.get(parameter) or spare)
        if rising and isinstance(value, int | float):
            value = least[parameter] = max(value, least.get(parameter, value))
        return value

    made_of = [draw(each) for each in one.made_by]
    # One method comes often, another hardly: a limit is met by the same call again and again.
    weights = [random.random() ** 2 + 0.02 for _ in one.methods]
    methods = random.choices(list(one.methods), weights, k=random.choice(LENGTHS))
    methods += [method for method, given in one.methods.items() if not given]
    steps = [(method, [draw(each) for each in one.methods[method]]) for method in methods]
    shared = any(isinstance(each, list | dict | set) for each in made_of)
    return _Steps(made_of, steps, shared and not rising)


def _write_python(name: str, drawn: _Steps) -> str:
    calls = ", ".join(
        f"it.{method}({', '.join(map(repr, given))})" for method, given in drawn.calls
    )
    whole = ", ".join(map(repr, drawn.made_of))
    if not drawn.looks:
        return f"(lambda it: [{calls}])({name}({whole}))"
    return f"(lambda given: (lambda it: [{calls}, given])({name}(*given)))([{whole}])"


def _write_javascript(name: str, drawn: _Steps) -> str:
    calls = ", ".join(f"it.{method}({json.dumps(given)[1:-1]})" for method, given in drawn.calls)
    whole = json.dumps(drawn.made_of)
    if not drawn.looks:
        return f"((it) => [{calls}])(new {name}({whole[1:-1]}))"
    return f"((given) => ((it) => [{calls}, given])(new {name}(...given)))({whole})"
