"""Tell a learner's exception from something that the sandbox's Python merely lacks."""

import builtins
import collections
import datetime
import re
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tools.analysis.runs.dialect import Dialect

if TYPE_CHECKING:
    from pydantic_monty import MontyError

MAX_DETAIL = 300

_GAP_TEXTS = (
    "The monty syntax parser does not yet support",
    "Internal error in monty",
    "not yet supported",
    "is not supported in this environment",
    "cannot convert 'list' object to bytes",
    "cannot create 'property' instances",
    "expected str, bytes or os.PathLike object, not int",
    "'module' object has no attribute",
)
_NO_NAME = re.compile(r"^name '(\w+)' is not defined")
_NO_ATTRIBUTE = re.compile(r"^(?:type object )?'([\w.]+)' (?:object )?has no attribute '(\w+)'")
_NO_MEMBER = re.compile(r"^module '[\w.]+' has no attribute")
_NO_ARGUMENT = re.compile(
    r"^([\w.]+)\(\) (?:got an unexpected keyword|takes no keyword"
    r"|takes (?:no|at most \w+|exactly \w+|from \w+ to \w+)(?: positional)? arguments?\b)"
)

_BUILTIN_NAMES = frozenset(dir(builtins)) | {"__builtins__", "__file__"}
_TYPES: dict[str, type] = {
    name: value for name, value in vars(builtins).items() if isinstance(value, type)
} | {
    "NoneType": type(None),
    "function": types.FunctionType,
    "builtin_function_or_method": types.BuiltinFunctionType,
    "Counter": collections.Counter,
    "defaultdict": collections.defaultdict,
    "deque": collections.deque,
    "re.Match": re.Match,
    "re.Pattern": re.Pattern,
    "date": datetime.date,
    "datetime": datetime.datetime,
    "timedelta": datetime.timedelta,
    "dict_keys": type({}.keys()),
    "dict_values": type({}.values()),
    "dict_items": type({}.items()),
}


@dataclass(frozen=True)
class Failure:
    """Why a feed did not finish; `survived`: the session can go on after it."""

    status: Literal["error", "timeout", "not_runnable"]
    detail: str
    exception: BaseException | None
    survived: bool


def explain(
    error: "MontyError",
    dialect: Dialect | None,
    *,
    source: str,
    touched: tuple[str, ...],
    printed: int,
) -> Failure:
    """Sort what the sandbox threw: the learner's error, a limit, or a gap of the sandbox.

    `source` is the file name of the learner's code in tracebacks, `touched` the system calls that
    it asked for, `printed` the cap on its output in bytes.
    """
    from pydantic_monty import MontyCrashedError, MontyRuntimeError, MontySyntaxError

    if isinstance(error, MontyCrashedError):
        status: Literal["timeout", "not_runnable"] = (
            "timeout" if error.timed_out else "not_runnable"
        )
        return Failure(status, "the sandbox's worker ended", None, survived=False)
    exception = error.exception()
    text = str(exception)[:MAX_DETAIL]
    frames = error.traceback() if isinstance(error, MontyRuntimeError | MontySyntaxError) else []
    lines = [frame.line for frame in frames if frame.filename in (source, "main.py")]
    limit = _find_limit(exception, dialect, text=text, lines=lines, printed=printed)
    if limit is not None:
        return limit
    gap = _find_gap(exception, dialect, text=text, touched=touched)
    detail = _describe(exception, text, lines=lines)
    if isinstance(error, MontySyntaxError) and (dialect is not None or "too deeply" in text):
        gap = f"the sandbox cannot read it: {text}"
    elif gap is None and dialect is not None and isinstance(exception, _LATE):
        late = lines and _met(dialect.short_lines, lines)
        gap = f"the sandbox has no lazy iterators, and met {detail}" if late else None
    if gap is not None:
        return _gap(gap, survived=True)
    return Failure("error", detail, exception, survived=True)


def _gap(detail: str, *, survived: bool) -> Failure:
    return Failure("not_runnable", detail[:MAX_DETAIL], None, survived=survived)


def _met(lines: frozenset[int], traced: list[int]) -> bool:
    return bool(lines.intersection(traced)) if traced else bool(lines)


def _find_limit(
    exception: BaseException,
    dialect: Dialect | None,
    *,
    text: str,
    lines: list[int],
    printed: int,
) -> Failure | None:
    """Name the limit that ended the feed; its session cannot be used again."""
    if isinstance(exception, TimeoutError) and text.startswith("feed time limit exceeded"):
        if dialect is not None and dialect.short_lines:
            return _gap("it ran out of time; the sandbox has no lazy iterators", survived=False)
        return Failure("timeout", "it did not end within the time limit", exception, survived=False)
    if not isinstance(exception, MemoryError) or not text.startswith("memory limit exceeded"):
        return None
    if text.endswith(f"> {printed} bytes"):
        detail = f"it printed more than {printed // 1024} KiB"
        return Failure("error", detail, exception, survived=False)
    if dialect is not None and _met(dialect.lazy_lines, lines):
        return _gap("it ran out of memory; the sandbox has no lazy iterators", survived=False)
    return Failure("error", "it used more memory than allowed", exception, survived=False)


def _find_gap(
    exception: BaseException, dialect: Dialect | None, *, text: str, touched: tuple[str, ...]
) -> str | None:
    defined = dialect.defined if dialect is not None else frozenset()
    if any(part in text for part in _GAP_TEXTS):
        return f"the sandbox cannot run it: {text}"
    if touched:
        return f"the sandbox has no {touched[-1]}"
    gap = None
    if isinstance(exception, ImportError) and ("No module" in text or "cannot import" in text):
        gap = f"the sandbox cannot import it: {text}"
    elif isinstance(exception, NameError) and (missing := _NO_NAME.match(text)):
        name = missing[1]
        gap = f"the sandbox has no {name}" if name in _BUILTIN_NAMES else None
    elif isinstance(exception, AttributeError):
        gap = _missing_attribute(text, defined)
    elif isinstance(exception, TypeError) and (refused := _NO_ARGUMENT.match(text)):
        ours = refused[1].rpartition(".")[2] in defined or refused[1] == "__init__"
        gap = None if ours else f"the sandbox's {refused[1]}() takes no such argument"
    return gap


# What an element after the one that ends `any`, `all` or `next` may raise.
_LATE = (ArithmeticError, LookupError, TypeError, ValueError, RecursionError)


def _missing_attribute(text: str, defined: frozenset[str]) -> str | None:
    if _NO_MEMBER.match(text):
        return f"the sandbox lacks it: {text}"
    missing = _NO_ATTRIBUTE.match(text)
    if missing is None:
        return None
    owner, attribute = missing[1], missing[2]
    kind = object if owner in defined else _TYPES.get(owner, object)
    special = attribute in {"__dict__", "__name__", "__qualname__"}
    return f"the sandbox lacks it: {text}" if special or hasattr(kind, attribute) else None


def _describe(exception: BaseException, text: str, *, lines: list[int]) -> str:
    name = type(exception).__name__
    described = f"{name}: {text}" if text else name
    return f"{described} (line {lines[-1]})" if lines else described
