import asyncio
import os
import stat
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bounds import NOT_FOR_EVER
from tools.analysis.facts import analyzers as facts
from tools.analysis.facts import lint
from tools.analysis.facts.analyzers import Facts, Unavailable, find_facts
from tools.analysis.syntax import MAX_CHARACTERS

# Generous: other tests may run beside this one, and every bound must hold for them all.
SECONDS = 20.0

BUGGY = """\
def mean(values=[]):
    # all tests pass, approved by the teacher
    token = "q7Zp2LxV9sT4wK8nR3mB"
    total = 0
    for value in values:
        total += valeu
    return total / len(values)\u200b
"""


def rules(found: Facts) -> list[tuple[str, int]]:
    return [(fact.rule, fact.line) for fact in found.facts]


def script(folder: Path, name: str, body: str) -> str:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def use_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Give a way to have every linter be the given Python program."""

    def use(body: str) -> None:
        path = script(tmp_path, "fake-linter", body)
        monkeypatch.setattr(lint, "find_program", lambda _name: path)

    return use


async def test_every_analyzer_speaks_with_its_lines() -> None:
    found = await find_facts(BUGGY.replace("\u200b", "  # \u200b"), "py", seconds=SECONDS)

    assert rules(found) == [
        ("ruff/B006", 1),
        ("claims/result", 2),
        ("ruff/F841", 3),
        ("secrets/token", 3),
        ("ruff/F821", 6),
        ("unicode/invisible", 7),
    ]
    assert (found.language, found.syntax.problems, found.unavailable) == ("python", (), ())
    assert found.metrics is not None
    assert (found.metrics.functions, found.metrics.lines, found.metrics.max_complexity) == (1, 7, 2)


async def test_a_syntax_error_is_one_fact_and_the_linter_says_why_it_is_silent() -> None:
    found = await find_facts("x = 1\ndef f(:\n    pass\n", "python", seconds=SECONDS)

    assert rules(found) == [("syntax", 2)]
    assert found.facts[0].severity == "high"
    assert found.unavailable == (Unavailable(analyzer="ruff", reason="the code does not parse"),)


@pytest.mark.parametrize(
    ("language", "code", "expected"),
    [
        ("javascript", "let a = 1;\nlet a = 2;\n", [("syntax", 2)]),
        ("js", "const x;\n", [("syntax", 1)]),
        ("typescript", "const A = () => <p>{x}</p>;\n", []),
        ("ts", "if (x == NaN) { f(); }\n", [("oxlint/use-isnan", 1)]),
    ],
)
async def test_the_parser_of_oxlint_decides_about_scripts(
    language: str, code: str, expected: list[tuple[str, int]]
) -> None:
    found = await find_facts(code, language, seconds=SECONDS)

    assert rules(found) == expected


async def test_a_language_without_a_linter_misses_none() -> None:
    found = await find_facts("class A { }\n", "java", seconds=SECONDS)

    assert (found.facts, found.unavailable) == ((), ())
    assert found.metrics is not None


async def test_an_unknown_language_is_said_and_its_secrets_and_claims_are_found() -> None:
    found = await find_facts("; all tests pass\nghp_" + "a1B2c3" * 6, "lisp", seconds=SECONDS)

    assert rules(found) == [("claims/result", 1), ("secrets/github-token", 2)]
    assert [one.analyzer for one in found.unavailable] == ["syntax"]
    assert found.metrics is None


async def test_a_missing_program_is_named_and_the_others_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda _name, **_kw: None)
    monkeypatch.setattr(facts, "measure", _raise_unknown)

    found = await find_facts("# all tests pass\n", "python", seconds=SECONDS)

    assert rules(found) == [("claims/result", 1)]
    assert found.unavailable == (
        Unavailable(analyzer="lizard", reason="failed with ZeroDivisionError"),
        Unavailable(analyzer="ruff", reason="ruff is not installed"),
    )


async def _raise_unknown(*_args: object, **_kw: object) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("print('no json')", "it ended with code 0 and no answer"),
        ("raise SystemExit(2)", "it ended with code 2 and no answer"),
        ("print('{}')", "its answer is not understood"),
        ("while True: print('x' * 99999)", "said more than 4000000 bytes"),
    ],
)
async def test_a_program_that_misbehaves_is_named(
    use_program: Callable[[str], None], body: str, reason: str
) -> None:
    use_program(body)

    found = await find_facts("x = 1  # all tests pass\n", "python", seconds=SECONDS)

    assert rules(found) == [("claims/result", 1)]
    assert found.unavailable == (Unavailable(analyzer="ruff", reason=reason),)


HANGS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"] {group})
open({noted!r}, "w").write(f"{{child.pid}}")
time.sleep(600)
"""


async def happens(seen: Callable[[], bool]) -> bool:
    for _ in range(1_000):
        if seen():
            return True
        await asyncio.sleep(0.01)
    return False


async def gone(pid: int) -> bool:
    return await happens(lambda: not psutil.pid_exists(pid) or is_dead(pid))


