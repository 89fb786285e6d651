"""When a text is clearly in the other language."""

import pytest

from agent.checks.language import foreign_texts, is_foreign
from agent.words import Language


@pytest.mark.parametrize(
    ("text", "language", "foreign"),
    [
        ("Write the tests for the login of the API", "es", True),
        ("Escribir las pruebas de la API con el cliente", "en", True),
        ("Escribir las pruebas de la API con el cliente", "es", False),
        ("Write the tests for the login of the API", "en", False),
        ("Docker Compose, FastAPI, pytest fixtures", "es", False),
        ("Usar `async with` y `for` en Python", "es", False),
        ("", "en", False),
    ],
)
def test_a_text_is_foreign_where_its_small_words_say_so(
    text: str, language: Language, *, foreign: bool
) -> None:
    assert is_foreign(text, language) is foreign


def test_the_foreign_ones_of_several_texts_are_named() -> None:
    odd = "The token is checked for each request"

    assert foreign_texts(["Hay un login", odd], "es") == [odd]
