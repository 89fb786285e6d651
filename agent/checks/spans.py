"""Where the words of a tutor, in Markdown, hold code: fenced, inline or indented."""

import re
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Span:
    """A piece of code in a text: where it begins and ends with its marks, and the code itself."""

    start: int
    end: int
    code: str


def find_spans(text: str) -> tuple[Span, ...]:
    """Return the pieces of code in reading order; a fence that is never closed goes to the end."""
    fenced = list(_marked(text))
    rest = list(text)
    for span in fenced:
        rest[span.start : span.end] = [
            character if character == "\n" else " " for character in rest[span.start : span.end]
        ]
    plain = "".join(rest)
    return tuple(sorted([*fenced, *_indented(plain)], key=lambda span: span.start))


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
