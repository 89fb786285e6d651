"""The language of stored texts, told by words of grammar and not by the words of programming."""

import pytest

from evals.language import foreign_texts, language_of_grammar

SPANISH = (
    "Implementar el endpoint /login con JWT",
    "Desplegar la API con Docker Compose y GitHub Actions",
    "Crear un dashboard en React con TypeScript",
    "El pipeline de CI/CD corre los tests en cada push",
    "Escribir unit tests para el backend",
    "La página carga en menos de 2 s",
    "Refactorizar `for the loop in values` en una función",
    "Usar el hook useEffect para el fetch de los datos",
    "Añadir un README con «How to run the tests»",
    "Aprender a usar EXPLAIN ANALYZE en PostgreSQL",
    "El build pasa sin warnings",
    "Requiere conocer bien Flexbox",
    "Probar la función con pytest",
)
ENGLISH = (
    "Implement the /login endpoint with JWT",
    "Write a Dockerfile and push the image",
    "The page loads in less than 2 s",
    "Add error handling",
    "Create React Components",
    "Translate “Crear un chat con WebSockets” into tasks for the team",
    "Design the user interface",
    "A failing test blocks the merge",
    "Set up a server and configure the router",
    "Deploy the web application",
    "It requires basic HTML",
    "Test the sensor",
)
NEITHER = ("Docker Compose", "JWT", "React + TypeScript", "HTML, CSS, JavaScript", "", "🎮🚀")


@pytest.mark.parametrize("text", SPANISH)
def test_spanish_with_english_names_is_spanish(text: str) -> None:
    assert language_of_grammar(text) == "es"


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_english(text: str) -> None:
    assert language_of_grammar(text) == "en"


@pytest.mark.parametrize("text", NEITHER)
def test_names_alone_are_of_no_language(text: str) -> None:
    assert language_of_grammar(text) is None
    assert foreign_texts([text], "es") == foreign_texts([text], "en") == []


def test_only_what_is_in_another_language_is_foreign() -> None:
    texts = ["Crear la base de datos", "Create the database", "PostgreSQL"]

    assert foreign_texts(texts, "es") == ["Create the database"]
    assert foreign_texts(texts, "en") == ["Crear la base de datos"]


@pytest.mark.parametrize("text", ["Crear una API 使用 FastAPI", "Создать API", "APIを作る"])
def test_another_script_is_foreign_whatever_else_is_there(text: str) -> None:
    assert foreign_texts([text], "es") == [text]


def test_a_borrowed_accent_does_not_make_an_english_title_foreign() -> None:
    assert foreign_texts(["Normalize Café Names"], "en") == []


def test_neither_list_has_a_word_of_the_other() -> None:
    from evals import language

    assert language._SPANISH.isdisjoint(language._ENGLISH)
