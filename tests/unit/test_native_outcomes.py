"""What is said of programs that are built: where they break, and what cannot be judged."""

import pytest

from tests.toolchains import skip_without
from tools.analysis.examples.finder import Example, find_examples
from tools.analysis.examples.unchanged import unchanged_examples
from tools.analysis.runs import box
from tools.analysis.runs.native import registry
from tools.analysis.runs.native.adapting import read_sequence
from tools.analysis.runs.native.registry import find_runner
from tools.analysis.runs.sandbox import Outcome, can_run, run_examples


async def run(code: str, language: str, *pairs: tuple[str, str]) -> tuple[Outcome, ...]:
    examples = [Example("call", call, value, None, "") for call, value in pairs]
    report = await run_examples(code, language, examples)
    return report.outcomes


async def test_a_file_that_does_not_compile_is_an_error_with_its_line() -> None:
    skip_without("c")

    (outcome,) = await run("int f(int x) {\n return y;\n}\n", "c", ("f(1)", "1"))

    assert outcome.status == "error"
    assert outcome.detail is not None
    assert outcome.detail.endswith("(line 2)")
    assert "undeclared" in outcome.detail


async def test_a_type_error_in_rust_is_said_with_its_line() -> None:
    skip_without("rust")

    (outcome,) = await run('fn f(x: i32) -> i32 {\n "a"\n}\n', "rust", ("f(1)", "1"))

    assert (outcome.status, outcome.detail) == (
        "error",
        "it does not compile: mismatched types (line 2)",
    )


async def test_a_type_error_in_java_is_said_with_its_line() -> None:
    skip_without("java")
    code = 'class A {\n static int f(int x) {\n  return "a";\n }\n}\n'

    (outcome,) = await run(code, "java", ("A.f(1)", "1"))

    assert outcome.status == "error"
    assert outcome.detail is not None
    assert outcome.detail.endswith("(line 3)")


async def test_a_header_that_this_machine_lacks_says_nothing_about_the_program() -> None:
    skip_without("c")
    code = "#include <conio.h>\nint f(int x) { return x; }\n"

    (outcome,) = await run(code, "c", ("f(1)", "1"))

    assert outcome.status == "not_runnable"


async def test_a_library_that_this_machine_lacks_says_nothing_about_the_program() -> None:
    skip_without("java")
    code = "import org.junit.Test;\nclass A { static int f(int x) { return x; } }\n"

    (outcome,) = await run(code, "java", ("A.f(1)", "1"))

    assert outcome.status == "not_runnable"


async def test_a_call_that_does_not_compile_does_not_hide_the_others() -> None:
    skip_without("cpp")
    code = "struct S { int v; };\nint f(S s) { return s.v; }\nint g(int x) { return x; }\n"

    outcomes = await run(code, "cpp", ("f(1, 2, 3)", "1"), ("f(g(1))", "1"), ("g(2)", "2"))

    assert [one.status for one in outcomes] == ["not_runnable", "not_runnable", "pass"]


async def test_a_call_that_ends_the_program_does_not_end_the_next_ones() -> None:
    skip_without("c")
    code = "int f(int x) { if (x == 2) { int *p = 0; return *p; } return x; }\n"

    outcomes = await run(code, "c", ("f(1)", "1"), ("f(2)", "2"), ("f(3)", "3"))

    assert [one.status for one in outcomes] == ["pass", "error", "pass"]


async def test_a_program_may_print_while_it_is_called() -> None:
    skip_without("c")
    code = '#include <stdio.h>\nint f(int x) { printf("x\\n"); fprintf(stderr, "x"); return x; }\n'

    (outcome,) = await run(code, "c", ("f(1)", "1"))

    assert outcome.status == "pass"


async def test_a_function_that_the_program_lacks_is_not_judged() -> None:
    skip_without("c")

    (outcome,) = await run("int f(int x) { return x; }\n", "c", ("strlen([1])", "1"))

    assert (outcome.status, outcome.detail) == ("not_runnable", "the program has no `strlen`")


