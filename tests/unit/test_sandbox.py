import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tools.analysis.examples import Example, find_examples
from tools.analysis.sandbox import Outcome, RunReport, close_sandbox, run_examples


@pytest.fixture(scope="module", autouse=True)
def no_worker_is_left() -> Iterator[None]:
    yield
    close_sandbox()
    left = [child.name() for child in psutil.Process().children(recursive=True)]
    assert [name for name in left if "monty" in name] == []


async def run(code: str, text: str, *, seconds: float = 2.0) -> tuple[Outcome, ...]:
    report = await run_examples(code, "python", find_examples(text), seconds=seconds)
    assert report.runner == "monty"
    return report.outcomes


async def statuses(code: str, text: str, *, seconds: float = 2.0) -> list[str]:
    return [outcome.status for outcome in await run(code, text, seconds=seconds)]


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
async def test_equal_values_pass(value: str, expected: str) -> None:
    assert await statuses(f"def f(x):\n    return {value}\n", f"f(1) == {expected}") == ["pass"]


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
async def test_other_values_fail_and_are_shown(value: str, expected: str, got: str) -> None:
    code = f"def f(x):\n    return {value}\n"

    (outcome,) = await run(code, f"f(1) == {expected}")

    assert (outcome.status, outcome.got) == ("fail", got)


async def test_a_difference_of_type_is_explained() -> None:
    (outcome,) = await run("def f(x): return str(x)", "f(1) == 1")

    assert (outcome.status, outcome.expected, outcome.got, outcome.detail) == (
        "fail",
        "1",
        "'1'",
        "a value of type str instead of int",
    )


async def test_an_exception_is_expected_by_its_class() -> None:
    code = "def f(x):\n    if x < 0:\n        raise ValueError('negative')\n    return {}[x]\n"
    text = "f(-1) raises ValueError\nf(1) raises LookupError\nf(2) raises ValueError\nf(-3) == 1"

    outcomes = await run(code, text)

    assert [(o.status, o.got, o.detail) for o in outcomes] == [
        ("pass", "raises ValueError", None),
        ("pass", "raises LookupError", None),
        ("fail", "KeyError: '2' (line 4)", None),
        ("error", None, "ValueError: negative (line 3)"),
    ]


async def test_no_exception_where_one_is_expected_is_a_fail() -> None:
    (outcome,) = await run("def f(x): return x", "f(-1) raises ValueError")

    assert (outcome.status, outcome.detail) == ("fail", "no exception was raised")


async def test_truth_is_enough_for_a_bare_assertion() -> None:
    code = "def f(x): return [0] if x else ''\n"

    assert await statuses(code, "assert f(1)\nassert not f(0)\nassert not f(2)") == [
        "pass",
        "pass",
        "fail",
    ]


async def test_examples_share_one_program_in_order() -> None:
    code = "def f(x, seen=[]):\n    seen.append(x)\n    return seen\n"

    assert await statuses(code, "f(1) == [1]\nf(2) == [2]") == ["pass", "fail"]


async def test_the_main_block_does_not_run() -> None:
    code = "def f(x): return x\nif __name__ == '__main__':\n    print(f(int(input())))\n"

    assert await statuses(code, "f(1) == 1") == ["pass"]


async def test_redefined_builtins_do_not_reach_the_judge() -> None:
    code = (
        "def list(x): return 1\ndef type(x): return 5\ndef len(x): return 0\n"
        "def repr(x): return 'x'\ndef isinstance(a, b): return True\ndef f(x): return [x]\n"
    )

    assert await statuses(code, "f(1) == [1]\nf(2) == [1]") == ["pass", "fail"]


async def test_an_object_that_equals_everything_does_not_pass() -> None:
    code = "class Any:\n    def __eq__(self, other): return True\ndef f(x): return Any()\n"

    assert await statuses(code, "f(1) == 1\nf(2) == [1]\nf(3) == 'a'\nf(4) == None") == ["fail"] * 4


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
    outcomes = await run(code, "f(1) == 1\nf(2) == 2", seconds=0.5)

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
async def test_what_the_sandbox_cannot_run_does_not_count(code: str) -> None:
    (outcome,) = await run(code, "f(1) == 'x'")

    assert outcome.status == "not_runnable"
    assert outcome.detail


async def test_a_rounding_that_may_differ_here_does_not_count() -> None:
    code = "def f(x): return round(x, 2)\n"

    assert await statuses(code, "f(2.675) == 2.67\nf(1.5) == 1.25") == ["not_runnable", "fail"]


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
async def test_ordinary_programs_run(code: str) -> None:
    assert await statuses(code, "f([1, 2]) == True") == ["pass"]


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
async def test_there_is_no_way_out(body: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = "def f(x):\n    " + body.replace("{mark}", str(mark)) + "\n"

    (outcome,) = await run(code, "f(1) == 'out'")

    assert outcome.status in ("not_runnable", "error")
    assert not mark.exists()


async def test_an_endless_loop_ends_in_time_and_frees_its_worker() -> None:
    code = "def f(x):\n    while x == 2: pass\n    return x\n"
    started = time.monotonic()

    outcomes = await run(code, "f(1) == 1\nf(2) == 2\nf(3) == 3", seconds=0.3)

    assert [o.status for o in outcomes] == ["pass", "timeout", "pass"]
    assert time.monotonic() - started < 2
    assert await statuses("def f(x): return x", "f(1) == 1") == ["pass"]


async def test_endless_loops_everywhere_end_within_three_times_the_limit() -> None:
    text = "\n".join(f"f({n}) == {n}" for n in range(20))
    started = time.monotonic()

    found = await statuses("def f(x):\n    while True: pass\n", text, seconds=0.3)

    assert found[0] == "timeout"
    assert set(found) == {"timeout", "not_runnable"}
    assert time.monotonic() - started < 2.5


async def test_an_endless_loop_outside_functions_is_a_timeout_for_every_example() -> None:
    found = await statuses("while True: pass\n", "f(1) == 1\nf(2) == 2", seconds=0.3)

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

    found = await statuses(code, "f(1) == [1]\nf(2) == 'b'", seconds=0.5)

    assert found[0] == "fail"
    assert psutil.Process().memory_info().rss - before < 300_000_000


async def test_an_expected_value_that_explodes_is_not_runnable() -> None:
    example = Example("call", "f(1)", "'a' * 10**12", None, "")

    report = await run_examples("def f(x): return 1", "python", [example])

    assert [o.status for o in report.outcomes] == ["not_runnable"]


@pytest.mark.parametrize("language", ["javascript", "ts", "java", "brainfuck"])
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
