"""What to give a program that reads its input: numbers and words, a line or several.

Which of them a task means nobody knows; solutions that stop with an error say it is not this one.
"""

from itertools import islice
from typing import Final

from tools.analysis.probes.hints import Hints, beside

MOST: Final = 40
_NUMBERS: Final = ("3", "1", "0", "7", "10", "2", "-4", "12", "100", "5.5")
_PAIRS: Final = ("3 4", "1 3", "30 30", "2 5", "10 4", "0 7", "3\n4", "10\n3", "5\n5", "2\n9")
_LISTS: Final = ("3\n4\n1\n7", "2\n5\n5", "4\n3 1 2 2", "1 2 3 4", "5 3 5 1", "1,2,3", "0\n0\n0")
_TEXTS: Final = (
    "hello",
    "Ana",
    "hello world",
    "a b a",
    "Anita lava la tina",
    "one\ntwo\none\nthree",
)


def program_inputs(hints: Hints) -> tuple[str, ...]:
    """Return texts for standard input, those with the task's own numbers and texts first."""
    numbers = [str(number) for number in beside(hints.numbers) if number >= 0]
    known = [*islice(numbers, 8), *islice(hints.texts, 6)]
    return tuple(
        islice(
            dict.fromkeys(f"{text}\n" for text in (*known, *_NUMBERS, *_PAIRS, *_LISTS, *_TEXTS)),
            MOST,
        )
    )
