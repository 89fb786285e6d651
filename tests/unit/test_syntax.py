import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bounds import thinking_at_most
from tools.analysis import syntax
from tools.analysis.syntax import (
    MAX_CHARACTERS,
    MAX_PROBLEMS,
    SyntaxProblem,
    SyntaxReport,
    check_syntax,
    normalise_language,
)

SOUND = {
    "python": "def f(x: int) -> int:\n    return [y for y in range(x)][-1]\n",
    "javascript": (
        "export const f = async (x) => ({ ...x, y: `${x?.y ?? 1}` });\nclass A { #p = 1 }\n"
    ),
    "typescript": (
        "interface P<T> { x?: T }\nconst f = <T,>(p: P<T>): p is P<T> => true as const;\n"
    ),
    "tsx": "const A = (p: { x: number }) => <div className='a'>{p.x}</div>;\n",
    "java": (
        "record P(int x) {}\n"
        "class A { static int f(int x) { return switch (x) { default -> 1; }; } }\n"
    ),
    "go": "package main\n\nfunc F[T any](x []T) (int, error) {\n\treturn len(x), nil\n}\n",
    "rust": (
        "fn f<'a>(x: &'a str) -> Option<&'a str> {\n"
        "    let Some(y) = x.get(0..1) else { return None };\n    Some(y)\n}\n"
    ),
    "c": (
        "#include <stdio.h>\n"
        'int main(void) { int a[3] = {1, 2, 3}; printf("%d\\n", a[0]); return 0; }\n'
    ),
    "cpp": (
        "#include <vector>\ntemplate <typename T> auto f(std::vector<T> "
        "const& x) { return [&] { return x.size(); }(); }\n"
    ),
    "csharp": (
        "var x = 1;\nrecord P(int X);\n"
        "class A { public int F(int x) => x switch { 1 => 2, _ => 3 }; }\n"
    ),
    "php": "<?php\nfunction f(int ...$x): ?int { return $x[0] ?? null; }\n",
    "ruby": "def f(x)\n  x.map { |y| y + 1 }.select(&:even?)\nend\n",
    "bash": 'f() {\n  for i in "$@"; do echo "${i%%.*}"; done\n}\n[[ $1 == a* ]] && f "$@"\n',
    "kotlin": "data class P(val x: Int)\nfun f(x: Int?): Int = x?.let { it + 1 } ?: 0\n",
    "html": "<!doctype html>\n<html><body><p class='a'>x<br></p></body></html>\n",
    "css": (
        ".a > b:hover, #c { color: red; margin: 0 auto }\n"
        "@media (max-width: 3px) { a { top: 0 } }\n"
    ),
    "sql": (
        "SELECT a.x, count(*) FROM a JOIN b ON a.id = b.id WHERE a.x > 1 GROUP BY a.x ORDER BY 2;\n"
    ),
}
BROKEN = {
    "python": "def f(x):\n    return (x\n",
    "javascript": "const f = (x) => {\n  return x +;\n};\n",
    "typescript": "const x: number = ;\n",
    "tsx": "const A = () => <div>{x</div>;\n",
    "java": "class A {\n  int f( { return 1; }\n}\n",
    "go": "package main\n\nfunc f( {\n}\n",
    "rust": "fn f() -> i32 {\n    let x = ;\n    1\n}\n",
    "c": "int main(void) {\n  int x = 1\n  return x;\n}\n",
    "cpp": "class A { int x }\nint f() { return 1 }\n",
    "csharp": "class A { int F( => 1; }\n",
    "php": "<?php\nfunction f( { return 1; }\n",
    "ruby": "def f(x)\n  x +\n",
    "bash": "if true; then\n  echo 1\n",
    "kotlin": "fun f(x: Int { return 1 }\n",
    "html": "<p <b>x</p\n",
    "css": ".a { color: ; } }\n",
    "sql": "SELECT FROM WHERE x = ;\n",
}


SAMPLES = Path(__file__).parent.parent / "syntax_samples"
_SAMPLE = re.compile(r"^=== (sound|broken): (.*)\n((?:(?!=== ).*\n)*)", re.MULTILINE)


def samples(kind: str) -> list[Any]:
    """List the samples of a kind, each with its language, under its name."""
    return [
        pytest.param(path.stem, code, id=f"{path.stem}: {name}")
        for path in sorted(SAMPLES.glob("*.txt"))
        for found, name, code in _SAMPLE.findall(path.read_text())
        if found == kind
    ]


@pytest.mark.parametrize(("language", "code"), samples("sound"))
def test_a_sound_sample_is_not_accused(language: str, code: str) -> None:
    report = check_syntax(code, language)

    assert report.problems == ()
    assert report.checked or "may not know" in str(report.reason)


@pytest.mark.parametrize(("language", "code"), samples("broken"))
def test_a_broken_sample_is_found_out(language: str, code: str) -> None:
    report = check_syntax(code, language)

    assert report.problems
    assert all(1 <= one.line <= one.end_line <= code.count("\n") + 1 for one in report.problems)


def test_every_language_has_samples() -> None:
    counted = Counter(param.values[0] for kind in ("sound", "broken") for param in samples(kind))

    assert {language for language in SOUND if counted[language] < 13} <= {"tsx"}


@pytest.mark.parametrize(
    ("language", "code"),
    [("ruby", "end " * 20_000), ("rust", "fn f(x){}\n" * 8_000), ("javascript", "(" * 200_000)],
)
def test_many_errors_do_not_take_longer_than_a_few(language: str, code: str) -> None:
    with thinking_at_most(4):
        report = check_syntax(code, language)

    assert 0 < len(report.problems) <= MAX_PROBLEMS


@pytest.mark.parametrize("language", SOUND)
def test_a_sound_program_has_no_problem(language: str) -> None:
    report = check_syntax(SOUND[language], language)

    assert report == SyntaxReport(language, True, None, ())


