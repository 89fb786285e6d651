"""What became of the issues of the submission before: fixed, partly fixed, open, and what is new.

Fail closed: what nothing shows to be fixed is open.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from difflib import SequenceMatcher
from typing import Any, Final

from agent.checks.verdict import FAILED, weigh
from agent.state import Json
from tools.analysis.anchors import locate
from tools.analysis.fingerprints import fingerprint

SIMILAR: Final = 0.6
MAX_COMPARISONS: Final = 1_000
RUN: Final = "run"
MODEL: Final = "model"


@dataclass(frozen=True)
class Entry:
    """One issue; the lines are 1-based, inclusive and of the code now, None where it has none."""

    fingerprint: str
    rule: str
    problem: str
    start_line: int | None = None
    end_line: int | None = None


@dataclass(frozen=True)
class Progress:
    """Issues of before are fixed, partly fixed or open, those of now that were not there new."""

    fixed: tuple[Entry, ...] = ()
    partly: tuple[Entry, ...] = ()
    open: tuple[Entry, ...] = ()
    new: tuple[Entry, ...] = ()

    def as_json(self) -> Json:
        """Return the four lists as JSON values."""
        return {name: [asdict(entry) for entry in entries] for name, entries in vars(self).items()}


def compare(
    previous: Sequence[Json],
    current: Sequence[Json],
    *,
    previous_runs: Sequence[Json],
    current_runs: Sequence[Json],
    code: str,
) -> Progress:
    """Compare the issues and runs of two submissions of one task; `code` is the present one.

    An issue is there again by its fingerprint; one that was edited in place is known by its rule
    and a similar quote, and is partly fixed, as are all of several equal ones when some are gone.
    A model's findings are unsteady words: one that is merely not repeated is open as long as
    `code`, as the model was shown it, has the quoted lines, unless it is essential and passing runs
    refute it. A failing example is fixed when it passes; not run, it is open. Weak runs alone and
    celebratory findings are no issues. Every issue of `previous` is in one list, and so is every
    failing expression.
    """
    before, now = _issues(previous), _issues(current)
    pairs = _pair_equal(before, now)
    partly = _groups_that_shrank(before, pairs)
    similar = _pair_similar(before, now, taken=pairs)
    refuted = weigh(current_runs).all_runs_pass

    found = _Lists()
    for index, issue in enumerate(before):
        if index in pairs:
            (found.partly if index in partly else found.open).append(now[pairs[index]].entry())
        elif index in similar:
            found.partly.append(now[similar[index]].entry())
        elif index in partly:
            found.partly.append(issue.entry(lines=None))
        elif (stands := issue.standing(code)) and not (refuted and issue.essential):
            found.open.append(issue.entry(lines=stands))
        else:
            found.fixed.append(issue.entry(lines=None))
    known = {*pairs.values(), *similar.values()}
    found.new.extend(issue.entry() for index, issue in enumerate(now) if index not in known)
    _compare_runs(previous_runs, current_runs, found)
    return Progress(tuple(found.fixed), tuple(found.partly), tuple(found.open), tuple(found.new))


@dataclass(frozen=True)
class _Lists:
    fixed: list[Entry] = field(default_factory=list)
    partly: list[Entry] = field(default_factory=list)
    open: list[Entry] = field(default_factory=list)
    new: list[Entry] = field(default_factory=list)


Lines = tuple[int, int]


@dataclass(frozen=True)
class _Issue:
    fingerprint: str
    rule: str | None
    source: str | None
    kind: str | None
    problem: str
    quote: str
    lines: Lines | None

    @property
    def essential(self) -> bool:
        return self.kind == "essential"

    def entry(self, **changes: Lines | None) -> Entry:
        lines = changes.get("lines", self.lines)
        rule = self.rule or self.kind or ""
        return Entry(self.fingerprint, rule, self.problem, *(lines or (None, None)))

    def standing(self, code: str) -> Lines | None:
        """Return where the code that a model's finding is about still stands, word for word."""
        anchor = locate(self.quote, code) if self.source == MODEL else None
        if anchor is None or anchor.how == "window":
            return None
        return anchor.start_line, anchor.end_line

    def is_about_the_same(self, other: "_Issue") -> bool:
        """Tell whether the two are of one rule; a model's word for its finding may vary."""
        if self.source == other.source and (MODEL in (self.source, other.source)):
            return True
        if self.rule is None or other.rule is None:
            return self.source == other.source
        return self.rule == other.rule


