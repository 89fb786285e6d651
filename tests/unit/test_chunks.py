"""Chunks: nothing is lost, everything is bounded, and code is cut along its syntax."""

import re
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bounds import thinking_at_most
from tools.chunks import (
    LONGEST_CHUNK,
    MOST_CHUNKS,
    Chunk,
    cut_code,
    cut_text,
)

PATH: Final = "auth/sesiones.py"
LINE_BREAK: Final = re.compile(r"\r\n|\n|\r")
BODY_LINES: Final = "".join(f"    total += {number}  # suma\n" for number in range(20))
INNER_LINES: Final = BODY_LINES.replace("    total", "        total")
METHODS: Final = "".join(f"    def m{number}(self):\n{INNER_LINES}\n" for number in range(3))
PYTHON: Final = f'''"""Sesiones."""

import secrets
from tests.bounds import thinking_at_most


def crear(usuario):
{BODY_LINES}    return total


# Borra la sesión.
@traza
def borrar(usuario):
{BODY_LINES}

class Almacen:
    """Guarda."""

{METHODS}'''

FRAGMENTS = st.sampled_from(
    ["\n", "\r\n", "\r", "\t", "    ", "def f(x):\n", "class A:\n", "x = 1\n", "\u200b", "\u202e",
     "\u2028", "\x0b", "ñ", "🐍", "}", "{", "function g() {\n", "# nota\n", "a" * 300, "b c " * 400]
)  # fmt: skip
TEXTS = st.lists(st.one_of(FRAGMENTS, st.text(max_size=40)), max_size=120).map("".join)
LANGUAGES = st.sampled_from(["python", "javascript", "rust", "c", "sql", "cobol"])


def body(chunk: Chunk) -> str:
    return chunk.content.partition("\n")[2]


def symbols(chunks: list[Chunk]) -> list[str | None]:
    return [(chunk.metadata or {}).get("symbol") for chunk in chunks]


def left_out(chunks: list[Chunk]) -> int:
    return int((chunks[-1].metadata or {}).get("left_out", 0))


@given(code=TEXTS, language=LANGUAGES)
@settings(max_examples=150)
def test_every_line_of_code_is_in_one_chunk_in_order_under_its_number(
    code: str, language: str
) -> None:
    chunks = cut_code(PATH, code, language=language)

    assert "".join(map(body, chunks)) == code
    assert chunks == cut_code(PATH, code, language=language)
    lines = LINE_BREAK.split(code)
    for chunk in chunks:
        assert len(chunk.content) <= LONGEST_CHUNK
        assert chunk.content.startswith(PATH)
        if chunk.metadata is not None:
            first, last = chunk.metadata["start_line"], chunk.metadata["end_line"]
            assert LINE_BREAK.split(body(chunk))[0] in lines[first - 1]
            assert first <= last <= len(lines)


@given(code=TEXTS)
@settings(max_examples=50)
def test_the_lines_of_chunks_follow_each_other(code: str) -> None:
    chunks = [chunk.metadata for chunk in cut_code(PATH, code, language="python")]

    for above, below in pairwise(chunks):
        assert above is not None and below is not None
        assert below["start_line"] in {above["end_line"], above["end_line"] + 1}


@given(text=TEXTS)
@settings(max_examples=150)
def test_every_line_of_prose_is_in_one_chunk_in_order(text: str) -> None:
    chunks = cut_text(text)

    title, _, rest = text.partition("\n")
    if len(text) <= LONGEST_CHUNK:
        assert chunks == [Chunk(text)]
        return
    assert "".join(map(body, chunks)) in {rest, text}
    assert all(len(chunk.content) <= LONGEST_CHUNK for chunk in chunks)
    assert all(chunk.content[:100].rstrip() == title[:100].rstrip() for chunk in chunks) or (
        len(title) < 100
    )


@pytest.mark.parametrize(
    ("code", "content"),
    [("", PATH), ("x = 1", f"{PATH}\nx = 1"), ("\ufeffx = 1\n", f"{PATH}\n\ufeffx = 1\n")],
)
def test_short_code_is_one_chunk_as_it_is(code: str, content: str) -> None:
    [chunk] = cut_code(PATH, code, language="python")

    assert chunk.content == content


