import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bounds import thinking_at_most
from tools.analysis.examples.finder import MAX_EXAMPLES, Example, find_examples


def facts(*texts: str) -> list[tuple[str, str | None]]:
    """Give (expression, expected or "raises X") for each example found."""
    found = find_examples(*texts)
    return [(e.expression, f"raises {e.raises}" if e.raises else e.expected) for e in found]


@pytest.mark.parametrize(
    "text",
    [
        "f(1) == 2", "f(1) -> 2", "f(1) → 2", "f(1) => 2", "f(1) = 2 is not it, fib(1) = 2",
        "`f(1)` returns 2.", "f(1) should return 2", "f(1) must return the value 2", "f(1) is 2",
        "f(1) gives 2 because it adds one", "La llamada `f(1)` devuelve `2`.",
        "f(1) debe devolver 2", "f(1) debería retornar el número 2", "f(1) es igual a 2",
        "assert f(1) == 2, 'mal'", "assert 2 == f(1)", ">>> f(1)\n2\n", "**f(1)** → **2**",
        "- f(1) == 2", "1. `f(1) == 2`", "| `f(1)` | `2` |", "f(1)  # 2", "f(1)  # -> 2",
        "Input: f(1)\nOutput: 2", "Entrada: `f(1)`  Salida: `2`", "self.assertEqual(f(1), 2)",
        '{"call": "f(1)", "expected": 2}', "(e.g. f(1) == 2)", "For one, f(1) == 2 (one more)",
    ],
)  # fmt: skip
def test_a_value_is_read_in_every_usual_wording(text: str) -> None:
    assert facts(text) in ([("f(1)", "2")], [("fib(1)", "2")])


@pytest.mark.parametrize(
    "text",
    [
        "Al llamar a f(1) se obtiene 2.", "f(1) → devuelve 2", "f(1), que devuelve 2",
        "devuelve 2 para f(1)",
        "It returns `2` for `f(1)`.", "With f(1) you get 2.", "f(1) should be equal to 2",
        "f(1) debería dar como resultado 2", "f(1) deberá devolver 2", "f(1) evaluates to 2",
        "Entrada: f(1) → Salida: 2", "for f(1) the result is 2", "para f(1) el resultado es 2",
        "| expresión | valor |\n|---|---|\n| `f(1)` | `2` |", "f(n)\n\nGiven 1, it returns 2.",
        "Escribe `f(n)`.\n\nPara la entrada 1 devuelve 2.", "`f(n)` doubles.\n- 1 → 2",
        "Define f(n).\n\n| n | resultado |\n|---|---|\n| 1 | 2 |", "f(n)\nEntrada: 1\nSalida: 2",
    ],
)  # fmt: skip
def test_a_value_is_read_in_less_usual_wordings(text: str) -> None:
    assert facts(text) == [("f(1)", "2")]


@pytest.mark.parametrize(
    "text",
    [
        "lanza ValueError si n es negativo: f(-1)", "Raises ValueError for negatives (f(-1)).",
        "Debe lanzar `ValueError` con números negativos, por ejemplo `f(-1)`.",
        "f(-1) falla con ValueError", "f(-1) da un ValueError", "f(-1) → lanza ValueError",
        "f(-1) should raise ValueError", "f(-1) deberá lanzar un ValueError",
        "f(-1) raises ValueError", "f(-1) should raise a `ValueError`.", "f(-1) throws ValueError",
        "f(-1) lanza ValueError", "f(-1) debe lanzar una excepción de tipo `ValueError`",
        "f(-1) → ValueError", '{"call": "f(-1)", "raises": "ValueError"}',
        ">>> f(-1)\nTraceback (most recent call last):\n  ...\nValueError: negative\n",
    ],
)  # fmt: skip
def test_an_exception_is_read_in_every_usual_wording(text: str) -> None:
    assert facts(text) == [("f(-1)", "raises ValueError")]


