"""Find the lines that a quote comes from, so that no line number is taken on trust."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from tools.analysis.syntax import split_lines

MAX_QUOTE = 4_000
MAX_LINES = 20_000
MIN_FUZZY_CHARACTERS = 12
FUZZY_RATIO = 0.9
FUZZY_MARGIN = 0.03
MAX_FUZZY_CHARACTERS = 1_500
MAX_COMPARISONS = 60
MAX_COMPARED_CHARACTERS = 2_000_000

_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Anchor:
    """The 1-based inclusive lines of a quote; `ambiguous`: it occurs again further down."""

    start_line: int
    end_line: int
    how: Literal["exact", "normalised", "window"]
    ambiguous: bool = False


def locate(quote: str, code: str) -> Anchor | None:
    """Locate a quote: whole lines, then a part of the text, then the one closest window.

    Several equal places give the first, marked ambiguous; a close match with a rival gives None.
    """
    quote = quote.strip().strip("`").strip("\r\n")
    if not quote.strip() or len(quote) > MAX_QUOTE:
        return None
    lines = split_lines(code)
    if len(lines) > MAX_LINES:
        return None
    wanted = _trim([_flat(line) for line in split_lines(quote)])
    flat = [_flat(line) for line in lines]
    numbered = [(number, line) for number, line in enumerate(flat, 1) if line]
    return (
        _whole_lines(wanted, list(enumerate(flat, 1)), quote=quote, lines=lines)
        or _whole_lines([w for w in wanted if w], numbered, quote=quote, lines=lines)
        or _part(quote, code)
        or _flat_part(wanted, numbered)
        or _window([w for w in wanted if w], numbered)
    )


def _flat(line: str) -> str:
    return _SPACE.sub(" ", line).strip()


def _trim(lines: list[str]) -> list[str]:
    start, end = 0, len(lines)
    while start < end and not lines[start]:
        start += 1
    while end > start and not lines[end - 1]:
        end -= 1
    return lines[start:end]


def _whole_lines(
    wanted: list[str], numbered: list[tuple[int, str]], *, quote: str, lines: list[str]
) -> Anchor | None:
    size = len(wanted)
    starts = [
        index
        for index in range(len(numbered) - size + 1)
        if numbered[index][1] == wanted[0]
        and all(numbered[index + step][1] == wanted[step] for step in range(1, size))
    ]
    if not starts:
        return None
    first, last = numbered[starts[0]][0], numbered[starts[0] + size - 1][0]
    written = "\n".join(lines[first - 1 : last])
    verbatim = "\n".join(split_lines(quote)) in written
    return Anchor(first, last, "exact" if verbatim else "normalised", ambiguous=len(starts) > 1)


def _part(quote: str, code: str) -> Anchor | None:
    code, quote = "\n".join(split_lines(code)), "\n".join(split_lines(quote)).strip()
    start = code.find(quote)
    if start < 0:
        return None
    first = code.count("\n", 0, start) + 1
    again = code.find(quote, start + 1) >= 0
    return Anchor(first, first + quote.count("\n"), "exact", ambiguous=again)


def _flat_part(wanted: list[str], numbered: list[tuple[int, str]]) -> Anchor | None:
    quote = " ".join(line for line in wanted if line)
    text = " ".join(line for _, line in numbered)
    start = text.find(quote)
    if start < 0:
        return None
    again = text.find(quote, start + 1) >= 0
    first, last, position = 0, 0, 0
    for number, line in numbered:
        if position <= start < position + len(line) + 1:
            first = number
        if position < start + len(quote):
            last = number
        position += len(line) + 1
    return Anchor(first, last, "normalised", ambiguous=again)


def _window(wanted: list[str], numbered: list[tuple[int, str]]) -> Anchor | None:
    quote = "\n".join(wanted)
    if len(_SPACE.sub("", quote)) < MIN_FUZZY_CHARACTERS or len(quote) > MAX_FUZZY_CHARACTERS:
        return None
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(quote)
    close: list[tuple[float, int, int]] = []
    compared, characters = 0, 0
    for size in sorted({max(len(wanted) - 1, 1), len(wanted), len(wanted) + 1}):
        for index in range(len(numbered) - size + 1):
            text = "\n".join(line for _, line in numbered[index : index + size])
            if abs(len(text) - len(quote)) > 0.25 * len(quote):
                continue
            characters += len(text)
            if characters > MAX_COMPARED_CHARACTERS or compared == MAX_COMPARISONS:
                return None
            matcher.set_seq1(text)
            if matcher.quick_ratio() < FUZZY_RATIO:
                continue
            compared += 1
            ratio = matcher.ratio()
            if ratio >= FUZZY_RATIO:
                close.append((ratio, numbered[index][0], numbered[index + size - 1][0]))
    if not close:
        return None
    best = max(close, key=lambda found: found[0])
    rivals = [c for c in close if c[2] < best[1] or c[1] > best[2]]
    if any(best[0] - rival[0] < FUZZY_MARGIN for rival in rivals):
        return None
    return Anchor(best[1], best[2], "window")
