"""Programs that read and print, and the tiers that run them."""

import ast
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.analysis.examples.example import Example
from tools.analysis.examples.finder import find_examples
from tools.analysis.examples.literals import TooLarge, evaluate_literal
from tools.analysis.runs import cpython
from tools.analysis.runs.box_harness import Writer
from tools.analysis.runs.sandbox import Outcome, close_sandbox, run_examples
from tools.analysis.runs.values import Unreadable, is_same, read_json, read_value, show

needs_box = pytest.mark.skipif(not cpython.can_run(), reason="bubblewrap does not work here")


@pytest.fixture(scope="module", autouse=True)
def no_worker_is_left() -> Iterator[None]:
    yield
    close_sandbox()


async def run(code: str, *examples: Example, seconds: float = 2.0) -> tuple[Outcome, ...]:
    report = await run_examples(code, "python", examples, seconds=seconds)
    return report.outcomes


def reading(given: str, printed: str) -> Example:
    return Example("io", repr(given), repr(printed), None, "")


SQUARE = "n = int(input('¿Número? '))\nprint(n * n)\n"


@pytest.mark.parametrize(
    ("code", "runner"),
    [
        (SQUARE, "monty"),
        (
            "def main():\n    print(int(input()) ** 2)\nif __name__ == '__main__':\n    main()",
            "monty",
        ),
        pytest.param(
            "import sys\nfor line in sys.stdin:\n    print(int(line) ** 2)",
            "cpython",
            marks=needs_box,
        ),
        pytest.param(
            "import sys\nn = int(sys.stdin.read())\nsys.stdout.write(f'{n * n}')\nsys.exit(0)",
            "cpython",
            marks=needs_box,
        ),
        pytest.param(
            "try:\n    while True:\n        print(int(input()) ** 2)\nexcept EOFError:\n    pass",
            "cpython",
            marks=needs_box,
        ),
        pytest.param("n = int(open(0).read())\nprint(n * n)", "cpython", marks=needs_box),
    ],
)
async def test_a_program_is_judged_by_what_it_prints(code: str, runner: str) -> None:
    outcomes = await run(code, reading("3", "9"), reading("4", "15"), reading("-2\n", "4  \n\n"))

    assert [(one.status, one.runner, one.got) for one in outcomes] == [
        ("pass", runner, "'9'"),
        ("fail", runner, "'16'"),
        ("pass", runner, "'4'"),
    ]


@pytest.mark.parametrize("gap", ["", pytest.param("class Gap(Exception): pass\n", marks=needs_box)])
async def test_each_input_meets_a_fresh_program(gap: str) -> None:
    code = gap + "import random\nseen = []\nseen.append(input())\nprint(len(seen))\n"

    outcomes = await run(code, reading("a", "1"), reading("b", "1"))

    assert [one.status for one in outcomes] == ["pass", "pass"]


@pytest.mark.parametrize(
    ("printed", "expected", "status"),
    [
        ("Resultado: 9", "9", "not_runnable"), ("El cuadrado es 9.", "9", "not_runnable"),
        ("19", "9", "fail"), ("9 9", "9", "fail"), ("9\nNone", "9", "fail"), ("", "9", "fail"),
        ("Resultado: 9", "Resultado: 9", "pass"), ("Resultado: 9", "resultado: 9", "fail"),
        ("a: 1\nb: 2", "1\n2", "not_runnable"), ("a: 1\nb: 3", "1\n2", "fail"),
    ],
)  # fmt: skip
async def test_words_before_the_answer_leave_it_open(
    printed: str, expected: str, status: str
) -> None:
    (outcome,) = await run(f"input()\nprint({printed!r})", reading("3", expected))

    assert outcome.status == status


@pytest.mark.parametrize("gap", ["", pytest.param("class Gap(Exception): pass\n", marks=needs_box)])
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("n = int(input())\nprint(n / 0)", "error"),
        ("n = int(input())\nwhile True: pass", "timeout"),
        ("n = int(input())\nwhile True: print('x' * 9999)", "error"),
        ("n = int(input())\nprint(open('data.txt').read())", "not_runnable"),
        ("n = int(input())\nimport numpy", "not_runnable"),
    ],
)
async def test_a_program_that_does_not_end_well_is_said(code: str, status: str, gap: str) -> None:
    (outcome,) = await run(gap + code, reading("3", "9"), seconds=1.5)

    assert outcome.status == status


@needs_box
async def test_a_program_that_asks_for_more_than_there_is_fails() -> None:
    (outcome,) = await run("a = input()\nb = input()\nprint(a)", reading("3", "3"))

    assert (outcome.status, outcome.detail) == (
        "error",
        "EOFError: EOF when reading a line (line 2)",
    )