@pytest.mark.parametrize("language", BROKEN)
def test_a_broken_program_has_a_problem_inside_its_lines(language: str) -> None:
    code = BROKEN[language]

    report = check_syntax(code, language)

    assert report.checked
    assert report.problems
    lines = code.split("\n")
    for problem in report.problems:
        assert 1 <= problem.line <= problem.end_line <= len(lines)
        assert problem.column >= 1
        assert problem.text == lines[problem.line - 1].strip()


def test_python_says_what_the_compiler_says() -> None:
    report = check_syntax("x = 1\ndef f(:\n    pass\n", "python")

    assert report.problems == (SyntaxProblem(2, 7, 2, "invalid syntax", "def f(:"),)


@pytest.mark.parametrize(
    "code",
    [
        "return 1\n",
        "def f(x, x): pass\n",
        "1 = x\n",
        "if x:\nprint(1)\n",
        "def f():\n\tx\n        y\n",
    ],
)
def test_python_is_compiled_and_not_only_parsed(code: str) -> None:
    report = check_syntax(code, "python")

    assert len(report.problems) == 1


def test_a_missing_token_is_a_problem() -> None:
    report = check_syntax("int x = 1\n", "c")

    assert [problem.message for problem in report.problems] == ["missing `;`"]


def test_a_column_counts_characters_not_bytes() -> None:
    report = check_syntax("/* áé */ int x = ;\n", "c")

    assert report.problems[0].column == "/* áé */ int x = ;".index(";")


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("py", "python"), ("Python3", "python"), (".PY", "python"), ("js", "javascript"),
        ("jsx", "javascript"), ("ts", "typescript"), ("tsx", "tsx"), ("c++", "cpp"),
        ("C#", "csharp"), ("sh", "bash"), ("golang", "go"), ("rs", "rust"), ("rb", "ruby"),
        ("kt", "kotlin"), ("brainfuck", None), ("", None),
    ],
)  # fmt: skip
def test_a_label_is_normalised_by_a_table(label: str, expected: str | None) -> None:
    assert normalise_language(label) == expected


def test_an_unknown_language_is_not_checked_and_says_so() -> None:
    report = check_syntax("whatever", "brainfuck")

    assert report == SyntaxReport("brainfuck", False, "no grammar for the language 'brainfuck'", ())


def test_typescript_with_elements_is_read_as_tsx() -> None:
    assert check_syntax(SOUND["tsx"], "typescript").problems == ()


def test_php_without_an_opening_tag_is_read_as_php() -> None:
    assert check_syntax("function f($x) { return $x; }\n", "php").problems == ()
    assert check_syntax("function f($x { return $x; }\n", "php").problems != ()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python knows the syntax itself")
@pytest.mark.parametrize(
    "code", ["def f[T](x: T) -> T:\n    return x\n", "type X = int\n", "x = f'{a['b']}'\n"]
)
def test_python_newer_than_ours_is_accepted_by_the_grammar(code: str) -> None:
    report = check_syntax(code, "python")

    assert (report.checked, report.problems) == (True, ())
    assert report.reason is not None


def test_a_byte_order_mark_is_not_an_error() -> None:
    assert check_syntax("\ufeffx = 1\n", "python").problems == ()


def test_a_null_byte_is_named_with_its_place() -> None:
    report = check_syntax("x = 1\ny = '\0'\n", "python")

    assert [(p.line, p.message) for p in report.problems] == [(2, "a null byte is not text")]


@pytest.mark.parametrize("language", SOUND)
@pytest.mark.parametrize(
    "code",
    [
        "(" * 25_000, "{" * 25_000, "a" * 100_000, "-" * 25_000 + "1", "a" + ".b" * 25_000,
        "a<b(" * 5_000, "a\0b", "x = '\ud800'", "\ufeff", "", "\r\r\n", "<" * 12_000,
    ],
    ids=range(12),
)  # fmt: skip
def test_a_hostile_text_neither_crashes_nor_hangs(
    language: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syntax, "PARSE_SECONDS", 0.2)

    with thinking_at_most(3):
        report = check_syntax(code, language)

    assert report.checked or report.reason


def test_a_huge_text_is_not_checked_and_says_so() -> None:
    report = check_syntax("x\n" * MAX_CHARACTERS, "python")

    assert report == SyntaxReport("python", False, "longer than 500000 characters", ())


def test_compiling_executes_nothing_and_warns_nobody() -> None:
    script = (
        "from tools.analysis.syntax import check_syntax\n"
        "print(check_syntax('import os\\nos._exit(3)\\nx = \"\\\\d\" is 1\\n', 'python').problems)"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "()\n", "")


@settings(max_examples=200)
@given(st.text(max_size=300), st.sampled_from([*SOUND, "nothing"]))
def test_no_text_raises(code: str, language: str) -> None:
    report = check_syntax(code, language)

    assert all(1 <= problem.line <= problem.end_line for problem in report.problems)


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c", "API_EXPORT int f(int x) { return x; }\nDEFINE_LIST(int)\n"),
        ("c", '#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n#ifdef X\n}\n#endif\n'),
        ("sql", "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2;\n"),
        ("sql", "\\echo hello\nSELECT 1;\n"),
    ],
)
def test_an_error_that_may_be_the_grammars_is_not_held_against_the_code(
    language: str, code: str
) -> None:
    report = check_syntax(code, language)

    assert (report.checked, report.problems) == (False, ())
    assert report.reason


def test_a_constant_of_the_program_leaves_no_doubt() -> None:
    report = check_syntax("#define SIZE 3\nint main(void) {\n  int a[SIZE;\n}\n", "c")

    assert [problem.line for problem in report.problems] == [3]
