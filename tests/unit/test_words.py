"""Which language a text is in, and our own sentences in both."""

import string

import pytest

from agent.words import WORDS, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Quiero aprender a probar mi API", "es"),
        ("I want to learn how to test my API", "en"),
        ("Añadir paginación", "es"),
        ("Make the parser faster with a cache", "en"),
        ("def f(x):", "es"),
        ("Divide la meta gol_0a1a2a3fa4a5 en tareas", "es"),
        ("Valida is_valid, is_open y the_end", "es"),
        ("", "es"),
    ],
)
def test_the_language_of_a_text_is_told_by_its_words(text: str, language: str) -> None:
    assert language_of(text) == language


def test_every_sentence_is_there_in_both_languages_with_the_same_values() -> None:
    def fields(sentence: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}

    assert WORDS["es"].keys() == WORDS["en"].keys()
    for key, sentence in WORDS["es"].items():
        assert fields(sentence) == fields(WORDS["en"][key])
