import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.bounds import NOT_FOR_EVER
from tools.analysis.examples.finder import Example, find_examples
from tools.analysis.runs import cpython
from tools.analysis.runs.sandbox import Outcome, RunReport, close_sandbox, run_examples


@pytest.fixture(scope="module", autouse=True)
def no_worker_is_left() -> Iterator[None]:
    yield
    close_sandbox()
    left = [child.name() for child in psutil.Process().children(recursive=True)]
    assert [name for name in left if "monty" in name] == []


# monty cannot run this, so that the program goes to CPython.
GAP = "\nclass Gap(Exception): pass\n"
TIERS = [
    "monty",
    pytest.param(
        "cpython",
        marks=pytest.mark.skipif(not cpython.can_run(), reason="bubblewrap does not work here"),
    ),
]
in_every_tier = pytest.mark.parametrize("tier", TIERS)


async def run(
    code: str, text: str, *, seconds: float = 2.0, tier: str = "monty"
) -> tuple[Outcome, ...]:
    code += GAP if tier == "cpython" else ""
    report = await run_examples(code, "python", find_examples(text), seconds=seconds)
    assert report.runner == "monty"
    assert tier == "monty" or {outcome.runner for outcome in report.outcomes} == {tier}
    return report.outcomes


async def statuses(code: str, text: str, *, seconds: float = 2.0, tier: str = "monty") -> list[str]:
    return [outcome.status for outcome in await run(code, text, seconds=seconds, tier=tier)]


@pytest.fixture
def no_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpython, "can_run", lambda: False)


@in_every_tier
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2", "2"), ("True", "1"), ("1.0", "1"), ("0.1 + 0.2", "0.3"), ("1e300 * 10", "1e301"),
        ("float('nan')", "float('nan')"), ("float('inf')", "float('inf')"), ("None", "None"),
        ("'a'", "'a'"), ("b'a'", "b'a'"), ("[1, [2.0000000000001]]", "[1, [2]]"),
        ("(1, 2)", "(1, 2)"), ("{2, 1}", "{1, 2}"), ("frozenset({1})", "{1}"),
        ("{'b': 1, 'a': [2]}", "{'a': [2], 'b': 1}"), ("range(3)", "[0, 1, 2]"),
        ("range(3)", "(0, 1, 2)"), ("iter([1, 2])", "[1, 2]"), ("[1, 2]", "range(1, 3)"),
        ("(i for i in [1, 2])", "[1, 2]"), ("{1: 2}.keys()", "[1]"), ("10**40", "10**40"),
        ("(2+0j)", "2"),
    ],
)  # fmt: skip
async def test_equal_values_pass(value: str, expected: str, tier: str) -> None:
    assert await statuses(f"def f(x):\n    return {value}\n", f"f(1) == {expected}", tier=tier) == [
        "pass"
    ]


@in_every_tier
@pytest.mark.parametrize(
    ("value", "expected", "got"),
    [
        ("2", "3", "2"), ("'2'", "2", "'2'"), ("2", "'2'", "2"), ("(1, 2)", "[1, 2]", "(1, 2)"),
        ("[1, 2]", "(1, 2)", "[1, 2]"), ("[1]", "[1, 2]", "[1]"), ("None", "0", "None"),
        ("0.30001", "0.3", "0.30001"), ("iter([1, 2])", "[1, 3]", "[1, 2]"),
        ("{'a': 1}", "{'a': 2}", "{'a': 1}"), ("set()", "[]", "set()"),
        ("float('inf')", "5", "inf"), ("10**400", "1.0", "1" + "0" * 396 + "..."),
        ("True", "2", "True"), ("range(9)", "[0, 1]", "range(0, 9)"),
    ],
)  # fmt: skip
async def test_other_values_fail_and_are_shown(
    value: str, expected: str, got: str, tier: str
) -> None:
    code = f"def f(x):\n    return {value}\n"

    (outcome,) = await run(code, f"f(1) == {expected}", tier=tier)

    assert (outcome.status, outcome.got) == ("fail", got)


@in_every_tier
async def test_a_difference_of_type_is_explained(tier: str) -> None:
    (outcome,) = await run("def f(x): return str(x)", "f(1) == 1", tier=tier)

    assert (outcome.status, outcome.expected, outcome.got, outcome.detail) == (
        "fail",
        "1",
        "'1'",
        "a value of type str instead of int",
    )


