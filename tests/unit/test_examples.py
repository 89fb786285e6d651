import ast
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.analysis.examples import MAX_EXAMPLES, Example, find_examples


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
        "Input: [1, 2] Output: 3", "Entrada: 5. Salida: 6", "sum([1, 2]) == 3",
        "math.floor(2.5) == 2", "open('x') == 1", "f(__import__('os')) == 1", "f(...) == 1",
        '[{"input": [5], "expected": 6}] for total(xs)', '[{"input": [5], "expected": 6}]',
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
    started = time.monotonic()

    find_examples(text)

    assert time.monotonic() - started < 2


_WORDS = st.sampled_from(
    ["f(1)", "f([1, 'a'])", "f(", "== ", "-> ", "→", " returns ", " devuelve ", "2", "[1,", "'",
     '"', ">>> ", "\n", "... ", "assert ", "raises ValueError", "{", '"expected": ', "`", "**", "|",
     "-1", " or ", ", ", "\\", "\0", "\ud800", "lambda x: ", "None", "(", ")", "# ", "print("]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(_WORDS, st.text(max_size=10)), max_size=25).map("".join))
def test_no_text_raises_and_every_expression_parses(text: str) -> None:
    for example in find_examples(text, text[::-1]):
        ast.parse(example.expression, mode="eval")
        assert (example.expected is None) != (example.raises is None)
        ast.parse(example.expected or "None", mode="eval")
        assert "\n" not in example.expression
