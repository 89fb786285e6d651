"""Inputs on which programs may differ."""

import ast
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tools.analysis.examples.expressions import is_closed_call, parse_expression
from tools.analysis.examples.js_expressions import read_js_call
from tools.analysis.probes.calls import drawn_calls, read_calls, within
from tools.analysis.probes.hints import Hints, find_hints
from tools.analysis.probes.mending import mend_line_breaks, with_imported_types
from tools.analysis.probes.programs import MOST, program_inputs
from tools.analysis.probes.sequences import function_sequences, object_sequences
from tools.analysis.probes.values import maker_of

COUNTER = """
class Counter:
    def __init__(self, start):
        self.n = start
    def add(self, amount):
        self.n += amount
    def count(self):
        return self.n
    def _hidden(self):
        return 0
"""

scalars = st.one_of(st.integers(-9, 9), st.text("ab c", max_size=6), st.booleans())
seen_values = st.one_of(
    st.lists(st.integers(-9, 9), min_size=1, max_size=4),
    st.lists(st.text("abé ", max_size=5), min_size=1, max_size=4),
    st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 9), st.text("ab", max_size=3)), min_size=1, max_size=3),
    st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=3),
)


NO_HINTS = Hints()


def make(seen: list[Any], *, times: int = 40, hints: Hints = NO_HINTS) -> list[Any]:
    maker = maker_of(seen, hints)
    assert maker is not None
    random = Random(3)
    return [maker(random, 0) for _ in range(times)]


@given(seen_values)
def test_drawn_values_have_the_type_of_the_given_ones_and_are_the_same_each_time(
    seen: list[Any],
) -> None:
    once, again = make(seen), make(seen)

    assert once == again
    assert {type(value) for value in once} == {type(seen[0])}


@given(st.lists(st.tuples(scalars, scalars), min_size=1, max_size=4))
def test_drawn_calls_stand_by_themselves(arguments: list[tuple[Any, Any]]) -> None:
    calls = [f"f({one!r}, {two!r})" for one, two in arguments]

    drawn = drawn_calls(calls, Hints(), javascript=False)

    nodes = [parse_expression(call) for call in drawn]
    assert all(node is not None and is_closed_call(node) for node in nodes)
    assert len(set(drawn)) == len(drawn)


def test_values_without_a_common_shape_make_nothing() -> None:
    assert maker_of([1, "a"], Hints()) is None
    assert drawn_calls(["f(1)", "f('a')"], Hints(), javascript=False) == ()


def test_small_numbers_meet_as_sums_and_as_equals() -> None:
    drawn = drawn_calls(["kind(3, 3, 4)", "kind(5, 5, 5)"], Hints(), javascript=False)

    sides = [sorted(ast.literal_eval(call.removeprefix("kind"))) for call in drawn]
    assert any(a + b == c and a > 0 for a, b, c in sides)
    assert any(a == b == c for a, b, c in sides)


def test_words_with_the_same_letters_in_other_numbers_are_drawn() -> None:
    words = [word for some in make([["listen", "silent"]], times=300) for word in some]

    assert any(
        set(one) == set(two) and sorted(one) != sorted(two) for one in words for two in words
    )


def test_a_record_that_holds_its_like_gets_several_of_them() -> None:
    tree = {"name": "a", "parts": [{"name": "b", "parts": []}]}

    made = make([tree])

    assert all(set(one) == {"name", "parts"} for one in made)
    assert any(len(one["parts"]) > 1 for one in made)


def test_the_numbers_of_the_task_and_of_its_solutions_are_asked_from_both_sides() -> None:
    hints = find_hints(
        "Up to 30 minutes are free.", ["def fee(m):\n    return 0 if m <= 30 else 9"]
    )

    assert {29, 30, 31} <= set(make([12], times=300, hints=hints))


def test_nobody_is_asked_about_a_negative_number_that_no_call_and_no_word_has() -> None:
    calls = ("f(3, 0)", "f(-3, 1)", "f(3, 1)")

    assert within(calls, ["f(1, 2)"], Hints()) == ("f(3, 1)",)
    assert within(calls, ["f(1, 0)"], Hints()) == ("f(3, 0)", "f(3, 1)")
    assert within(calls, ["f(1, 2)"], find_hints("It may be negative.", [])) == calls[1:]
    assert not find_hints("The stock never gets negative.", []).negative
    assert not find_hints("Los datos nunca son negativos.", []).negative


