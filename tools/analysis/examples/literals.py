"""Work out the value of a written-out Python expression here, within bounds, without running it."""

import ast
from collections.abc import Callable

from tools.analysis.examples.expressions import CONSTRUCTORS, is_literal, parse_expression

MAX_ITEMS = 50_000
MAX_BITS = 10_000


class TooLarge(Exception):
    """The value is larger than anything that an example means."""


def evaluate_literal(text: str) -> object:
    """Give the value of literals, their sums and built-in constructors.

    Raises ValueError where it is no such expression or has no value, TooLarge where it has more
    than `MAX_ITEMS` items, characters or digits.
    """
    node = parse_expression(text)
    if node is None or not is_literal(node):
        raise ValueError(f"not a literal: {text[:80]}")
    try:
        value = _evaluate(node)
        _count(value)
    except (ArithmeticError, LookupError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error
    return value


def _evaluate(node: ast.expr) -> object:  # noqa: PLR0911 - one for each kind of literal
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items):
            return tuple(_evaluate(item) for item in items)
        case ast.List(elts=items):
            return [_evaluate(item) for item in items]
        case ast.Set(elts=items):
            return {_evaluate(item) for item in items}
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {_evaluate(key): _evaluate(value) for key, value in pairs if key is not None}
        case ast.UnaryOp(op=op, operand=operand):
            return _unary(op, _evaluate(operand))
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(op, _evaluate(left), _evaluate(right))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in CONSTRUCTORS:
            return _construct(name, [_evaluate(argument) for argument in arguments])
    raise ValueError("not a literal")


def _unary(op: ast.unaryop, value: object) -> object:
    if isinstance(op, ast.Not):
        return not value
    if not isinstance(value, int | float | complex):
        raise TypeError("a sign needs a number")
    if isinstance(op, ast.Invert):
        if not isinstance(value, int):
            raise TypeError("~ needs an integer")
        return ~value
    return -value if isinstance(op, ast.USub) else +value


_OPERATIONS: dict[type[ast.operator], Callable[..., object]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.BitOr: lambda a, b: a | b,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitXor: lambda a, b: a ^ b,
}


def _binary(op: ast.operator, left: object, right: object) -> object:
    if isinstance(op, ast.Pow):
        return _power(left, right)
    if isinstance(op, ast.Mult):
        for one, times in ((left, right), (right, left)):
            if isinstance(times, int) and isinstance(one, str | bytes | list | tuple):
                _bound(len(one) * times)
    if isinstance(op, ast.Mod) and isinstance(left, str | bytes):
        raise TypeError("formatting is not a literal")
    if type(op) not in _OPERATIONS:
        raise TypeError("not an operation of literals")
    value = _OPERATIONS[type(op)](left, right)
    _count(value)
    return value


def _power(base: object, exponent: object) -> object:
    if not isinstance(base, int | float) or not isinstance(exponent, int | float):
        raise TypeError("a power needs numbers")
    if isinstance(base, int) and isinstance(exponent, int):
        _bound(base.bit_length() * abs(exponent), most=MAX_BITS)
    value: object = base**exponent
    return value


def _construct(name: str, arguments: list[object]) -> object:
    if len(arguments) > 3:
        raise TypeError("too many arguments")
    for argument in arguments:
        _count(argument)
        if name == "bytes" and isinstance(argument, int):
            _bound(argument)
    constructors: dict[str, Callable[..., object]] = {
        **{"bool": bool, "bytes": bytes, "complex": complex, "dict": dict, "float": float},
        **{"frozenset": frozenset, "int": int, "list": list, "range": range, "set": set},
        **{"str": str, "tuple": tuple},
    }
    value = constructors[name](*arguments)
    _count(value)
    return value


def _bound(size: int, *, most: int = MAX_ITEMS) -> None:
    if size > most:
        raise TooLarge(f"more than {most}")


def _count(value: object) -> int:
    """Count items and characters, the shared ones each time; stops above `MAX_ITEMS`."""
    total, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        total += 1
        if isinstance(item, str | bytes):
            total += len(item)
        elif isinstance(item, int):
            _bound(item.bit_length(), most=MAX_BITS)
        elif isinstance(item, range):
            total += _length(item)
        elif isinstance(item, list | tuple | set | frozenset):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        _bound(total + len(waiting))
    return total


def _length(numbers: range) -> int:
    try:
        return len(numbers)
    except OverflowError:
        return MAX_ITEMS + 1
