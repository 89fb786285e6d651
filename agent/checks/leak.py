"""Keep the solution out of a tutor's words: find the code of it, and take it out.

What is marked as code counts, and what is code for sure without a mark; plain words do not.
"""

import re
from collections.abc import Sequence
from typing import Final

from agent.checks.own_code import OwnCode
from agent.checks.snippets import gives_away, hands_over
from agent.checks.spans import Span, find_spans
from agent.words import Language

MAX_FEEDBACK: Final = 8_000
ROUNDS: Final = 3
ENTRY: Final = frozenset({"main"})
"""What programs of any problem define."""
OMITTED: Final = {"es": "[código omitido]", "en": "[code left out]"}

_WITHIN: Final = r"(?:(?!\.\s)[^\n])"
_ARTICLES: Final = r"(?:(?:el|la|un|una|the|a|an|this|esto)\s+)?(?:\w+\s+){0,2}"
_REPLACE: Final = re.compile(
    r"\b(?:replace|chang(?:e|ing)|swap|switch|substitute|turn|cambi\w+|reempla\w+|sustitu\w+"
    rf"|convert\w*|conviert\w+)\b(?P<what>{_WITHIN}{{0,100}}?)"
    rf"\b(?:by|with|for|to|into|por|con|a)[:\s]+{_ARTICLES}\Z",
    re.I,
)
_USE: Final = re.compile(
    r"\b(?:use|write|put|try|usa\w*|utili[zc]\w+|escrib\w+|pon\w*|coloca\w*)\b[:\s]+"
    rf"{_ARTICLES}\Z",
    re.I,
)
_INSTEAD: Final = re.compile(r"\A[\s,]*(?:instead of|rather than|en (?:lugar|vez) de)\b", re.I)
_INSTEAD_USE: Final = re.compile(
    rf"\b(?:instead of|rather than|en (?:lugar|vez) de)\b(?P<what>{_WITHIN}{{0,80}}?)"
    r"\b(?:use|write|put|try|usa\w*|utili[zc]\w+|escrib\w+|pon\w*|prueba)\b[:\s]+"
    rf"{_ARTICLES}\Z",
    re.I,
)
_SHOULD_BE: Final = re.compile(
    r"`[^\n.]{0,30}\b(?:should be|must be|ought to be|deber[ií]a ser|debe ser|tiene que ser)"
    rf"[:\s]+{_ARTICLES}\Z",
    re.I,
)
_QUOTED: Final = re.compile(r"`+([^`]+)`+")


def find_leak(feedback: str, *, code: str) -> str | None:
    """Return the first piece of solution code in `feedback`, None where there is none.

    `code` is the learner's: what they wrote themselves may be quoted, but not mended. A piece that
    the words name as a replacement may not be more than a name.
    """
    leaks = _leaks(feedback[:MAX_FEEDBACK], OwnCode(code))
    return leaks[0].code.strip() if leaks else None


def without_leak(
    feedback: str, *, code: str, language: Language, is_analogue: bool = False
) -> tuple[str, bool]:
    """Return `feedback` with a short phrase for each piece of the solution; whether there was one.

    `language` is that of the words. What is longer than 8,000 characters is cut. Of an analogue,
    the solution of another problem, only code that defines a function of the learner's is taken.
    """
    own, kept = OwnCode(code), feedback[:MAX_FEEDBACK]
    for replaced in range(ROUNDS):
        leaks = _retold(kept, own) if is_analogue else _leaks(kept, own)
        if not leaks:
            return kept, replaced > 0
        for span in reversed(leaks):
            kept = kept[: span.start] + OMITTED[language] + kept[span.end :]
    left = _retold(kept, own) if is_analogue else _leaks(kept, own)
    return (OMITTED[language], True) if left else (kept, True)


def _leaks(feedback: str, own: OwnCode) -> list[Span]:
    spans = find_spans(feedback)
    return [span for index, span in enumerate(spans) if _is_leak(feedback, spans, index, own)]


def _retold(feedback: str, own: OwnCode) -> list[Span]:
    """Return the code that defines what the learner's own code defines, and is not theirs."""
    return [
        span
        for span in find_spans(feedback)
        if OwnCode(span.code).functions & own.functions - ENTRY and not own.has(span.code)
    ]


def _is_leak(feedback: str, spans: Sequence[Span], index: int, own: OwnCode) -> bool:
    try:
        return gives_away(spans[index].code, own) or _is_replacement(feedback, spans, index, own)
    except RecursionError:
        return True


def _is_replacement(feedback: str, spans: Sequence[Span], index: int, own: OwnCode) -> bool:
    span = spans[index]
    before = feedback[max(span.start - 200, 0) : span.start]
    said = _REPLACE.search(before) or _INSTEAD_USE.search(before)
    if said is not None:
        named = _QUOTED.search(said["what"])
        return hands_over(span.code, own, for_own=named[1] if named else None)
    following = feedback[span.end : span.end + 40]
    if (_USE.search(before) and _INSTEAD.match(following)) or _SHOULD_BE.search(before):
        return hands_over(span.code, own, for_own=None)
    return False