def test_fractions_are_for_numbers_that_need_not_be_whole() -> None:
    assert find_hints("Recibe un precio y lo redondea a dos decimales.", []).fractions
    assert not find_hints("Recibe un número entero.", []).fractions


def test_a_call_that_lacks_quotes_or_an_escape_is_mended() -> None:
    assert read_calls(["newer(1.2.3, 1.2.4)"], javascript=False) == ("newer('1.2.3', '1.2.4')",)
    assert read_calls(["f('a\nb')"], javascript=False) == ("f('a\\nb')",)
    assert read_calls(["def f(x):", "1 * x = 1"], javascript=False) == ()


def test_a_program_is_mended_inside_its_quotes_only() -> None:
    code = "def f(t):\n    # it's one\n    return t.split('\n')\n"

    assert mend_line_breaks(code) == "def f(t):\n    # it's one\n    return t.split('\\n')\n"


def test_types_get_their_import() -> None:
    code = "def f(x: list) -> Optional[int]:\n    return None\n"

    assert with_imported_types(code) == f"from typing import Optional\n{code}"
    assert with_imported_types("def f(x): return x") == "def f(x): return x"


def test_where_the_type_matters_a_number_meets_the_text_with_its_digits() -> None:
    hints = find_hints("Compares value and type.", [])

    drawn = drawn_calls(["has('12', ['12', '7'])"], hints, javascript=False)

    assert any(call.startswith("has(12, ['") for call in drawn)


def test_methods_are_called_in_turn_on_one_object() -> None:
    made = object_sequences(["Counter(2).add(3)"], [COUNTER] * 3, Hints(), javascript=False)

    assert made
    for text in made:
        node = parse_expression(text)
        assert node is not None
        assert is_closed_call(node)
        assert "_hidden" not in text
    assert any(text.count("it.add(") > 1 and "it.count()" in text for text in made)


def test_a_class_that_only_two_solutions_have_is_not_asked() -> None:
    assert object_sequences(["Counter(2).add(3)"], [COUNTER] * 2, Hints(), javascript=False) == ()


def test_what_an_object_is_made_of_is_looked_at_afterwards() -> None:
    basket = COUNTER.replace("Counter", "Basket")

    made = object_sequences(["Basket([1, 2]).add(3)"], [basket] * 3, Hints(), javascript=False)

    assert any(", given])(Basket(*given)))([[1, 2]])" in text for text in made)


def test_the_methods_of_a_script_s_class_are_called_in_turn() -> None:
    code = """
class Watch {
  private last: number | null = null;
  #secret() { return 1; }
  constructor(readonly start: number = 0) {}
  get now() { return 1; }
  stop(at: number): void { this.last = at; }
  elapsed(at = 5) { return at; }
}
"""

    made = object_sequences(["new Watch(1).stop(3)"], [code] * 3, Hints(), javascript=True)

    assert made
    assert all(read_js_call(text) is not None for text in made)
    assert any("it.stop(3)" in text and "it.elapsed(" in text for text in made)
    assert not any("secret" in text or "now" in text for text in made)


def test_a_made_function_is_called_again_beside_another_and_what_it_calls_is_noted() -> None:
    python = function_sequences(["once(lambda: 4)()"], [], javascript=False)
    script = function_sequences(["once(() => 4)()"], [], javascript=True)

    assert all(parse_expression(text) is not None for text in python)
    assert all(read_js_call(text) is not None for text in script)
    assert any("log.append" in text for text in python)
    assert any("log.push" in text for text in script)


def test_a_decorator_without_a_single_call_is_tried_by_itself() -> None:
    decorator = "def memoize(func):\n    return func\n"

    assert function_sequences([], [decorator] * 3, javascript=False)
    assert function_sequences(["memoize(1)"], [decorator] * 3, javascript=False) == ()


def test_programs_are_given_the_numbers_of_their_task() -> None:
    inputs = program_inputs(find_hints("Print the table of 12 and of 25.", []))

    assert {"12\n", "24\n", "26\n", "3 4\n"} <= set(inputs)
    assert len(inputs) <= MOST