@pytest.mark.parametrize(
    ("code", "given", "printed", "outcome"),
    [
        ("def f(n): return n * n", "3", "9", ("pass", "f(3)")),
        ("def f(n): return n * n", "3", "8", ("fail", "f(3)")),
        ("def f(a, b): return a + b", "1, 2", "3", ("pass", "f(1, 2)")),
        ("def f(xs, k): return xs[k]", "k = 1, xs = [4, 5]", "5", ("pass", "f(k=1, xs=[4, 5])")),
        ("def f(n): return 'IV'", "4", "IV", ("pass", "f(4)")),
        ("def f(n): return True", "4", "Par", ("not_runnable", "f(4)")),
        ("def f(n):\n    if n > 9: return 1", "4", "5", ("fail", "f(4)")),
        ("def f(n): print(n)", "3", "3", ("not_runnable", "'3'")),
        ("def f(a, b): return a", "1 2", "1", ("not_runnable", "'1 2'")),
        ("def f(a, b): return a", "(1, 2)", "1", ("not_runnable", "'(1, 2)'")),
        ("def f(a): return a\ndef g(a): return a", "1", "1", ("not_runnable", "'1'")),
        ("class A: pass\ndef f(a): return a", "1", "1", ("not_runnable", "'1'")),
        ("def f(a=1): return a", "1", "1", ("not_runnable", "'1'")),
        ("def f(): return input()", "'x'", "x", ("not_runnable", "\"'x'\"")),
        ("print(sum(eval(input())))", "[1, 2]", "3", ("not_runnable", "'[1, 2]'")),
    ],
)
async def test_the_only_function_takes_an_input_where_it_is_plain(
    code: str, given: str, printed: str, outcome: tuple[str, str]
) -> None:
    (found,) = await run(code, reading(given, printed))

    assert (found.status, found.example.expression) == outcome


@needs_box
async def test_cpython_runs_only_what_monty_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = cpython.run_in_box

    def note(code: str, examples: tuple[Example, ...], **limits: float) -> list[Outcome]:
        asked.append(len(examples))
        return real(code, examples, **limits)  # type: ignore[arg-type] # the limits are passed on

    monkeypatch.setattr(cpython, "run_in_box", note)
    code = (
        "seen = []\ndef f(n):\n    seen.append(n)\n    if n == 2: import heapq\n    return seen\n"
    )
    examples = find_examples("f(1) == [1]\nf(2) == [1, 2]\nf(3) == [1]")

    outcomes = await run(code, *examples[:1])
    outcomes += await run(code, *examples)

    assert asked == [2]
    assert [(one.status, one.runner) for one in outcomes] == [
        ("pass", "monty"),
        ("pass", "monty"),
        ("pass", "cpython"),
        ("fail", "monty"),
    ]


async def test_without_a_box_it_stays_not_runnable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpython, "can_run", lambda: False)

    report = await run_examples(
        "import heapq\ndef f(x): return 1", "python", find_examples("f(1) == 1")
    )

    assert [one.status for one in report.outcomes] == ["not_runnable"]


@needs_box
async def test_an_error_that_is_the_sandbox_s_own_is_settled_by_cpython() -> None:
    code = "import re\ndef f(s): return re.match('(a)(b)?', s).groups('-')\n"

    report = await run_examples(code, "python", find_examples("f('a') == ('a', '-')"))

    assert [(one.status, one.runner) for one in report.outcomes] == [("pass", "cpython")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[0] * 3", [0, 0, 0]), ("2 ** 10", 1024), ("{'a': (1, -2.5)}", {"a": (1, -2.5)}),
        ("set()", set()), ("list(range(3))", [0, 1, 2]), ("'a' + 'b'", "ab"), ("not 1", False),
        ("range(10 ** 4)", range(10_000)), ("float('inf')", float("inf")), ("7 // 2", 3),
    ],
)  # fmt: skip
def test_a_written_value_is_worked_out(text: str, value: object) -> None:
    assert evaluate_literal(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "'a' * 10 ** 9", "10 ** 10 ** 10", "list(range(10 ** 9))", "bytes(10 ** 9)",
        "range(10 ** 30)", "[[0] * 9999] * 9999", "[0] * -(-10 ** 9)", "f(1)", "x", "1 / 0", "",
        "'%s' % 1", "{[]: 1}", "int('x')", "1 +", "'a' * 3.5", "'%999999999d' % 1", "2 ** 'a'",
    ],
)  # fmt: skip
def test_a_value_without_bounds_or_sense_is_refused(text: str) -> None:
    with pytest.raises((TooLarge, ValueError)):
        evaluate_literal(text)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=9),
)
_KEYS = st.one_of(st.integers(), st.text(max_size=9), st.tuples(st.integers(), st.booleans()))
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(_KEYS, inner, max_size=4),
        st.sets(_KEYS, max_size=4),
        st.frozensets(_KEYS, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(_VALUES)
def test_a_value_that_leaves_the_box_is_the_same(value: object) -> None:
    read = read_value(Writer().write(value))

    assert is_same(read, value)
    assert len(show(read)) <= 400


@settings(max_examples=300)
@given(_VALUES, _VALUES)
def test_different_values_stay_different(one: object, other: object) -> None:
    alike = is_same(read_value(Writer().write(one)), other)

    assert alike == is_same(read_value(Writer().write(other)), one)


@settings(max_examples=200)
@given(st.recursive(st.one_of(_SCALARS.filter(lambda v: not isinstance(v, bytes)), st.sampled_from(
    ["int", "float", "list", "dict", "range", "object", "0x1", "Fraction", "Decimal", "1e999999"]
)), lambda inner: st.lists(inner, max_size=5), max_leaves=12))  # fmt: skip
def test_no_forged_value_breaks_the_reader(tagged: object) -> None:
    try:
        value = read_value(tagged)
    except Unreadable:
        return
    show(value)
    is_same(value, [1])


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"[1]", b"[" * 99_999, b"\xff", b"9" * 99_999])
def test_no_forged_answer_breaks_the_reader(line: bytes) -> None:
    with pytest.raises(Unreadable):
        read_json(line)


def test_a_shown_value_reads_as_python() -> None:
    values = [[1, (2,)], {"a": {1}}, (), set(), [], range(1, 9, 2), frozenset({1}), 10**9, -1.5]

    shown = [show(read_value(Writer().write(value))) for value in values]

    assert shown == [repr(value) for value in values]
    assert [ast.parse(text) for text in shown]
