"""Arguments that a task wants left alone."""

import asyncio

import pytest

from tools.analysis.examples.example import Example
from tools.analysis.examples.unchanged import must_stay, unchanged_examples
from tools.analysis.runs.sandbox import run_examples

CALL = Example("call", "f([3, 1, 2])", "2", None, "")


@pytest.mark.parametrize(
    "text",
    [
        "La lista original no cambia.",
        "Devuelve otra lista sin modificar la recibida.",
        "The argument must not be modified.",
        "The original list stays unchanged.",
        "It returns a new dictionary; the given one is never mutated, nor are its values changed",
        "El diccionario de entrada queda igual",
        "It doesn't change the input list",
        "The list passed in is the same after the call as before it.",
        "Neither of the two arguments is changed, at any depth.",
        "Ni el diccionario recibido ni sus listas pueden cambiar.",
        "The caller goes on using the list afterwards",
    ],
)
def test_a_task_that_wants_its_arguments_left_alone_is_understood(text: str) -> None:
    assert must_stay([text]) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Ordena la lista en su sitio.",
        "Changes the list in place and returns None.",
        "The case of letters does not change.",
        "No cambia el orden de las palabras",
        "Modifica el diccionario. No devuelve nada.",
        "Returns a new list.",
    ],
)
def test_other_words_are_no_such_wish(text: str) -> None:
    assert must_stay([text]) is None


@pytest.mark.parametrize(
    ("body", "status"), [("sorted(xs)[1]", "pass"), ("(xs.sort(), xs[1])[1]", "fail")]
)
def test_a_program_that_sorts_its_argument_is_caught(body: str, status: str) -> None:
    probes = unchanged_examples(["The list is not changed"], [CALL])

    report = asyncio.run(run_examples(f"def f(xs):\n    return {body}\n", "python", probes))

    assert [one.status for one in report.outcomes] == [status]


@pytest.mark.parametrize(
    ("body", "status"), [("[...xs].sort()[1]", "pass"), ("xs.sort()[1]", "fail")]
)
def test_a_script_that_sorts_its_argument_is_caught(body: str, status: str) -> None:
    probes = unchanged_examples(["The list is not changed"], [CALL], javascript=True)

    report = asyncio.run(run_examples(f"function f(xs) {{ return {body}; }}", "javascript", probes))

    assert [one.status for one in report.outcomes] == [status]


def test_every_argument_is_watched_and_what_shows_most_comes_first() -> None:
    calls = [
        Example("call", text, "0", None, "")
        for text in ("f([1, 2], 0)", "f([2, 1], 0)", "f([[2], [1, 1]], 0)")
    ]

    probes = unchanged_examples(["The list is not changed"], calls)

    assert [one.expected for one in probes] == ["[[2, 1], 0]", "[[[2], [1, 1]], 0]", "[[1, 2], 0]"]


@pytest.mark.parametrize(("kept", "status"), [("dict(stock)", "pass"), ("stock", "fail")])
def test_an_object_that_keeps_what_it_was_given_is_caught(kept: str, status: str) -> None:
    call = Example("call", "Shop({'a': 1}).add('b')", "0", None, "")
    code = f"class Shop:\n  def __init__(self, stock):\n    self.stock = {kept}\n"
    code += "  def add(self, name):\n    self.stock[name] = 1\n"

    probes = unchanged_examples(["The dictionary belongs to the caller."], [call])
    report = asyncio.run(run_examples(code, "python", probes))

    assert [one.status for one in report.outcomes] == [status]


def test_a_change_deep_inside_the_second_of_two_objects_is_caught() -> None:
    call = Example("call", "merge({a: 1}, {a: {b: [1]}})", "0", None, "")
    code = "function merge(one, two) { two.a.b.push(2); return one; }"

    probes = unchanged_examples(["Neither argument is changed"], [call], javascript=True)
    report = asyncio.run(run_examples(code, "javascript", probes))

    assert [one.status for one in report.outcomes] == ["fail"]


def test_without_the_words_or_a_mutable_argument_there_is_nothing_to_watch() -> None:
    assert unchanged_examples(["Sorts."], [CALL]) == ()
    numbers = Example("call", "f(1, 'a', [])", "2", None, "")
    assert unchanged_examples(["The list is not changed"], [numbers]) == ()