@in_every_tier
async def test_an_exception_is_expected_by_its_class(tier: str) -> None:
    code = "def f(x):\n    if x < 0:\n        raise ValueError('negative')\n    return {}[x]\n"
    text = "f(-1) raises ValueError\nf(1) raises LookupError\nf(2) raises ValueError\nf(-3) == 1"

    outcomes = await run(code, text, tier=tier)

    assert [(o.status, o.got and o.got.replace("'", ""), o.detail) for o in outcomes] == [
        ("pass", "raises ValueError", None),
        ("pass", "raises LookupError", None),
        ("fail", "KeyError: 2 (line 4)", None),
        ("error", None, "ValueError: negative (line 3)"),
    ]


@in_every_tier
async def test_no_exception_where_one_is_expected_is_a_fail(tier: str) -> None:
    (outcome,) = await run("def f(x): return x", "f(-1) raises ValueError", tier=tier)

    assert (outcome.status, outcome.detail) == ("fail", "no exception was raised")


@in_every_tier
async def test_truth_is_enough_for_a_bare_assertion(tier: str) -> None:
    code = "def f(x): return [0] if x else ''\n"

    assert await statuses(code, "assert f(1)\nassert not f(0)\nassert not f(2)", tier=tier) == [
        "pass",
        "pass",
        "fail",
    ]


@in_every_tier
async def test_examples_share_one_program_in_order(tier: str) -> None:
    code = "def f(x, seen=[]):\n    seen.append(x)\n    return seen\n"

    assert await statuses(code, "f(1) == [1]\nf(2) == [2]", tier=tier) == ["pass", "fail"]


@in_every_tier
async def test_the_main_block_does_not_run(tier: str) -> None:
    code = "def f(x): return x\nif __name__ == '__main__':\n    print(f(int(input())))\n"

    assert await statuses(code, "f(1) == 1", tier=tier) == ["pass"]


@in_every_tier
async def test_redefined_builtins_do_not_reach_the_judge(tier: str) -> None:
    code = (
        "def list(x): return 1\ndef type(x): return 5\ndef len(x): return 0\n"
        "def repr(x): return 'x'\ndef isinstance(a, b): return True\ndef f(x): return [x]\n"
    )

    assert await statuses(code, "f(1) == [1]\nf(2) == [1]", tier=tier) == ["pass", "fail"]


@in_every_tier
async def test_an_object_that_equals_everything_does_not_pass(tier: str) -> None:
    code = "class Any:\n    def __eq__(self, other): return True\ndef f(x): return Any()\n"

    assert (
        await statuses(code, "f(1) == 1\nf(2) == [1]\nf(3) == 'a'\nf(4) == None", tier=tier)
        == ["fail"] * 4
    )


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("x = y\n", "NameError: name 'y' is not defined (line 1)"),
        ("def f(x)\n    return x\n", "SyntaxError: Expected `:`, found newline (line 1)"),
        ("def g(x): return x\n", "NameError: name 'f' is not defined"),
        (
            "def f(x):\n    return [].foo\n",
            "AttributeError: 'list' object has no attribute 'foo' (line 2)",
        ),
        (
            "def f(x):\n    return f(x)\n",
            "RecursionError: maximum recursion depth exceeded (line 2)",
        ),
        ("def f(x):\n    raise NotImplementedError\n", "NotImplementedError (line 2)"),
        ("def f(x):\n    return 'a' * 10**10\n", "it used more memory than allowed"),
        (
            "def f(x):\n    a = []\n    while True: a.append(a)\n",
            "it used more memory than allowed",
        ),
        ("def f(x):\n    while True: print('a' * 999)\n", "it printed more than 256 KiB"),
        ("raise SystemExit\n", "SystemExit (line 1)"),
        ("", "NameError: name 'f' is not defined"),
    ],
)
async def test_what_the_code_raises_counts_against_it(code: str, detail: str) -> None:
    outcomes = await run(code, "f(1) == 1\nf(2) == 2", seconds=5.0)

    assert [(o.status, o.detail) for o in outcomes] == [("error", detail)] * 2