async def test_a_method_among_others_is_asked_of_no_new_object() -> None:
    skip_without("java")
    code = "class Pila { int n; void push(int x) { n++; } int size() { return n; } }\n"

    (outcome,) = await run(code, "java", ("size()", "2"))

    assert outcome.status == "not_runnable"


async def test_texts_are_objects_of_their_own_in_java() -> None:
    skip_without("java")
    code = "class A { static boolean same(String a, String b) { return a == b; } }\n"

    (outcome,) = await run(code, "java", ('A.same("x", "x")', "true"))

    assert (outcome.status, outcome.got) == ("fail", "false")


@pytest.mark.parametrize("name", ["isPrime", "is_prime", "IsPrime"])
async def test_a_name_may_be_spelled_as_its_language_does(name: str) -> None:
    skip_without("cpp")
    code = f"bool {name}(int n) {{ return n == 7; }}\n"

    (outcome,) = await run(code, "cpp", ("is_prime(7)", "True"))

    assert outcome.status == "pass"


async def test_what_practice_sites_import_by_themselves_is_not_missed() -> None:
    skip_without("cpp")
    code = "vector<int> twice(vector<int>& v) { for (int& x : v) x *= 2; return v; }\n"

    (outcome,) = await run(code, "cpp", ("twice([1, 2])", "[2, 4]"))

    assert outcome.status == "pass"


async def test_an_index_outside_of_a_vector_is_an_error() -> None:
    skip_without("cpp")
    code = "#include <vector>\nint f(std::vector<int> v) { return v[v.size()]; }\n"

    (outcome,) = await run(code, "cpp", ("f([1])", "0"))

    assert outcome.status == "error"
    assert "Assertion" in (outcome.detail or "")


async def test_a_nil_slice_is_an_empty_one_and_a_nil_map_is_none() -> None:
    skip_without("go")
    code = "package main\nfunc S() []int { return nil }\nfunc M() map[string]int { return nil }\n"

    outcomes = await run(code, "go", ("S()", "[]int{}"), ("M()", "map[string]int{}"))

    assert [one.status for one in outcomes] == ["pass", "fail"]


async def test_what_sqlite_lacks_says_nothing_about_a_query() -> None:
    skip_without("sql")
    example = Example("io", "'CREATE TABLE t (n); INSERT INTO t VALUES (1);'", "'1'", None, "")

    report = await run_examples("SELECT FOO_DB(n) FROM t;", "sql", [example])
    wrong = await run_examples("SELECT m FROM t;", "sql", [example])

    assert [one.status for one in report.outcomes] == ["not_runnable"]
    assert [one.status for one in wrong.outcomes] == ["error"]


async def test_rows_may_stand_in_any_order_where_a_task_asks_for_none() -> None:
    skip_without("sql")
    text = (
        "La tabla t(n) tiene (1) y (2) en t. Escribe una consulta que dé todos:\n\n"
        "| n |\n|---|\n| 1 |\n| 2 |"
    )
    examples = find_examples(text, language="sql")

    report = await run_examples("SELECT n FROM t ORDER BY n DESC;", "sql", examples)

    assert [one.status for one in report.outcomes] == ["pass"]


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_found", {})
    monkeypatch.setattr(
        "shutil.which", lambda name: "/usr/bin/prlimit" if name == "prlimit" else None
    )
    monkeypatch.setattr(registry, "find_box", lambda: "/usr/bin/bwrap")


@pytest.mark.usefixtures("no_tools")
@pytest.mark.parametrize("language", ["c", "cpp", "java", "rust", "go", "csharp"])
async def test_a_compiler_that_is_not_there_is_named(language: str) -> None:
    report = await run_examples("x", language, [Example("call", "f(1)", "1", None, "")])

    assert report.reason == f"no compiler for {language} here"
    assert [one.status for one in report.outcomes] == ["not_runnable"]
    assert not can_run(language)


def test_without_a_box_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_found", {})
    monkeypatch.setattr(registry, "find_box", lambda: None)

    assert find_runner("c") == "c runs in bubblewrap only, which does not work here"


