"""Values and calls as other languages write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.analysis.examples.finder import find_examples
from tools.analysis.examples.native_literals import NotRead, read_call, read_value
from tools.analysis.examples.native_values import Char, Group, Pairs, Unread, Wrapped
from tools.analysis.runs.native.answers import is_same

LANGUAGES = ["c", "cpp", "java", "go", "rust", "csharp", "php", "ruby", "kotlin"]


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("cpp", '{"b", "a"}', Group(("b", "a"))),
        ("cpp", "std::vector<int>{1, 2}", Group((1, 2))),
        ("cpp", "std::nullopt", None),
        ("go", 'map[string]int{"to": 2}', Pairs((("to", 2),))),
        ("go", "[]string{}", Group(())),
        ("go", "-3", -3),
        ("rust", "Some(i32::MAX)", Wrapped("some", 2**31 - 1)),
        ("rust", 'vec!["a".to_string()]', ["a"]),
        ("rust", "&[1u8, 2]", [1, 2]),
        ("rust", 'Err("no".into())', Wrapped("err", "no")),
        ("rust", "(1, 2.5)", (1, 2.5)),
        ("java", "new int[]{1, 2}", Group((1, 2))),
        ("java", "List.of(1L, 2L)", [1, 2]),
        ("java", 'Map.of("a", 1)', Pairs((("a", 1),))),
        ("java", "'a'", Char("a")),
        ("java", '"tab\\t\\u00e9"', "tab\té"),
        ("java", "Optional.empty()", None),
        ("csharp", "new List<int> { 1 }", Group((1,))),
        ("csharp", "1.5m", 1.5),
        ("csharp", 'new Dictionary<string, int> { ["a"] = 1 }', Pairs((("a", 1),))),
        ("php", "['a' => [1, null]]", Pairs((("a", [1, None]),))),
        ("php", "'it\\'s\\n'", "it's\\n"),
        ("ruby", '{a: 1, "b" => nil}', Pairs((("a", 1), ("b", None)))),
        ("ruby", "[:up, 1_000]", ["up", 1000]),
        ("kotlin", 'mapOf("a" to 1)', Pairs((("a", 1),))),
        ("c", "(int[]){1, 2}", Group((1, 2))),
        ("c", "0x1F", 31),
        ("java", "{'a': [True, None]}", Pairs(((Char("a"), [True, None]),))),
    ],
)
def test_a_value_is_read_as_its_language_writes_it(language: str, text: str, value: object) -> None:
    assert read_value(text, language) == value


@pytest.mark.parametrize(
    "text",
    ["x", "f(1)", "1 + 2", "", "[1", '"a', "1, 2", "Point{1, 2}", "new Foo(1)", "int x", "[1, x]"],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_no_plain_value_is_refused(language: str, text: str) -> None:
    with pytest.raises(NotRead):
        read_value(text, language)


@given(st.text(max_size=60), st.sampled_from(LANGUAGES))
def test_no_text_breaks_the_reader(text: str, language: str) -> None:
    for read in (read_value, read_call):
        with suppress(NotRead, RecursionError):
            read(text, language)


@pytest.mark.parametrize(
    ("language", "text", "arguments"),
    [
        ("java", 'Registro.coinciden("sol", null)', ("sol", None)),
        ("java", 'A.f(new String("x"), 1)', (Unread('new String("x")'), 1)),
        ("c", "f((int[]){5}, 0)", (Group((5,)), 0)),
        ("rust", "Solution::f(&[1], g(2))", ([1], Unread("g(2)"))),
        ("java", "new Recent(2).size()", (2,)),
    ],
)
def test_a_call_is_read_with_its_arguments(
    language: str, text: str, arguments: tuple[object, ...]
) -> None:
    assert read_call(text, language).arguments == arguments


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("c", "count_runs(const int *values, int n)"),
        ("go", "Frequencies(text string)"),
        ("rust", "suma(valores: &[i32])"),
        ("java", "coinciden(String clave, String repetida)"),
        ("java", "f(lista)"),
        ("cpp", "f(x) + 1"),
        ("java", "lista.size()"),
        ("c", "f(1); g(2)"),
    ],
)
def test_a_signature_or_a_variable_makes_no_call(language: str, text: str) -> None:
    with pytest.raises(NotRead):
        read_call(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("java", "Escribe `boolean coinciden(String a, String b)`: true si son iguales."),
        ("c", 'Usa printf("%d\\n", n) y `malloc(10)`; main() devuelve 0.'),
        ("go", "func Sum(xs []int) int returns the sum of xs. Sum(xs) == total"),
        ("rust", "`fn f(x: i32) -> Option<i32>` devuelve None si x es negativo"),
        ("java", "Tras dos push(x), size() devuelve el número de elementos."),
        ("sql", "Las tablas clientes(id, nombre) y pedidos(id, cliente_id). Lista todos."),
        ("sql", "La tabla t(n) tiene (1, 2).\n\n| n |\n|---|\n| 1 |"),
        ("bash", "El script suma.sh recibe dos números: suma(2, 3) == 5"),
    ],
)
def test_words_about_a_program_are_no_examples(language: str, text: str) -> None:
    found = find_examples(text, language=language)

    assert [one for one in found if one.expression not in ("malloc(10)",)] == []


@pytest.mark.parametrize(
    ("got", "want", "language", "same"),
    [
        ([1, 2], Group((1, 2)), "cpp", True),
        ([2, 1], Group((1, 2)), "cpp", False),
        (Group((2, 1), bag=True), [1, 2], "java", True),
        (Group((1, 1), bag=True), [1, 2], "java", False),
        (Pairs((("a", 1),)), Group((Group(("a", 1)),)), "cpp", True),
        (Pairs(()), Group(()), "cpp", True),
        ([], Pairs(()), "php", True),
        (1, True, "c", True),
        (1, True, "java", False),
        (2, True, "c", True),
        (Char("a"), "a", "cpp", True),
        (97, Char("a"), "go", True),
        (Wrapped("some", 6), 6, "rust", True),
        (Wrapped("err", "x"), "x", "rust", False),
        (0.1 + 0.2, 0.3, "java", True),
        (3.0, 3, "java", True),
        ("3", 3, "php", False),
        (None, None, "go", True),
        (None, 0, "go", False),
    ],
)
def test_values_are_compared_by_what_they_are(
    got: object, want: object, language: str, *, same: bool
) -> None:
    assert is_same(got, want, language) is same
