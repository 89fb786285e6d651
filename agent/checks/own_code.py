"""A learner's code, and how their own words are known again in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Final

Tokens = tuple[str, ...]
MAX_EDIT: Final = 2
MAX_LINE: Final = 200
EDITED_TOKENS: Final = range(3, 61)
_JOIN: Final = "\x1f"

_TOKEN: Final = re.compile(
    r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|\d[\w.]*|[^\W\d]\w*"
    r"|===|!==|\*\*=|//=|<<=|>>=|=>|->|==|!=|<=|>=|[-+*/%&|^:]=|&&|\|\||\+\+|--|\*\*|//|<<|>>|\S"
)
_DEFINED: Final = re.compile(
    r"\b(?:def|function|func|fn|fun|class|struct)\s+(\w+)|\b(\w+)\s*=\s*(?:async\b|function\b|lambda\b|\([^)\n]*\)\s*=>)"
    r"|(?:^|\w[\]>]?)\s+(?!(?:if|for|while|switch|catch)\b)(\w+)\s*\([^)\n]*\)\s*\{",
    re.M,
)
_COMMENT: Final = re.compile(r"(?:^|\s)#(?!\w+\s*[<\"]).*$|^\s*//.*$|(?<=[;{}])\s*//.*$|/\*.*?\*/")


@dataclass(frozen=True)
class OwnCode:
    """A learner's code, as their own words are known again in it."""

    text: str

    @cached_property
    def lines(self) -> tuple[Tokens, ...]:
        """Return the tokens of each line that has any, without its comment."""
        tokens = (_tokens(without_comment(line)) for line in self._written)
        return tuple(each for each in tokens if each)

    @cached_property
    def indents(self) -> tuple[int, ...]:
        """Return how far each of `lines` is indented."""
        return tuple(
            len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
            for line in self._written
            if _tokens(without_comment(line))
        )

    @cached_property
    def functions(self) -> frozenset[str]:
        """Return the names of the functions that it defines."""
        return frozenset(name for found in _DEFINED.findall(self.text) for name in found if name)

    @cached_property
    def _written(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def _run(self) -> str:
        return _run(_tokens(self.text))

    @cached_property
    def _bare_run(self) -> str:
        return _run([token for line in self.lines for token in line])

    @cached_property
    def _flat(self) -> str:
        return " ".join(self.text.split())

    def has(self, snippet: str) -> bool:
        """Tell whether these very tokens stand together in the code."""
        run = _run(_tokens(snippet))
        if run in self._run or run in self._bare_run:
            return True
        flat = " ".join(snippet.split())
        whole = rf"(?<!\w){re.escape(flat)}(?!\w)"
        return flat in self._flat and re.search(whole, self._flat) is not None

    def has_lines(self, lines: Sequence[str], *, depths: Sequence[int]) -> bool:
        """Tell whether the lines come in this order, and as deep below each other.

        The first one's depth does not count: quotes often lose it.
        """
        places = self._places([_run(_tokens(line)) for line in lines])
        if places is None:
            return self.has("\n".join(lines))
        if "{" in self.text and ";" in self.text:
            return True
        return _ranks(depths[1:]) == _ranks([self.indents[at] for at in places[1:]])

    def _places(self, wanted: Sequence[str]) -> list[int] | None:
        """Return which lines hold the wanted ones: one below the other, else in this order."""
        theirs = [_run(line) for line in self.lines]
        for start in range(len(theirs) - len(wanted) + 1):
            together = theirs[start : start + len(wanted)]
            if all(map(str.__contains__, together, wanted)):
                return list(range(start, start + len(wanted)))
        places: list[int] = []
        for each in wanted:
            begin = places[-1] + 1 if places else 0
            found = next((at for at in range(begin, len(theirs)) if each in theirs[at]), None)
            if found is None:
                return None
            places.append(found)
        return places

    def is_mended_by(self, text: str) -> bool:
        """Tell whether `text` is a line of the code, or a piece of one, with a small change."""
        tokens = _tokens(text.rstrip(":{ "))
        if len(tokens) not in EDITED_TOKENS:
            return False
        wanted = set(tokens)
        in_common = max(2, len(wanted) - MAX_EDIT)
        matcher: SequenceMatcher[str] = SequenceMatcher(autojunk=False)
        matcher.set_seq2(tokens)
        return any(
            _is_small_change(matcher, window, tokens)
            for line in self.lines
            if len(wanted.intersection(line)) >= in_common
            for window in _windows(line, wanted, size=len(tokens) + MAX_EDIT)
        )


def without_comment(line: str) -> str:
    """Return a line without the comment at its end, in Python and in C-like languages."""
    return _COMMENT.sub("", line)


def _windows(line: Tokens, wanted: set[str], *, size: int) -> Iterator[Tokens]:
    for start, token in enumerate(line[:MAX_LINE]):
        if token in wanted:
            yield line[start : start + size]


def _is_small_change(matcher: SequenceMatcher[str], window: Tokens, tokens: Tokens) -> bool:
    """Tell whether `tokens` are those at the beginning of `window`, but for one or two."""
    matcher.set_seq1(window)
    blocks = matcher.get_matching_blocks()[:-1]
    same = sum(block.size for block in blocks)
    if same < 2 or 2 * same < len(tokens):
        return False
    added = len(tokens) - same
    removed = blocks[-1].a + blocks[-1].size - blocks[0].a - same
    kept = (token for block in blocks for token in window[block.a : block.a + block.size])
    is_small = added + removed > 0 and max(added, removed) <= MAX_EDIT
    return is_small and any(token.isidentifier() for token in kept)


def _ranks(depths: Sequence[int]) -> list[int]:
    order = sorted(set(depths))
    return [order.index(depth) for depth in depths]


def _tokens(text: str) -> Tokens:
    found = _TOKEN.findall(text)
    return tuple(f'"{each[1:-1]}"' if len(each) > 1 and each[0] == "'" else each for each in found)


def _run(tokens: Sequence[str]) -> str:
    return _JOIN + _JOIN.join(tokens) + _JOIN
