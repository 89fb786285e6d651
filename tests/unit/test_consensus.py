"""Examples from solutions that agree."""

import asyncio
from collections.abc import Sequence

import pytest

from tools.analysis.examples.finder import Example
from tools.analysis.runs import consensus
from tools.analysis.runs.consensus import AgreedExample, agree
from tools.analysis.runs.sandbox import RunReport, run_examples

RIGHT = (
    "def total(xs):\n    return sum(xs)\n",
    "def total(xs):\n    t = 0\n    for x in xs:\n        t += x\n    return t\n",
    "from functools import reduce\ndef total(xs):\n    return reduce(lambda a, b: a + b, xs, 0)\n",
)
FORGETS_THE_LAST = "def total(xs):\n    return sum(xs[:-1])\n"
BROKEN = "def total(xs:\n"
RAISES = "def total(xs):\n    raise ValueError\n"


def agreed(*solutions: str, calls: tuple[str, ...] = ("total([1, 2, 3])",)) -> dict[str, str]:
    return {
        one.example.expression: f"{one.example.expected} {one.strength}"
        for one in run(solutions, calls)
    }


def run(solutions: tuple[str, ...], calls: tuple[str, ...]) -> tuple[AgreedExample, ...]:
    return asyncio.run(agree(solutions, "python", calls=calls))


def test_what_all_solutions_give_is_a_strong_example() -> None:
    found = agreed(*RIGHT, RIGHT[0])

    assert found["total([1, 2, 3])"] == "6 strong"
    assert found["total([])"] == "0 strong"


def test_three_solutions_are_too_few_to_fail_anybody() -> None:
    assert agreed(*RIGHT)["total([1, 2, 3])"] == "6 weak"


def test_one_of_four_that_differs_makes_it_weak_and_one_of_three_makes_it_nothing() -> None:
    assert agreed(*RIGHT, FORGETS_THE_LAST)["total([1, 2, 3])"] == "6 weak"
    assert "total([1, 2, 3])" not in agreed(*RIGHT[:2], FORGETS_THE_LAST)


def test_of_five_the_one_that_mostly_contradicts_the_rest_has_no_vote() -> None:
    found = agreed(*RIGHT, RIGHT[0], FORGETS_THE_LAST)

    assert found["total([1, 2, 3])"] == "6 strong"


def test_of_five_one_that_differs_now_and_then_keeps_its_vote() -> None:
    forgets_zeros = "def total(xs):\n    return sum(xs) if 0 not in xs else -1\n"

    found = agreed(*RIGHT, RIGHT[0], forgets_zeros, calls=("total([1, 2, 3])", "total([0, 1])"))

    assert found["total([1, 2, 3])"] == "6 strong"
    assert "strong" not in found.get("total([0, 1])", "")


def test_a_solution_whose_line_breaks_lost_their_escape_is_mended() -> None:
    count = "def lines(text):\n    return len(text.split('\\n'))\n"
    broken = count.replace("\\n", "\n")

    found = agreed(count, count, count, broken, calls=("lines('a\nb')",))

    assert found["lines('a\\nb')"] == "2 strong"


def test_programs_that_read_are_asked_by_their_input() -> None:
    double = "n = int(input())\nprint(2 * n)\n"

    found = run((double, double, double), ("double(3)",))

    kinds = {one.example.kind for one in found}
    by_input = {one.example.expression: one.example.expected for one in found}
    assert kinds == {"io"}
    assert by_input["'3\\n'"] == "'6'"


def test_two_of_five_that_differ_leave_a_weak_example() -> None:
    found = agreed(*RIGHT, FORGETS_THE_LAST, "def total(xs):\n    return max(xs)\n")

    assert found["total([1, 2, 3])"] == "6 weak"


def test_a_solution_that_hangs_is_asked_no_further_and_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consensus, "SECONDS_A_SOLUTION", 0.5)
    asked: list[int] = []

    async def count(code: str, language: str, probes: Sequence[Example]) -> RunReport:
        asked.extend([1] * ("while" in code))
        return await run_examples(code, language, probes, seconds=0.3)

    monkeypatch.setattr(consensus, "run_examples", count)
    hangs = "def total(xs):\n    while len(xs) > 1:\n        pass\n    return sum(xs)\n"

    found = agreed(*RIGHT, RIGHT[0], hangs)

    assert len(asked) == 1
    assert found["total([1, 2, 3])"] == "6 strong"


def test_solutions_that_cannot_be_run_do_not_vote() -> None:
    assert agreed(*RIGHT, RIGHT[1], BROKEN, RAISES)["total([1, 2, 3])"] == "6 strong"


def test_the_same_solution_found_four_times_has_four_votes() -> None:
    assert agreed(*[RIGHT[0]] * 4)["total([1, 2, 3])"] == "6 strong"


def test_examples_that_all_have_one_result_are_none() -> None:
    assert agreed(*["def total(xs):\n    return 0\n"] * 5) == {}


def test_an_exception_is_nothing_to_agree_on() -> None:
    assert agreed(*(code.replace("return", "raise ValueError #") for code in RIGHT)) == {}


def test_calls_that_are_none_give_no_example() -> None:
    assert run(RIGHT, ("total(xs)", "1 + 1", "")) == ()


def test_what_tells_more_apart_comes_first() -> None:
    found = run(RIGHT, ("total([0, 0])", "total([0])", "total([5])"))

    first = [one.example.expected for one in found[:4]]
    assert len(set(first)) == 4


def test_javascript_solutions_agree_too() -> None:
    solutions = (
        "function f(a) { return a.map((x) => ({ v: x })); }",
        "const f = (a) => a.map((x) => ({ v: x }));",
        "function f(a) { const r = []; for (const x of a) r.push({ v: x }); return r; }",
    )
    found = asyncio.run(agree(solutions, "javascript", calls=["f([1])"]))

    told = {one.example.expression: one.example.expected for one in found}
    assert told["f([])"] == "[]"
    assert told["f([1])"] == "[{v: 1}]"