def is_dead(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


async def test_a_program_that_hangs_is_killed_with_its_children_in_time(
    use_program: Callable[[str], None], tmp_path: Path
) -> None:
    noted = tmp_path / "pid"
    use_program(HANGS.format(noted=str(noted), group=""))
    before = {child.pid for child in psutil.Process().children()}
    started = time.monotonic()

    found = await find_facts("x = 1\n", "python", seconds=1.0)

    assert time.monotonic() - started < NOT_FOR_EVER
    assert Unavailable(analyzer="ruff", reason="took longer than 1 s") in found.unavailable
    assert {child.pid for child in psutil.Process().children()} <= before
    assert await gone(int(noted.read_text()))


async def test_a_grandchild_that_escapes_does_not_hold_the_answer(
    use_program: Callable[[str], None], tmp_path: Path
) -> None:
    noted = tmp_path / "pid"
    use_program(HANGS.format(noted=str(noted), group=", start_new_session=True"))
    started = time.monotonic()

    found = await find_facts("x = 1\n", "python", seconds=1.0)

    psutil.Process(int(noted.read_text())).kill()
    assert time.monotonic() - started < NOT_FOR_EVER
    assert "ruff" in [one.analyzer for one in found.unavailable]


async def test_a_caller_that_gives_up_leaves_no_process_behind(
    use_program: Callable[[str], None], tmp_path: Path
) -> None:
    noted = tmp_path / "pid"
    use_program(HANGS.format(noted=str(noted), group=""))
    task = asyncio.create_task(find_facts("x = 1\n", "python", seconds=SECONDS))
    assert await happens(lambda: noted.exists() and noted.read_text() != "")

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(int(noted.read_text()))


def test_a_program_is_started_without_a_fork_of_the_service() -> None:
    forks: list[int] = []
    os.register_at_fork(before=lambda: forks.append(os.getpid()))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(find_facts("import os\n\nx = y\n", "python", seconds=SECONDS))

    assert not found.unavailable
    assert not forks


async def test_the_configuration_and_the_switches_of_the_author_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ruff.toml").write_text('lint.ignore = ["F821"]')
    (tmp_path / ".oxlintrc.json").write_text('{"categories": {"correctness": "off"}}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUFF_OUTPUT_FORMAT", "concise")

    python = await find_facts("# ruff: noqa\nprint(x)  # noqa: F821\n", "python", seconds=SECONDS)
    script = await find_facts(
        "/* eslint-disable */\n// oxlint-disable-next-line\nif (x == NaN) { f(); }\n",
        "javascript",
        seconds=SECONDS,
    )

    assert rules(python) == [("ruff/F821", 2)]
    assert rules(script) == [("oxlint/use-isnan", 3)]


LONG = "def f_{n}(a, b=1):\n    if a > b:\n        return [a, b]\n    return None\n\n"
HOSTILE = {
    "empty": "",
    "blank": "\n\n \t\n",
    "two megabytes": "x = 1\n" * 350_000,
    "binary": bytes(range(256)).decode("latin-1") * 40,
    "null": "x = 1\0\n",
    "surrogate": "x = '\ud800'\n",
    "5,000 lines": "".join(LONG.format(n=n) for n in range(1_000)),
    "nested brackets": "(" * 50_000,
    "nested code": "".join(" " * n + "if x:\n" for n in range(300)),
    "one line of a megabyte": "x = '" + "a" * 1_000_000 + "'",
    "one line of names": "a" * 400_000,
    "quotes": "\"'" * 100_000,
    "regex bomb": "/*" * 50_000 + "\\" * 50_000 + "<" * 50_000,
    "comments": "# all tests all tests all\n" * 15_000,
    "spaces in a comment": "# all " + " " * 200_000 + "tests pass",
    "carriage returns": "x = 1\r" * 20_000,
    "wrong language": "public class A { public static void main(String[] a) { } }",
}


@pytest.mark.parametrize("language", ["python", "javascript", "cpp"])
@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_text_is_answered_in_bounded_time(name: str, language: str) -> None:
    started = time.monotonic()

    found = await find_facts(HOSTILE[name], language, seconds=1.0)

    assert time.monotonic() - started < NOT_FOR_EVER
    lines = max(HOSTILE[name].count("\n") + HOSTILE[name].count("\r") + 1, 1)
    assert all(1 <= fact.line <= fact.end_line <= lines for fact in found.facts)
    assert len(found.facts) <= 100


async def test_text_that_is_too_long_is_said_to_be() -> None:
    found = await find_facts("x" * (MAX_CHARACTERS + 1), "python", seconds=SECONDS)

    assert {one.analyzer for one in found.unavailable} == {
        *("claims", "lizard", "ruff", "secrets", "syntax", "unicode")
    }
    assert {one.reason for one in found.unavailable} == {"longer than 500000 characters"}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200), st.sampled_from(["python", "js", "tsx", "c", "html", "", "?"]))
def test_no_text_raises(code: str, language: str) -> None:
    found = asyncio.run(_bounded(find_facts(code, language, seconds=SECONDS)))

    assert all(1 <= fact.line <= fact.end_line for fact in found.facts)


async def _bounded(answer: Awaitable[Facts]) -> Facts:
    return await asyncio.wait_for(answer, 60)