@pytest.mark.parametrize(
    "text",
    [
        "e.g. f(x) == y", "f(n) == 2", "f(1) == y", "f(1) == f(2)", "f(1) == 2 * x", "f(1) != 2",
        "2 * f(1) == 4", "f(1) + f(2) == 4", "if f(1) == 2 then stop", "f(1) should not return 2",
        "f(1) no devuelve 2", "not f(1) == 2", "f(1) returns 2 elements", "f(1) returns 1 or 2",
        "f(1) devuelve 3 veces el valor", "f(1) currently returns 2 instead of 3",
        "f(1) == 1, 2", "def f() -> None:", "main() -> None", "F(0) = 0, F(1) = 1",
        "sum([1, 2]) == 3",
        "math.floor(2.5) == 2", "open('x') == 1", "f(__import__('os')) == 1", "f(...) == 1",
        '[{"input": [5], "expected": 6}] for total(xs)', '[{"input": [5], "expected": 6}]',
        "no lanza ValueError si n es negativo: f(-1)", "It never raises ValueError: f(-1)",
        "does not return 2 for f(1)", "f(1) da problemas", "f(1) da 2 o 3", "f(1) gets 2 arguments",
        "Para 3 personas devuelve 4 menús", "f(n): given 2 numbers it returns 1 list", "1 → 2",
        "Grafo: 1 -> 2\n2 -> 3", "Input: a list of numbers\nOutput: the sum", "Salida: 5",
        "Entrada: n (1 ≤ n ≤ 100)\nSalida: 5", "Entrada: n\nSalida: m",
        "Entrada: int. Salida: int.",
        "Input: the number 5\nOutput: its square", "Entrada:\nUn entero.\n\nSalida:\nSu doble.",
        "| id | nombre |\n|---|---|\n| 1 | 'Ana' |", "f(n)\n\n| id | edad |\n|---|---|\n| 1 | 20 |",
        "el/los número(s) 3 -> 4", "f(1) -> raises", "lanza ValueError: f(-1) == 2 + x",
        ">>> x = 1\n>>> f(x)\n1\n", "f(1) -> int", "f(1) == ...", "f(1) raises an error",
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_left_out(text: str) -> None:
    assert facts(text) == []


def test_a_doctest_may_have_several_lines_and_print() -> None:
    text = ">>> f(\n...     'a')\n[1,\n 2]\n>>> print(f(2))\nhola\n\n>>> f(None)\n"

    assert facts(text) == [("f('a')", "[1, 2]"), ("str(f(2))", "'hola'")]


def test_an_assertion_without_a_value_counts_by_its_truth() -> None:
    found = find_examples("assert is_even(2)\nassert not is_even(3)\nassert f(1) == f(2)")

    assert [(e.kind, e.expression, e.expected) for e in found] == [
        ("truth", "is_even(2)", "True"),
        ("truth", "is_even(3)", "False"),
        ("truth", "f(1) == f(2)", "True"),
    ]


def test_several_examples_in_a_sentence_are_all_read() -> None:
    text = "f(1) returns 1, f(2) returns [1, 2] and f('a, b') returns ('a', \"b\")."

    assert facts(text) == [("f(1)", "1"), ("f(2)", "[1, 2]"), ("f('a, b')", "('a', 'b')")]


def test_values_may_be_constructors_sums_and_words_of_json() -> None:
    text = "f(1) == set()\nf(2) == [0] * 3\nf(3) → true\nf(4) devuelve verdadero\nf(5) → -1.5e3."

    assert facts(text) == [
        ("f(1)", "set()"),
        ("f(2)", "[0] * 3"),
        ("f(3)", "True"),
        ("f(4)", "True"),
        ("f(5)", "-1500.0"),
    ]


def test_methods_of_new_objects_are_examples() -> None:
    assert facts("Stack([1, 2]).pop() == 2") == [("Stack([1, 2]).pop()", "2")]


def test_json_cases_use_the_one_function_that_is_named() -> None:
    cases = '```json\n[{"input": [1, 2], "expected": 3}, {"input": [0, null], "output": true}]\n```'

    assert facts("Implement `add(a, b)`", cases) == [("add(1, 2)", "3"), ("add(0, None)", "True")]
    assert facts("Implement `total(xs)`", cases) == [
        ("total([1, 2])", "3"),
        ("total([0, None])", "True"),
    ]
    assert facts("Implement `add(a, b)` and `sub(a, b)`", cases) == []


def test_json_cases_may_name_their_function() -> None:
    text = (
        '{"function": "g", "cases": [{"args": [[1]], "expected": 1},'
        ' {"args": [], "raises": "TypeError"}]}'
    )

    assert facts(text) == [("g([1])", "1"), ("g()", "raises TypeError")]


def test_an_example_that_is_repeated_counts_once() -> None:
    assert facts("f(1) == 2", "- `f( 1 )` → 2") == [("f(1)", "2")]


def test_examples_that_contradict_each_other_are_left_out() -> None:
    assert facts("f(1) == 2", "f(1) == 3", "f(2) == 4") == [("f(2)", "4")]


def test_the_quote_is_what_the_task_says() -> None:
    (example,) = find_examples("Por ejemplo, `f(“a”)` devuelve 2.\n")

    assert example == Example("call", "f('a')", "2", None, "f(“a”)` devuelve 2.")


def test_the_number_of_examples_is_bounded() -> None:
    text = "\n".join(f"f({n}) == {n}" for n in range(200))

    assert len(find_examples(text)) == MAX_EXAMPLES


@pytest.mark.parametrize(
    "text",
    [
        "f(" * 25_000, "f(1) == " + "[" * 40_000, "assert " * 7_000, ">>> f(1)\n" * 5_000,
        '[{"expected": ' * 3_000, "f(1) == 2 " * 5_000, "a" * 50_000, "f('" * 16_000,
        "f(1) debe  " * 5_000, " " * 50_000, "f(1)" + " " * 40_000, "- " * 25_000 + "f(1) == 1",
    ],
    ids=range(12),
)  # fmt: skip
def test_no_text_makes_the_search_slow(text: str) -> None:
    with thinking_at_most(2):
        find_examples(text)


_WORDS = st.sampled_from(
    ["f(1)", "f([1, 'a'])", "f(", "== ", "-> ", "→", " returns ", " devuelve ", "2", "[1,", "'",
     '"', ">>> ", "\n", "... ", "assert ", "raises ValueError", "{", '"expected": ', "`", "**", "|",
     "-1", "Entrada: ", "\nSalida: ", "Input", "| 1 | 2 |\n", "|--|--|\n", "para ", "given ", "// ",
     "expect(", ").toBe(", "new ", "lanza ValueError: ", " or ", ", ", "\\", "\0", "\ud800",
     "lambda x: ", "None", "(", ")", "# ", "print("]
)  # fmt: skip


@settings(max_examples=400)
@given(st.lists(st.one_of(_WORDS, st.text(max_size=10)), max_size=25).map("".join))
def test_no_text_raises_and_every_expression_parses(text: str) -> None:
    for example in find_examples(text, text[::-1]):
        ast.parse(example.expression, mode="eval")
        assert (example.expected is None) != (example.raises is None)
        ast.parse(example.expected or "None", mode="eval")
        assert "\n" not in example.expression
    for example in find_examples(text, language="ts"):
        assert (example.expected is None) != (example.raises is None)
        assert "\n" not in example.expression


def pairs(*texts: str) -> list[tuple[str, str]]:
    """Give (input, output) for each program's example found."""
    found = [one for one in find_examples(*texts) if one.kind == "io"]
    return [
        (ast.literal_eval(one.expression), ast.literal_eval(one.expected or "''")) for one in found
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Entrada: 3\nSalida: 9", [("3", "9")]),
        ("Input: 3, Output: 9", [("3", "9")]),
        ("**Entrada:** `3` → **Salida:** `9`", [("3", "9")]),
        ("Entrada: 5. Salida: 6.", [("5", "6")]),
        ("- Input: 1 2 3\n- Output: 6", [("1 2 3", "6")]),
        (
            "Entrada:\n2\n-7\n-3\nSalida:\nMáx: -3\nTotal: -10\n\nFin.",
            [("2\n-7\n-3", "Máx: -3\nTotal: -10")],
        ),
        (
            "Sample Input 1:\n3\n\nSample Output 1:\n6\n\nSample Input 2:\n1\n\n"
            "Sample Output 2:\n2",
            [("3", "6"), ("1", "2")],
        ),
        (
            "## Ejemplo de entrada\n```\n3\n  a b\n```\n## Ejemplo de salida\n```text\n6\n\n7\n```",
            [("3\n  a b", "6\n\n7")],
        ),
        ("stdin:\nAna\nstdout:\nHola, Ana!", [("Ana", "Hola, Ana!")]),
        ("Ejemplo:\nEntrada: hola\nSalida: aloh", [("hola", "aloh")]),
        (
            "| Entrada | Salida |\n|---|---|\n| 4 | Par |\n| 7 | Impar |",
            [("4", "Par"), ("7", "Impar")],
        ),
        ("Entrada  Salida\n4        IV\n14       XIV\n\nFin", [("4", "IV"), ("14", "XIV")]),
        (
            "Input: nums = [2, 7], target = 9\nOutput: [0, 1]\nExplanation: they add up",
            [("nums = [2, 7], target = 9", "[0, 1]")],
        ),
        (
            "Entrada\nUn número n.\n\nSalida\nSu doble.\n\nEjemplo de entrada\n5\n\n"
            "Ejemplo de salida\n10",
            [("5", "10")],
        ),
        ("Escribe `f(n)` y un programa que lea n.\nEntrada: 1\nSalida: 2", [("1", "2")]),
    ],
)  # fmt: skip
def test_what_a_program_reads_and_prints_is_found(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert pairs(text) == expected


def js_facts(*texts: str) -> list[tuple[str, str | None]]:
    """Give (expression, expected or "raises X") for each example found as JavaScript."""
    found = find_examples(*texts, language="javascript")
    return [(e.expression, f"raises {e.raises}" if e.raises else e.expected) for e in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f([1,2]) // 3", ("f([1,2])", "3")), ("f(1) === 2", ("f(1)", "2")),
        ("`f({a: 1})` devuelve `{b: null}`.", ("f({a: 1})", "{b: null}")),
        ("console.log(f(1)) // 2", ("String(f(1))", '"2"')),
        ("console.log(f(1)); // → [1, 2]", ("f(1)", "[1, 2]")),
        ("expect(f(1)).toBe(2);", ("f(1)", "2")),
        ("expect(f(1)).toEqual({a: 1})", ("f(1)", "{a: 1}")),
        ("expect(f(1)).toBeNull()", ("f(1)", "null")),
        ("expect(f(1)).toBeTruthy()", ("f(1)", "true")),
        ("expect(() => f(-1)).toThrow(RangeError)", ("f(-1)", "raises RangeError")),
        ("expect(() => f(-1)).toThrow('negativo')", ("f(-1)", "raises Error")),
        ("assert.strictEqual(f(1), 2)", ("f(1)", "2")),
        ("assert.deepEqual(f(1), [2])", ("f(1)", "[2]")),
        ("console.assert(f(1) === 2)", ("f(1)", "2")), ("assert(!f(1))", ("f(1)", "false")),
        ("f(-1) throws RangeError", ("f(-1)", "raises RangeError")),
        ("f(-1) lanza un TypeError", ("f(-1)", "raises TypeError")),
        ("await f(1) → 2", ("f(1)", "2")), ("f(1) is undefined", ("f(1)", "undefined")),
        ("new Stack([1]).push(2).size() === 2", ("new Stack([1]).push(2).size()", "2")),
        ("f(1) → new Set([1])", ("f(1)", "new Set([1])")),
        ("f(x => x * 2) → 4", ("f(x => x * 2)", "4")),
        ("f(True) == None", ("f(true)", "null")), ("f(1) → verdadero", ("f(1)", "true")),
        ('{"call": "f(1)", "expected": {"a": [true, null]}}', ("f(1)", '{"a": [true, null]}')),
        ('Write f(xs).\n[{"args": [[1]], "expected": null}]', ("f([1])", "null")),
    ],
)  # fmt: skip
def test_javascript_is_read_in_its_own_words(text: str, expected: tuple[str, str]) -> None:
    assert js_facts(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "f(x) === y", "f(1) !== 2", "expect(f(1)).not.toBe(2)", "expect(x).toBe(2)", "f(a = 1) → 2",
        "console.log(1) // 2", "const x = f(1); // 2", "Math.max(1) === 1", "f(1) returns 2 items",
        "f(n: number): number", "f(() => process.exit()) → 1", "f(`${x}`) → 1", "require('a') → 1",
        "f(window) → 1", "if (f(1)) { // 2", "function f(a) { // 2", "return f(1) // 2",
    ],
)  # fmt: skip
def test_what_is_no_plain_javascript_example_is_left_out(text: str) -> None:
    assert js_facts(text) == []