@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    yield 1\n",
        "class A(Exception): pass\n",
        "class A:\n    def __len__(self): return 1\n",
        "class A:\n    @property\n    def x(self): return 1\n",
        "import numpy\n",
        "import heapq\ndef f(x): return 1\n",
        "from collections import OrderedDict\n",
        "x = input()\n",
        "def f(x): return str(x).translate({49: '2'})\n",
        "def f(x): return sorted(['b', 'A'], key=str.lower)\n",
        "def f(x): return f.__name__\n",
        "def f(x): raise KeyError(5)\n",
        "def f(x):\n    a = [1]\n    del a[0]\n    return a\n",
        "def f(x):\n    m = map(int, '12')\n    return list(m) + list(m)\n",
        "def f(x):\n    xs = [1, 2]\n    for i, y in enumerate(xs): xs.remove(y)\n    return xs\n",
        "def f(x): return zip([1], [2])[0]\n",
        "import itertools\ndef f(x): return next(i for i in itertools.count() if i > 5)\n",
        "def f(x): return any(1 / y for y in [1, 0])\n",
        "(" * 5_000,
    ],
)
async def test_what_monty_cannot_run_does_not_count(code: str, no_box: None) -> None:
    (outcome,) = await run(code, "f(1) == 'x'")

    assert outcome.status == "not_runnable"
    assert outcome.detail


async def test_a_rounding_that_may_differ_here_does_not_count(no_box: None) -> None:
    code = "def f(x): return round(x, 2)\n"

    assert await statuses(code, "f(2.675) == 2.67\nf(1.5) == 1.25") == ["not_runnable", "fail"]


@in_every_tier
@pytest.mark.parametrize(
    "code",
    [
        "def f(xs): return any(x > 1 for x in xs) and all(x for x in xs)\n",
        "def f(xs):\n    return [x for i, x in enumerate(xs)] == list(map(int, xs))\n",
        "def f(xs):\n    for a, b in zip(xs, xs):\n        if a != b: return False\n"
        "    return True\n",
        "def f(xs):\n    pairs = zip(xs, xs)\n    return dict(pairs) == {1: 1, 2: 2}\n",
        "def f(xs): return ''.join(str(x) for x in reversed(xs)) == '21'\n",
        "import time\ndef f(xs):\n    time.sleep(3600)\n    return True\n",
        "from functools import lru_cache\n@lru_cache(maxsize=None)\n"
        "def g(n): return n < 2 or g(n - 1)\n"
        "def f(xs): return g(50)\n",
        "class Stack:\n    def __init__(self): self.items = []\n    def push(self, x):\n"
        "        self.items.append(x)\n        return self\n"
        "def f(xs): return Stack().push(1).items == [1]\n",
    ],
)
async def test_ordinary_programs_run(code: str, tier: str) -> None:
    assert await statuses(code, "f([1, 2]) == True", tier=tier) == ["pass"]


@pytest.mark.parametrize(
    "body",
    [
        "return open('/etc/passwd').read()",
        "return open('{mark}', 'w').write('x')",
        "from pathlib import Path\n    return Path('{mark}').write_text('x')",
        "import os\n    return os.listdir('/')",
        "import os\n    return os.environ['PATH']",
        "import os\n    return os.system('touch {mark}')",
        "import os\n    return os.fork()",
        "import os\n    return os.kill(1, 9)",
        "import sys\n    return sys.modules['os']",
        "import subprocess\n    return subprocess.run(['touch', '{mark}'])",
        "import socket\n    return socket.create_connection(('127.0.0.1', 80))",
        "import urllib.request\n    return urllib.request.urlopen('http://127.0.0.1')",
        "import ctypes\n    return ctypes.CDLL(None)",
        "import importlib\n    return importlib.import_module('os')",
        "return __import__('os').system('touch {mark}')",
        "return eval(\"__import__('os').system('touch {mark}')\")",
        "exec(\"import os\\nos.system('touch {mark}')\")\n    return 1",
        "return ().__class__.__bases__[0].__subclasses__()",
        "return open('/proc/self/environ').read()",
        "return globals()['__builtins__']",
        "return f.__globals__",
        "return (lambda: 0).__code__",
    ],
)
async def test_there_is_no_way_out(body: str, tmp_path: Path, no_box: None) -> None:
    mark = tmp_path / "mark"
    code = "def f(x):\n    " + body.replace("{mark}", str(mark)) + "\n"

    (outcome,) = await run(code, "f(1) == 'out'")

    assert outcome.status in ("not_runnable", "error")
    assert not mark.exists()


