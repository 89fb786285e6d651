"""What a task and its solutions mention: numbers, texts and words that inputs should be made of.

A program goes wrong beside its limits, and the limits stand in the solutions: who compares with 30
wants to be asked about 29, 30 and 31.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MOST: Final = 12
MAX_TEXT: Final = 16
LARGEST: Final = 10_000

_NUMBER: Final = re.compile(r"(?<![\w.])\d{1,6}(?:\.\d{1,4})?(?!\w|\.\d)")
_TEXT: Final = re.compile(r"(?<!\w)([\"'])((?:(?!\1)[^\\\n]){1,16})\1(?!\w)")
_NEGATIVE: Final = re.compile(
    r"\b(?:can|may|might|could|puede[n]?|tambi[eé]n|also|incluso|even|any|cualquier)\b[^.\n]{0,40}negativ"
    r"|\bnegativ\w+ (?:numbers?|values?|integers?|exponents?|amounts?|n[uú]meros?|and|or|y|o)\b"
    r"|\b(?:n[uú]meros?|valores|enteros|exponentes?) negativ"
    r"|\bbelow zero|\bbajo cero|\bless than zero|\bmenor(?:es)? que cero",
    re.I,
)
_FRACTIONS: Final = re.compile(
    r"decimal|float|\bround|\bredond|\breal(?:es)?\b|pre[ct]i[oe]|price|euro|€|"
    r"\bnumbers?\b|\bn[uú]meros?\b|measure|medida|\blengths?\b",
    re.I,
)
_NESTED: Final = re.compile(
    r"\bnest|\banidad|\bdepth|\bprofundidad|\brecursi|\ba su vez\b|\bagain\b", re.I
)
_KINDS: Final = re.compile(r"\btipos?\b|\btypes?\b", re.I)
_WHOLE: Final = re.compile(r"\benter[oa]s?\b|\bintegers?\b|\bwhole\b|\bints?\b", re.I)


@dataclass(frozen=True, kw_only=True)
class Hints:
    """Numbers and texts by how early they are mentioned, and what else is spoken of.

    `negative` numbers, `fractions`, objects `nested` in others, and `kinds` of values: whether a
    number is the text with the same digits.
    """

    numbers: tuple[int | float, ...] = ()
    texts: tuple[str, ...] = ()
    negative: bool = False
    fractions: bool = False
    nested: bool = False
    kinds: bool = False


def find_hints(statement: str, solutions: Iterable[str]) -> Hints:
    """Return what `statement` and the solutions' code mention."""
    sources = [statement, *solutions]
    numbers = dict.fromkeys(
        _number(found) for source in sources for found in _NUMBER.findall(source)
    )
    texts = dict.fromkeys(found for source in sources for _, found in _TEXT.findall(source))
    fractions = _FRACTIONS.search(statement) is not None and not _WHOLE.search(statement)
    return Hints(
        numbers=tuple(
            number
            for number in numbers
            if number <= LARGEST and (fractions or isinstance(number, int))
        )[:MOST],
        texts=tuple(text for text in texts if text.strip() or text == " ")[:MOST],
        negative=_NEGATIVE.search(statement) is not None,
        fractions=fractions,
        nested=_NESTED.search(statement) is not None,
        kinds=_KINDS.search(statement) is not None,
    )


def beside(numbers: Sequence[int | float]) -> list[int | float]:
    """Return each number with its neighbours."""
    near = ((number, number - 1, number + 1) for number in numbers)
    return list(dict.fromkeys(one for some in near for one in some))


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