def _issues(stored: Iterable[Any]) -> list[_Issue]:
    """Read issues, also those that were stored before they had a rule and a fingerprint."""
    return [
        _read(issue)
        for issue in stored
        if isinstance(issue, dict) and issue.get("kind") != "celebratory"
    ]


def _read(issue: Json) -> _Issue:
    rule, kind, source = (_text(issue.get(key)) for key in ("rule", "kind", "source"))
    problem = _text(issue.get("problem")) or _text(issue.get("text")) or ""
    quote = " ".join((_text(issue.get("quote")) or "").split())
    mark = _text(issue.get("fingerprint")) or fingerprint(rule or kind or "", quote or problem)
    return _Issue(mark, rule, source, kind, problem, quote, _lines(issue))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _lines(issue: Json) -> Lines | None:
    start = issue.get("start_line", issue.get("line"))
    end = issue.get("end_line", start)
    return (start, end) if isinstance(start, int) and isinstance(end, int) else None


def _pair_equal(before: list[_Issue], now: list[_Issue]) -> dict[int, int]:
    """Return which issue of now is which of before: by fingerprint, else by the same quote."""
    pairs: dict[int, int] = {}
    left = list(range(len(now)))
    for known_again in (_same_fingerprint, _same_quote):
        for index, issue in enumerate(before):
            if index in pairs:
                continue
            match = next((each for each in left if known_again(issue, now[each])), None)
            if match is not None:
                pairs[index] = match
                left.remove(match)
    return pairs


def _same_fingerprint(one: _Issue, other: _Issue) -> bool:
    return one.fingerprint == other.fingerprint


def _same_quote(one: _Issue, other: _Issue) -> bool:
    return bool(one.quote) and one.quote == other.quote and one.is_about_the_same(other)


def _groups_that_shrank(before: list[_Issue], pairs: dict[int, int]) -> set[int]:
    """Return all of the equal issues of which some are still there and some are not.

    A model that says once what it said twice has said it: its findings are not counted.
    """
    groups: dict[str, list[int]] = {}
    for index, issue in enumerate(before):
        if issue.source != MODEL:
            groups.setdefault(issue.fingerprint, []).append(index)
    return {
        index
        for group in groups.values()
        if 0 < sum(each in pairs for each in group) < len(group)
        for index in group
    }


def _pair_similar(
    before: list[_Issue], now: list[_Issue], *, taken: dict[int, int]
) -> dict[int, int]:
    """Pair what is left of one rule with the most similar quotes, the best pair first."""
    matcher = SequenceMatcher(autojunk=False)
    rated: list[tuple[float, int, int, int]] = []
    compared = 0
    later = [index for index in range(len(now)) if index not in taken.values()]
    for position in later:
        matcher.set_seq2(now[position].quote)
        for index, issue in enumerate(before):
            if index in taken or not issue.quote or not issue.is_about_the_same(now[position]):
                continue
            compared += 1
            if compared > MAX_COMPARISONS:
                break
            matcher.set_seq1(issue.quote)
            if matcher.real_quick_ratio() < SIMILAR or matcher.quick_ratio() < SIMILAR:
                continue
            ratio = matcher.ratio()
            if ratio >= SIMILAR:
                rated.append((-ratio, _distance(issue, now[position]), index, position))
    pairs: dict[int, int] = {}
    for _, _, index, position in sorted(rated):
        if index not in pairs and position not in pairs.values():
            pairs[index] = position
    return pairs


def _distance(one: _Issue, other: _Issue) -> int:
    return abs(one.lines[0] - other.lines[0]) if one.lines and other.lines else 0


def _strong(run: Json) -> bool:
    return bool(run.get("strength", "strong") == "strong")


def _compare_runs(previous: Sequence[Json], current: Sequence[Json], found: _Lists) -> None:
    """Enter each failing expression once, whatever number of examples have it."""
    before, now = _failing(previous), _failing(current)
    passing = {run.get("expression") for run in current if run.get("status") == "pass"}
    still = {run.get("expression") for run in current if run.get("status") != "pass"}
    for expression in before:
        is_fixed = expression in passing - still
        (found.fixed if is_fixed else found.open).append(_run_entry(expression))
    found.new.extend(_run_entry(expression) for expression in now if expression not in before)


def _failing(runs: Sequence[Json]) -> list[str]:
    failing = [
        str(run.get("expression")) for run in runs if run.get("status") in FAILED and _strong(run)
    ]
    return list(dict.fromkeys(failing))


def _run_entry(expression: str) -> Entry:
    return Entry(fingerprint(RUN, expression), RUN, expression)
