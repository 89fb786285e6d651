"""Several calls on one object: what a program remembers between them, and shares with another.

Methods are those that most solutions have; a parameter's values come from the given calls, and from
other methods' parameters of the same name, out of few, so that keys and names meet again.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Any, Final

from tools.analysis.examples.expressions import parse_expression, silent_warnings
from tools.analysis.probes.calls import SEED, write_value
from tools.analysis.probes.hints import Hints, beside

MOST: Final = 60
MOST_FUNCTIONS: Final = 12
LENGTHS: Final = (3, 4, 5, 6, 8)
FEWEST: Final = 3
_UNKNOWN: Final = ((1, 2, 3), ("a", "b", "c"))

_TURNS: Final = ("(1), (1), (2), (1)", "(2), (1), (2), (2)", "('a'), ('b'), ('a')", "(), (), ()")
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


@dataclass
class _Class:
    """A class of the solutions: how many have it, its methods' parameters, its constructor's."""

    votes: int = 0
    methods: dict[str, list[str]] = field(default_factory=dict)
    made_by: list[str] = field(default_factory=list)


def object_sequences(
    calls: Sequence[str], solutions: Sequence[str], hints: Hints
) -> tuple[str, ...]:
    """Return expressions that make an object, call its methods in turn and list what they gave."""
    random = Random(SEED)  # noqa: S311 - inputs, no secrets
    found: dict[str, None] = {}
    for name, one in _classes(solutions).items():
        known = _known_values(name, one, calls)
        for turn in range(MOST):
            pools = {key: _pool(values, hints, random) for key, values in known.items()}
            text = _sequence(name, one, pools, random=random, spare=_UNKNOWN[turn % 2])
            found[text] = None
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


def _several(maker: str, turns: str, *, javascript: bool) -> str:
    first = ", ".join(f"it({turn.strip('( )')})" for turn in turns.split("), "))
    both = first.replace("it(", "other(", 1)
    if javascript:
        body = f"const it = {maker}, other = {maker}; return [{first}, {both}, log];"
        return f"((log) => {{ {body} }})([])"
    return f"(lambda log: (lambda it, other: [{first}, {both}, log])({maker}, {maker}))([])"


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
    for tree in _parsed(solutions):
        votes.update(
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and len(node.args.args) == 1
        )
    return [name for name, count in votes.items() if count >= FEWEST]


def _classes(solutions: Iterable[str]) -> dict[str, _Class]:
    found: dict[str, _Class] = {}
    methods: dict[str, Counter[str]] = {}
    for tree in _parsed(solutions):
        for node in tree.body:
            if not isinstance(node, ast.ClassDef):
                continue
            one = found.setdefault(node.name, _Class())
            one.votes += 1
            for part in node.body:
                if isinstance(part, ast.FunctionDef):
                    names = [argument.arg for argument in part.args.args[1:]]
                    if part.name == "__init__":
                        one.made_by = names
                    elif not part.name.startswith("_") and not part.decorator_list:
                        one.methods.setdefault(part.name, names)
                        methods.setdefault(node.name, Counter())[part.name] += 1
    for name, one in found.items():
        one.methods = {
            method: names
            for method, names in one.methods.items()
            if methods[name][method] >= FEWEST
        }
    return {name: one for name, one in found.items() if one.votes >= FEWEST and one.methods}


def _known_values(name: str, one: _Class, calls: Iterable[str]) -> dict[str, list[Any]]:
    """Return the literal arguments that the calls give, by the parameter's name."""
    known: dict[str, list[Any]] = {}
    for call in calls:
        node = parse_expression(call)
        for part in ast.walk(node) if node is not None else ():
            match part:
                case ast.Call(func=ast.Name(id=called), args=given) if called == name:
                    names = one.made_by
                case ast.Call(func=ast.Attribute(attr=method), args=given):
                    names = one.methods.get(method, [])
                case _:
                    continue
            for parameter, argument in zip(names, given, strict=False):
                try:
                    value = ast.literal_eval(argument)
                except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
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


def _sequence(
    name: str,
    one: _Class,
    pools: Mapping[str, Sequence[Any]],
    *,
    random: Random,
    spare: Sequence[Any],
) -> str:
    rising = random.random() < 1 / 2
    least: dict[str, Any] = {}

    def draw(parameter: str) -> Any:
        value = random.choice(pools.get(parameter) or spare)
        if rising and isinstance(value, int | float):
            value = least[parameter] = max(value, least.get(parameter, value))
        return value

    def given(names: Sequence[str]) -> str:
        return ", ".join(write_value(draw(each)) for each in names)

    methods = random.choices(list(one.methods), k=random.choice(LENGTHS))
    steps = ", ".join(f"it.{method}({given(one.methods[method])})" for method in methods)
    first = [draw(each) for each in one.made_by]
    whole = ", ".join(map(write_value, first))
    if rising or not any(isinstance(each, list | dict | set) for each in first):
        return f"(lambda it: [{steps}])({name}({whole}))"
    # What it was made of is looked at afterwards: it is somebody else's.
    return f"(lambda given: (lambda it: [{steps}, given])({name}(*given)))([{whole}])"


def _parsed(solutions: Iterable[str]) -> Iterator[ast.Module]:
    for code in solutions:
        try:
            with silent_warnings():
                yield ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