@in_every_tier
async def test_an_endless_loop_ends_in_time_and_frees_its_worker(tier: str) -> None:
    code = "def f(x):\n    while x == 2: pass\n    return x\n"
    started = time.monotonic()

    outcomes = await run(code, "f(1) == 1\nf(2) == 2\nf(3) == 3", seconds=1.0, tier=tier)

    assert [o.status for o in outcomes] == ["pass", "timeout", "pass"]
    assert time.monotonic() - started < NOT_FOR_EVER
    assert await statuses("def f(x): return x", "f(1) == 1", tier=tier) == ["pass"]


async def test_endless_loops_everywhere_end_within_three_times_the_limit() -> None:
    text = "\n".join(f"f({n}) == {n}" for n in range(20))  # 20 s where each had its own
    started = time.monotonic()

    found = await statuses("def f(x):\n    while True: pass\n", text, seconds=1.0)

    assert found[0] == "timeout"
    assert set(found) == {"timeout", "not_runnable"}
    assert time.monotonic() - started < 12


@in_every_tier
async def test_an_endless_loop_outside_functions_is_a_timeout_for_every_example(tier: str) -> None:
    found = await statuses("while True: pass\n", "f(1) == 1\nf(2) == 2", seconds=0.3, tier=tier)

    assert found == ["timeout", "timeout"]


@pytest.mark.parametrize(
    "code",
    [
        "x = ['a']\nfor _ in range(20): x = [x] * 1000\ndef f(n): return x\nx\n",
        "x = []\nfor _ in range(100000): x = [x]\ndef f(n): return x\nx\n",
        "def f(n): return 'a' * 30_000_000\n",
        "def f(n): return {i: str(i) for i in range(100_000)}\n",
    ],
)
async def test_a_value_that_explodes_stays_in_the_worker(code: str) -> None:
    before = psutil.Process().memory_info().rss

    found = await statuses(code, "f(1) == [1]\nf(2) == 'b'", seconds=5.0)

    assert found[0] == "fail"
    assert psutil.Process().memory_info().rss - before < 300_000_000


async def test_an_expected_value_that_explodes_is_not_runnable() -> None:
    example = Example("call", "f(1)", "'a' * 10**12", None, "")

    report = await run_examples("def f(x): return 1", "python", [example])

    assert [o.status for o in report.outcomes] == ["not_runnable"]


@pytest.mark.parametrize("language", ["kotlin", "perl", "brainfuck"])
async def test_another_language_has_no_sandbox_yet(language: str) -> None:
    report = await run_examples("x", language, find_examples("f(1) == 1"))

    assert report.reason is not None
    assert report.reason.startswith("no sandbox for ")
    assert [o.status for o in report.outcomes] == ["not_runnable"]


async def test_no_examples_is_said() -> None:
    assert await run_examples("x = 1", "python", ()) == RunReport("monty", (), "no examples")


async def test_many_runs_at_once_each_have_their_own_program() -> None:
    codes = [f"x = {n}\ndef f(y): return x + y\n" for n in range(40)]

    found = await asyncio.gather(*(run(c, f"f(1) == {n + 1}") for n, c in enumerate(codes)))

    assert [outcome.status for (outcome,) in found] == ["pass"] * 40


def test_workers_survive_a_change_of_event_loop_and_a_close() -> None:
    async def once() -> list[str]:
        return await statuses("def f(x): return x", "f(1) == 1")

    results = [asyncio.run(once()), asyncio.run(once())]
    close_sandbox()
    close_sandbox()
    results.append(asyncio.run(once()))

    assert results == [["pass"]] * 3


async def test_a_killed_worker_is_replaced() -> None:
    await run("def f(x): return x", "f(1) == 1")
    for child in psutil.Process().children(recursive=True):
        if "monty" in child.name():
            os.kill(child.pid, 9)
            child.wait(5)

    found = [await statuses("def f(x): return x", "f(1) == 1") for _ in range(3)]

    assert found[-1] == ["pass"]