@pytest.mark.parametrize(("start", "status"), [("text.dup", "pass"), ("text", "fail")])
async def test_a_text_that_ruby_changes_in_place_is_seen(start: str, status: str) -> None:
    skip_without("ruby")
    text = "with_tags('a', ['x']) == 'a #x'. Neither the text nor the array may be changed."
    code = f"def with_tags(text, tags)\n  made = {start}\n  tags.each {{ |t| made << ' #' << t }}\n"

    watching = unchanged_examples([text], find_examples(text, language="ruby"))
    report = await run_examples(f"{code}  made\nend\n", "ruby", watching)

    assert [one.status for one in report.outcomes] == [status]


STACK = """
class Stack {
  private int[] kept = new int[2];
  private int size = 0;
  void push(int value) { kept[size % 2] = value; size++; }
  int size() { return size; }
}
"""


@pytest.mark.parametrize(
    ("steps", "expected", "status"),
    [
        ("it.push(4), it.push(5), it.size()", "[None, None, 2]", "pass"),
        ("it.push(4), it.size(), it.size()", "[None, 1, 2]", "fail"),
        ("it.push('a'), it.size()", "[None, 1]", "not_runnable"),
        ("it.pop(), it.size()", "[None, 1]", "not_runnable"),
    ],
)
async def test_calls_on_one_java_object_are_made_in_turn(
    steps: str, expected: str, status: str
) -> None:
    skip_without("java")
    example = Example("call", f"(lambda it: [{steps}])(Stack())", expected, None, "")

    report = await run_examples(STACK, "java", [example])

    assert [one.status for one in report.outcomes] == [status]


async def test_a_sequence_that_a_language_cannot_write_is_no_failure() -> None:
    skip_without("c")
    example = Example("call", "(lambda it: [it.push(1)])(Stack())", "[None]", None, "")

    report = await run_examples("int push(int n) { return n; }", "c", [example])

    assert [one.status for one in report.outcomes] == ["not_runnable"]


@pytest.mark.parametrize(
    "expression",
    ["f(1)", "(lambda it: [it.f(1), g()])(C())", "(lambda it: it.f(1))(C())", "(lambda it: [1])("],
)
def test_other_expressions_are_no_sequence(expression: str) -> None:
    assert read_sequence(expression) is None


def test_the_box_of_a_built_program_is_the_one_of_python() -> None:
    assert "--unshare-all" in box.WALLS
    assert "--clearenv" in box.WALLS


CHANGES = {
    "c": "int f(int *x, int n) { x[0] = 9; return n; }\n",
    "cpp": "#include <vector>\nint f(std::vector<int>& v) { v.push_back(1); return 1; }\n",
    "java": "class A { static int f(int[] x) { java.util.Arrays.sort(x); return 1; } }\n",
    "go": "package main\nfunc F(x []int) int { x[0] = 9; return 1 }\n",
    "php": "<?php\nfunction f(array &$x) { sort($x); return 1; }\n",
    "ruby": "def f(x)\n  x.sort!\nend\n",
}
KEEPS = {
    "c": "int f(const int *x, int n) { return n; }\n",
    "cpp": "#include <vector>\nint f(std::vector<int> v) { v.push_back(1); return 1; }\n",
    "java": "class A { static int f(int[] x) { java.util.Arrays.sort(x.clone()); return 1; } }\n",
    "go": "package main\nfunc F(x []int) int { return len(x) }\n",
    "php": "<?php\nfunction f(array $x) { sort($x); return 1; }\n",
    "ruby": "def f(x)\n  x.sort\nend\n",
}


@pytest.mark.parametrize("language", CHANGES)
async def test_an_argument_that_must_stay_is_looked_at(language: str) -> None:
    skip_without(language)
    text = "f([3, 1, 2]) returns 1. The list given must not be modified."
    watching = unchanged_examples([text], find_examples(text, language=language))

    changes = await run_examples(CHANGES[language], language, watching)
    keeps = await run_examples(KEEPS[language], language, watching)

    assert [one.status for one in changes.outcomes] == ["fail"]
    assert [one.status for one in keeps.outcomes] == ["pass"]
