"""Where the words of a tutor, in Markdown, hold code: fenced, inline, indented or bare."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_TICKS: Final = re.compile(
    r"(?<!`)(?P<fence>`{3,})(?!`)(?P<block>.*?)(?:(?<!`)(?P=fence)(?!`)|\Z)"
    r"|(?<!`)(?P<tick>``?)(?!`)(?P<inline>(?:(?!\n[ \t]*\n).)+?)(?<!`)(?P=tick)(?!`)",
    re.S,
)
_TILDES: Final = re.compile(
    r"^ {0,3}(~{3,})[^\n]*\n(?P<block>.*?)(?:^ {0,3}\1~*[ \t]*$|\Z)", re.M | re.S
)
_INFO: Final = re.compile(
    r"\A[ \t]*(?:[\w+#.-]*[ \t]*\r?\n"
    r"|(?:python|py|javascript|js|typescript|ts|java|go|rust|c|cpp)\b)"
)
_INDENTED: Final = re.compile(r"(?:^(?: {4}|\t)[ \t]*\S[^\n]*(?:\n|\Z)(?:[ \t]*\n)*)+", re.M)
_HEADER: Final = re.compile(
    r"^(?:async |def |class |if\b|elif\b|else\b|for\b|while\b|try\b|except\b|with\b|switch\b"
    r"|function\b|public |private |static |fn |func |fun )[^\n]*[:{][ \t]*\n\Z",
    re.M,
)


# Code that nobody has marked: a function with its body in one line, what returns a call's value, a
# line that returns a value.
_BARE: Final = re.compile(
    r"\b(?:def\s+\w+\s*\([^()\n]*\)[^:\n]*:[ \t]*(?!\.\.\.)[^\s#][^\n]*"
    r"|function\s+\w*\s*\([^()\n]*\)\s*\{[ \t]*[^\s}][^\n]*"
    r"|return[ \t]+\w[\w.]*\([^()\n]*\))"
    r"|^[ \t]*return[ \t]+(?=[\w.]*[(\[]|\S+[ \t]+[-+*/%<>=&|]+[ \t])[^\n]+",
    re.M,
)


@dataclass(frozen=True)
class Span:
    """A piece of code in a text: where it begins and ends with its marks, and the code itself."""

    start: int
    end: int
    code: str


def find_spans(text: str) -> tuple[Span, ...]:
    """Return the pieces of code in reading order; a fence that is never closed goes to the end."""
    fenced = list(_marked(text))
    plain = _blanked(text, fenced)
    indented = list(_indented(plain))
    bare = _bare(_blanked(plain, indented))
    return tuple(sorted([*fenced, *indented, *bare], key=lambda span: span.start))


def _blanked(text: str, spans: Iterable[Span]) -> str:
    rest = list(text)
    for span in spans:
        rest[span.start : span.end] = [
            character if character == "\n" else " " for character in rest[span.start : span.end]
        ]
    return "".join(rest)


def _marked(text: str) -> Iterator[Span]:
    covered = 0
    tildes = list(_TILDES.finditer(text))
    for match in sorted([*_TICKS.finditer(text), *tildes], key=lambda found: found.start()):
        if match.start() < covered:
            continue
        covered = match.end()
        block = match["block"]
        inside = match["inline"] if block is None else _INFO.sub("", block)
        yield Span(match.start(), match.end(), inside)


def _indented(plain: str) -> Iterator[Span]:
    for match in _INDENTED.finditer(plain):
        header = _HEADER.search(plain, 0, match.start())
        start = header.start() if header else match.start()
        code = plain[start : match.end()].rstrip()
        yield Span(start, start + len(code), code)


def _bare(plain: str) -> Iterator[Span]:
    for match in _BARE.finditer(plain):
        code = match[0].strip()
        start = match.start() + match[0].index(code)
        yield Span(start, start + len(code), code)
