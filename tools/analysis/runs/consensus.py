"""Make examples out of several independent solutions: what they agree on is what is expected.

Source of the idea: a program's sampled solutions are wrong in different ways and right in the same
(CodeT, arXiv 2207.10397). The submission takes no part in it, and its author cannot steer it.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tools.analysis.examples.boundaries import vary
from tools.analysis.examples.expressions import canonical, is_closed_call, parse_expression
from tools.analysis.examples.finder import Example
from tools.analysis.examples.js_expressions import read_js_call, read_js_value_text
from tools.analysis.runs.program import MAX_SHOWN
from tools.analysis.runs.sandbox import is_javascript, run_examples
from tools.analysis.syntax import check_syntax

Strength = Literal["strong", "weak"]

FEWEST_VOTES: Final = 3
MOST_CALLS: Final = 60
MOST_EXAMPLES: Final = 24
# No program gives this: its value is told in the outcome of an example that fails.
_NEVER: Final = "'\\x00 nothing gives this \\x00'"
_NEVER_JS: Final = '"\\u0000 nothing gives this \\u0000"'


@dataclass(frozen=True)
class AgreedExample:
    """An example that solutions agree on: `votes` of the `solutions` that could be run.

    `strong`: three quarters of them, and at least `FEWEST_VOTES`. No other may fail a submission.
    """

    example: Example
    votes: int
    solutions: int

    @property
    def strength(self) -> Strength:
        """Tell whether the example may fail a submission."""
        return "strong" if 4 * self.votes >= 3 * self.solutions else "weak"


async def agree(
    solutions: Sequence[str], language: str, *, calls: Sequence[str]
) -> tuple[AgreedExample, ...]:
    """Run `solutions` on `calls` and their variants; return what most of them agree on.

    Each solution has a vote, also one that was written twice: it was found independently.

    At most `MOST_EXAMPLES`, those first that tell the most apart. An exception is no value that can
    be agreed on: what is undefined ends so by chance.
    """
    javascript = is_javascript(language)
    asked = _calls(calls, javascript=javascript)
    observed = {code: await _observe(code, language, asked) for code in dict.fromkeys(solutions)}
    votes = [observed[code] for code in solutions]
    useful = [values for values in votes if any(value is not None for value in values.values())]
    if len(useful) < FEWEST_VOTES:
        return ()
    agreed = [_vote(call, [values[call] for values in useful]) for call in asked]
    return _telling(one for one in agreed if one is not None)


def _calls(calls: Iterable[str], *, javascript: bool) -> tuple[str, ...]:
    """Return the calls that stand by themselves, then their variants in turns."""
    read = _read_javascript if javascript else _read_python
    written = dict.fromkeys(text for text in map(read, calls) if text is not None)
    variants = [vary(call, javascript=javascript) for call in written]
    longest = max(map(len, variants), default=0)
    for turn in range(longest):
        written.update(dict.fromkeys(some[turn] for some in variants if turn < len(some)))
    return tuple(written)[:MOST_CALLS]


def _read_python(call: str) -> str | None:
    node = parse_expression(call)
    return canonical(node) if node is not None and is_closed_call(node) else None


def _read_javascript(call: str) -> str | None:
    read = read_js_call(call)
    return None if read is None else read.text


async def _observe(code: str, language: str, calls: Sequence[str]) -> Mapping[str, str | None]:
    """Return what the program gives for each call as a literal; None where that is no value."""
    if check_syntax(code, language).problems:
        return dict.fromkeys(calls)
    javascript = is_javascript(language)
    never, read = (_NEVER_JS, _value) if javascript else (_NEVER, _literal)
    probes = [Example("call", call, never, None, call) for call in calls]
    report = await run_examples(code, language, probes)
    return {
        outcome.example.expression: read(outcome.got) if outcome.status == "fail" else None
        for outcome in report.outcomes
    }


def _value(shown: str | None) -> str | None:
    if shown is None or len(shown) >= MAX_SHOWN:
        return None
    return read_js_value_text(shown)


def _literal(shown: str | None) -> str | None:
    if shown is None or len(shown) >= MAX_SHOWN:
        return None
    try:
        value = ast.literal_eval(shown)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return repr(round(value, 9)) if isinstance(value, float) else repr(value)


def _vote(call: str, values: Sequence[str | None]) -> AgreedExample | None:
    [(expected, votes)] = Counter(values).most_common(1)
    if expected is None or 2 * votes <= len(values) or votes < FEWEST_VOTES:
        return None
    example = Example("call", call, expected, None, f"{call} → {expected}")
    return AgreedExample(example, votes, len(values))


def _telling(agreed: Iterable[AgreedExample]) -> tuple[AgreedExample, ...]:
    """Keep the examples of different results first: many calls with one result say little."""
    seen: Counter[str | None] = Counter()
    ranked: list[tuple[bool, int, int, AgreedExample]] = []
    for place, one in enumerate(agreed):
        times = seen[one.example.expected]
        seen[one.example.expected] += 1
        ranked.append((one.strength == "weak", times, place, one))
    ranked.sort(key=lambda entry: entry[:3])
    return tuple(entry[3] for entry in ranked[:MOST_EXAMPLES])
