import asyncio
import contextlib
import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from tools.analysis.facts.external import find_program
from tools.analysis.facts.fact import Unusable
from tools.analysis.facts.lint import PYTHON_RULES, run_oxlint, run_ruff

SECONDS = 20.0


def test_every_chosen_rule_is_known_to_ruff_and_stable() -> None:
    command = [find_program("ruff"), "rule", "--all", "--output-format", "json"]

    known = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    assert PYTHON_RULES.keys() <= {rule["code"] for rule in known if not rule["preview"]}


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("print(undefined)\n", "F821"),
        ("x = 1\nif x == 1 or 2:\n    pass\n", "SIM222"),
        ("def f(a=[]): ...\n", "B006"),
        ("ValueError('x')\n", "PLW0133"),
        ("x = 1\n++x\n", "B002"),
        ("print('%d %d' % (1,))\n", "F507"),
        ("def f(): return 1\ndef f(): return 2\n", "F811"),
    ],
)
async def test_a_mistake_in_python_is_found(code: str, rule: str) -> None:
    assert f"ruff/{rule}" in [fact.rule for fact in await run_ruff(code, seconds=SECONDS)]


async def test_style_is_nobody_s_mistake() -> None:
    code = "import os\ndef F( x ) :\n  l=x;return l\nclass a: pass\nif F(1)==None: print('a' )\n"

    assert await run_ruff(code, seconds=SECONDS) == ()


async def test_a_name_misspelt_twice_is_one_fact() -> None:
    facts = await run_ruff("print(x)\nprint(x)\n", seconds=SECONDS)

    assert [(fact.rule, fact.line) for fact in facts] == [("ruff/F821", 1)]


async def test_broken_python_is_not_linted() -> None:
    with pytest.raises(Unusable, match="does not parse"):
        await run_ruff("def f(:\n", seconds=SECONDS)


@pytest.mark.parametrize(
    ("code", "rule", "line"),
    [
        ("// ñ\nif (x == NaN) { y(); }\n", "use-isnan", 2),
        ("const a = 1;\na = 2;\n", "no-const-assign", 2),
        ("for (let i = 0; i < 3; i--) { f(i); }\n", "for-direction", 1),
        ("f({ a: 1,\n a: 2 });\n", "no-dupe-keys", 2),
        ("function f() {\n  const unused = 1;\n}\nf();\n", "no-unused-vars", 2),
    ],
)
async def test_a_mistake_in_a_script_is_found(code: str, rule: str, line: int) -> None:
    report = await run_oxlint(code, "javascript", seconds=SECONDS)

    assert [(fact.rule, fact.line) for fact in report.facts] == [(f"oxlint/{rule}", line)]


async def test_a_function_for_a_page_to_call_is_no_mistake() -> None:
    code = "function greet(name) { return 1; }\nvar total = 0;\nclass A {}\n"

    report = await run_oxlint(code, "javascript", seconds=SECONDS)

    assert (report.facts, report.parse_errors) == ((), ())


def test_the_private_folder_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    asyncio.run(run_oxlint("f();\n", "typescript", seconds=SECONDS))

    assert list(tmp_path.iterdir()) == []


async def test_a_check_that_is_cancelled_at_once_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    for _ in range(20):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await run_oxlint("let a = 1;", "javascript", seconds=SECONDS)

    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - nothing else runs here
