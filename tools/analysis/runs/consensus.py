"""Make examples out of several independent solutions: what they agree on is what is expected.

Source of the idea: a program's sampled solutions are wrong in different ways and right in the same
(CodeT, arXiv 2207.10397). The submission takes no part in it, and its author cannot steer it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final, Literal

from tools.analysis.examples.expressions import parse_expression
from tools.analysis.examples.finder import Example
from tools.analysis.examples.js_expressions import read_js_value_text
from tools.analysis.probes.calls import drawn_calls, read_calls, varied_calls, within
from tools.analysis.probes.hints import find_hints
from tools.analysis.probes.mending import mend_line_breaks, with_imported_types
from tools.analysis.probes.programs import program_inputs
from tools.analysis.probes.reading import value_of
from tools.analysis.probes.sequences import function_sequences, object_sequences
from tools.analysis.runs.program import MAX_SHOWN, Outcome
from tools.analysis.runs.program_io import reads_input
from tools.analysis.runs.sandbox import is_javascript, run_examples
from tools.analysis.syntax import check_syntax, normalise_language

Strength = Literal["strong", "weak"]

FEWEST_VOTES: Final = 3
FEWEST_FOR_STRONG: Final = 4
MOST_EXAMPLES: Final = 60
AT_ONCE: Final = 40
SECONDS_A_SOLUTION: Final = 10.0
"""One that hangs on many probes is asked no further; what it was not asked it does not agree on."""
# No program gives this: its value is told in the outcome of an example that fails.
_NEVER: Final = "'\\x00 nothing gives this \\x00'"
_NEVER_JS: Final = '"\\u0000 nothing gives this \\u0000"'


@dataclass(frozen=True)
class AgreedExample:
    """An example that solutions agree on: `votes` of the `solutions` that could be run.

    `strong`: all of them, and at least `FEWEST_FOR_STRONG`. No other may fail a submission.
    """

    example: Example
    votes: int
    solutions: int

    @property
    def strength(self) -> Strength:
        """Tell whether the example may fail a submission."""
        whole = self.votes == self.solutions
        return "strong" if whole and self.votes >= FEWEST_FOR_STRONG else "weak"


def language_of_solutions(language: str) -> str | None:
    """Return what solutions for a task in `language` are written in; None where they are of no use.

    Where calls are made of literals that every language has, it is Python, which small models know
    best and which runs everywhere. A query has no calls.
    """
    name = normalise_language(language)
    if name is None or name == "sql":
        return None
    return name if is_javascript(name) else "python"


async def agree(
    solutions: Sequence[str], language: str, *, calls: Sequence[str], statement: str = ""
) -> tuple[AgreedExample, ...]:
    """Run `solutions` on `calls` and on probes made of them; return what most of them agree on.

    Each solution has a vote, also one that was written twice: it was found independently.

    At most `MOST_EXAMPLES`, those first that tell the most apart; none where all have one result,
    which any program may have. An exception is no value that can be agreed on: what is undefined
    ends so by chance.
    """
    solutions = [_mended(code, language) for code in solutions]
    probes = await asyncio.to_thread(_probes, solutions, language, calls=calls, statement=statement)
    observed = {code: await _observe(code, language, probes) for code in dict.fromkeys(solutions)}
    votes = [observed[code] for code in solutions]
    useful = [values for values in votes if any(value is not None for value in values.values())]
    if len(useful) < FEWEST_VOTES:
        return ()
    agreed = _vote(probes, useful)
    if len(useful) > FEWEST_FOR_STRONG:
        agreed = _vote(probes, _without_outliers(useful, agreed))
    if len({one.example.expected for one in agreed}) <= 1:
        return ()
    return _telling(agreed)


def _probes(
    solutions: Sequence[str], language: str, *, calls: Sequence[str], statement: str
) -> tuple[Example, ...]:
    """Return what to ask the solutions: the calls, their variants and sequences, or inputs."""
    javascript = is_javascript(language)
    never = _NEVER_JS if javascript else _NEVER
    hints = find_hints(statement, solutions)
    if not javascript and sum(map(reads_input, solutions)) >= FEWEST_VOTES:
        given = map(repr, program_inputs(hints))
        return tuple(Example("io", text, never, None, text) for text in given)
    first = read_calls(calls, javascript=javascript)
    # In turns: of many with one result the first are kept, and each kind shows other bugs.
    kinds = (
        within(varied_calls(first, javascript=javascript), first, hints),
        within(drawn_calls(first, hints, javascript=javascript), first, hints),
        function_sequences(first, solutions, javascript=javascript),
        object_sequences(first, solutions, hints, javascript=javascript),
    )
    in_turns = (one for turn in zip_longest(*kinds) for one in turn if one is not None)
    asked = dict.fromkeys((*first, *in_turns))
    return tuple(Example("call", call, never, None, call) for call in asked)


def _without_outliers(
    votes: Sequence[Mapping[str, str | None]], agreed: Sequence[AgreedExample]
) -> list[Mapping[str, str | None]]:
    """Leave out the one solution that most often contradicts the others, if it mostly does."""
    wrong = [
        sum(values[one.example.expression] != one.example.expected for one in agreed)
        for values in votes
    ]
    worst = max(range(len(votes)), key=wrong.__getitem__)
    if 2 * wrong[worst] <= len(agreed):
        return list(votes)
    return [values for place, values in enumerate(votes) if place != worst]


def _mended(code: str, language: str) -> str:
    if check_syntax(code, language).problems:
        mended = mend_line_breaks(code)
        code = code if check_syntax(mended, language).problems else mended
    return code if is_javascript(language) else with_imported_types(code)


async def _observe(code: str, language: str, probes: Sequence[Example]) -> Mapping[str, str | None]:
    """Return what the program gives for each probe as a literal; None where that is no value."""
    if check_syntax(code, language).problems:
        return {one.expression: None for one in probes}
    read = _value if is_javascript(language) else _literal
    outcomes: list[Outcome] = []
    started = time.monotonic()
    for start in range(0, len(probes), AT_ONCE):  # a run has seconds for all that it is given
        if time.monotonic() - started > SECONDS_A_SOLUTION:
            break
        report = await run_examples(code, language, probes[start : start + AT_ONCE])
        outcomes += report.outcomes
    return dict.fromkeys(one.expression for one in probes) | {
        outcome.example.expression: read(outcome.got) if outcome.status == "fail" else None
        for outcome in outcomes
    }


def _value(shown: str | None) -> str | None:
    if shown is None or len(shown) >= MAX_SHOWN:
        return None
    return read_js_value_text(shown)


def _literal(shown: str | None) -> str | None:
    node = parse_expression(shown) if shown is not None and len(shown) < MAX_SHOWN else None
    if node is None:
        return None
    try:
        value = value_of(node)
    except ValueError:
        return None
    return repr(float(f"{value:.12g}")) if isinstance(value, float) else repr(value)


def _vote(
    probes: Iterable[Example], votes: Sequence[Mapping[str, str | None]]
) -> list[AgreedExample]:
    """Return what most of the votes agree on, and at least `FEWEST_VOTES`."""
    found: list[AgreedExample] = []
    for probe in probes:
        values = [each[probe.expression] for each in votes]
        [(expected, count)] = Counter(values).most_common(1)
        if expected is None or 2 * count <= len(values) or count < FEWEST_VOTES:
            continue
        quote = f"{probe.expression} → {expected}"
        example = replace(probe, expected=expected, quote=quote)
        found.append(AgreedExample(example, count, len(values)))
    return found


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
