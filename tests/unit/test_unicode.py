import pytest

from tools.analysis.facts.unicode import find_unicode, strip_invisible


def found(code: str, language: str = "python") -> list[tuple[str, int]]:
    return [
        (fact.rule.removeprefix("unicode/"), fact.line) for fact in find_unicode(code, language)
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = 1\nif a: # \u202e x\n    pass\n", [("bidi", 2)]),
        ("a\u200bb = 1\n", [("invisible", 1)]),
        ("s = '\x1b[0m'\n", [("invisible", 1)]),
        ("x = 1\ns\u0441ore = 2\n", [("homoglyph", 2)]),
        ("c = 1\nprint(\u0441)\n", [("homoglyph", 2)]),
        ("\U0001d429rint(1)\n", [("homoglyph", 1)]),
        ("print(“hola”)\n", [("look-alike", 1)]),
        ("x = a – b\n", [("look-alike", 1)]),
        ("x = 1；\n", [("look-alike", 1)]),
        ("x\u00a0= 1\n", [("look-alike", 1)]),
    ],
)
def test_a_suspicious_character_is_found(code: str, expected: list[tuple[str, int]]) -> None:
    assert found(code) == expected


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("año = 'mañana — “sí”'  # ¿qué? – «bien»\n", "python"),
        ("Δx = μ_k * ρ_air + café\n", "python"),
        ("имя = 1\n", "python"),
        ("\ufeffx = '👩\u200d💻'\n", "python"),
        ("const s = `a ${b} — “c”`; // ñ –\n", "javascript"),
        ("const A = () => <p title='–'>“hola” — adiós</p>;\n", "tsx"),
        ("<p>“Hola” — adiós</p>\n", "html"),
        ("echo hola — adios\n", "bash"),
        ("SELECT 'a – b' AS año; -- “x”\n", "sql"),
    ],
)
def test_text_and_other_alphabets_are_not_suspicious(code: str, language: str) -> None:
    assert found(code, language) == []


def test_invisible_characters_are_dropped_and_named() -> None:
    text, names = strip_invisible("if a\u202e:\u200b # \U000e0041ok\ufeff\u200b\n\tñ é 🙂\r\n")

    assert text == "if a: # ok\n\tñ é 🙂\r\n"
    assert names == (
        "U+202E RIGHT-TO-LEFT OVERRIDE",
        "U+200B ZERO WIDTH SPACE",
        "U+E0041 TAG CHARACTER",
        "U+FEFF ZERO WIDTH NO-BREAK SPACE",
    )


def test_visible_text_is_left_as_it_is() -> None:
    assert strip_invisible("año 你好 🙂 — ok\n") == ("año 你好 🙂 — ok\n", ())