def test_code_is_cut_along_its_functions_and_methods() -> None:
    chunks = cut_code(PATH, PYTHON, language="py")

    assert [chunk.content.partition("\n")[0] for chunk in chunks] == [
        f"{PATH} · crear",
        f"{PATH} · borrar",
        f"{PATH} · Almacen, Almacen.m0",
        f"{PATH} · Almacen.m1",
        f"{PATH} · Almacen.m2",
    ]
    assert body(chunks[1]).startswith("# Borra la sesión.\n@traza\ndef borrar")
    assert "".join(map(body, chunks)) == PYTHON


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_line_numbers_are_those_of_an_editor(line_break: str) -> None:
    chunks = cut_code(PATH, PYTHON.replace("\n", line_break), language="python")

    numbered = PYTHON.split("\n")
    starts = [numbered[(chunk.metadata or {})["start_line"] - 1].strip() for chunk in chunks]
    assert starts[1:] == ["# Borra la sesión.", "class Almacen:", "def m1(self):", "def m2(self):"]


@pytest.mark.parametrize(
    ("language", "one", "expected"),
    [
        ("javascript", "export const f{n} = async (x) => {{\n{body}}};\n", "f0"),
        ("typescript", "class K{n} {{\n  m(): void {{\n{body}  }}\n}}\n", "K0"),
        ("java", "class K{n} {{\n  int m() {{\n{body}    return 1;\n  }}\n}}\n", "K0"),
        ("go", "func (a *A) F{n}() {{\n{body}}}\n", "F0"),
        ("rust", "#[test]\nfn f{n}() {{\n{body}}}\n", "f0"),
        ("c", "static char *f{n}(int x) {{\n{body}}}\n", "f0"),
        ("cpp", "template<class T> T f{n}(T x) {{\n{body}}}\n", "f0"),
        ("csharp", "class K{n} {{\n  int M() {{\n{body}    return 1;\n  }}\n}}\n", "K0"),
        ("php", "function f{n}() {{\n{body}}}\n", "f0"),
        ("ruby", "def f{n}\n{body}end\n", "f0"),
        ("bash", "f{n}() {{\n{body}}}\n", "f0"),
        ("kotlin", "fun f{n}() {{\n{body}}}\n", "f0"),
        ("css", ".f{n} {{\n{body}}}\n", ".f0"),
        ("sql", "create table f{n} (\n{body}  a int\n);\n", "f0"),
    ],
)
def test_every_grammar_has_its_definitions(language: str, one: str, expected: str) -> None:
    fill = {"css": "  color: red;\n", "sql": "  column_of_it int,\n", "bash": "  echo hola\n"}
    text = fill.get(language, "    total(1);\n") * 25
    code = "".join(one.format(n=number, body=text) for number in range(6))

    chunks = cut_code("f", code, language=language)

    numbers = [expected.replace("0", str(number)) for number in range(6)]
    assert symbols(chunks) == numbers


def test_code_with_an_error_is_still_cut_along_what_can_be_read() -> None:
    chunks = cut_code(PATH, PYTHON + "\n\ndef roto(:\n  ???\n" + BODY_LINES, language="python")

    assert "crear" in symbols(chunks)


def test_an_unknown_language_is_cut_by_lines_after_a_blank_one() -> None:
    paragraph = "MOVE A TO B.\n" * 50 + "\n"

    chunks = cut_code("f.cob", paragraph * 4, language="cobol")

    assert [body(chunk) for chunk in chunks] == [paragraph] * 4
    assert symbols(chunks) == [None] * 4


def test_long_prose_is_cut_by_paragraphs_under_its_title() -> None:
    paragraph = "Una frase del curso. " * 35 + "\n\n"

    chunks = cut_text("Curso\n" + paragraph * 3)

    assert [chunk.content for chunk in chunks] == [f"Curso\n{paragraph}"] * 3


def test_one_line_of_five_megabytes_is_bounded_and_says_what_is_left_out() -> None:
    with thinking_at_most(5):
        chunks = cut_code("min.js", "var a=1;" * 650_000, language="javascript")

    assert len(chunks) == MOST_CHUNKS
    assert left_out(chunks) == 8 * 650_000 - sum(len(body(chunk)) for chunk in chunks)
    assert all((chunk.metadata or {})["start_line"] == 1 for chunk in chunks)


def test_many_small_functions_share_chunks() -> None:
    code = "".join(f"def f{number}():\n    return {number}\n\n" for number in range(400))

    chunks = cut_code(PATH, code, language="python")

    assert len(chunks) < MOST_CHUNKS
    assert left_out(chunks) == 0


def test_deep_nesting_is_cut() -> None:
    code = "".join(f"function f{number}() {{\n" for number in range(3_000))

    chunks = cut_code("f.js", code, language="javascript")

    assert "".join(map(body, chunks)) == code


def test_a_long_path_keeps_its_end_and_leaves_room() -> None:
    path = "carpeta/" * 120 + "final.py"

    chunks = cut_code(path, PYTHON, language="python")

    assert all(len(chunk.content) <= LONGEST_CHUNK for chunk in chunks)
    assert all("final.py" in chunk.content.partition("\n")[0] for chunk in chunks)
