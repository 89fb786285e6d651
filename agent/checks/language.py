"""Whether a model's words are in the language that they should be in.

`agent.words.language_of` always says one of the two; here a text counts as the other language's
only where its small words say so clearly: names and technical terms are the same in both.
"""

from collections.abc import Iterable
from typing import Final

from agent.words import WORD, Language

CLEARLY: Final = 3
_SPANISH: Final = """
de la el los las una un que para con por del se lo su más sobre desde hasta este esta esto cada sin
sus al y como cuando donde está están debe puede muestra
"""
_ENGLISH: Final = """
the of to for with and is are it its this that from an be can must should each without when where
by how all your has have
"""
_SMALL: Final = {
    "es": frozenset(_SPANISH.split()),
    "en": frozenset(_ENGLISH.split()),
}


def is_foreign(text: str, language: Language) -> bool:
    """Tell whether `text` is clearly in the other of our two languages."""
    own, other = _small_words(text, language)
    return other >= CLEARLY and other > own


def leans_foreign(text: str, language: Language) -> bool:
    """Tell whether the only small words of `text` are those of the other language."""
    own, other = _small_words(text, language)
    return other > own == 0


def foreign_texts(texts: Iterable[str], language: Language) -> list[str]:
    """Return those of `texts` that are clearly in the other language."""
    return [text for text in texts if is_foreign(text, language)]


def _small_words(text: str, language: Language) -> tuple[int, int]:
    words = WORD.findall(text.lower())
    own = sum(word in _SMALL[language] for word in words)
    other = sum(word in _SMALL["en" if language == "es" else "es"] for word in words)
    return own, other
