import asyncio
from collections.abc import Iterator

import psutil
import pytest

from tools.analysis.examples.finder import Example
from tools.analysis.runs.sandbox import Outcome, RunReport, close_sandbox, run_examples


@pytest.fixture(scope="module", autouse=True)
def no_worker_is_left() -> Iterator[None]:
    before = psutil.Process().children(recursive=True)
    yield
    close_sandbox()
    assert [one for one in psutil.Process().children(recursive=True) if one not in before] == []


def call(expression: str, expected: str | None = None, *, raises: str | None = None) -> Example:
    return Example("call", expression, expected, raises, "")


async def run(
    code: str, *examples: Example, language: str = "javascript", seconds: float = 2.0
) -> tuple[Outcome, ...]:
    report = await run_examples(code, language, examples, seconds=seconds)
    assert report.runner == "v8"
    assert all(outcome.runner == "v8" for outcome in report.outcomes)
    return report.outcomes


async def statuses(code: str, *examples: Example, language: str = "javascript") -> list[str]:
    return [outcome.status for outcome in await run(code, *examples, language=language)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2", "2"), ("0.1 + 0.2", "0.3"), ("-0", "0"), ("NaN", "NaN"), ("-1/0", "-Infinity"),
        ("null", "null"), ("undefined", "undefined"), ("null", "None"), ("undefined", "None"),
        ("true", "True"), ("'a'", '"a"'), ("'ñ' + String.fromCharCode(55357)", "'ñ\\uD83D'"),
        ("[1, [2, 'a']]", "[1, [2, 'a']]"), ("[1, 2]", "(1, 2)"), ("10n", "10n"),
        ("({b: 1, a: [2]})", "{a: [2], b: 1}"), ("({a: 1})", "{'a': 1}"),
        ("({a: 1, b: undefined})", "{a: 1}"), ("new Map([['a', 1]])", "new Map([['a', 1]])"),
        ("new Set([2, 1])", "new Set([1, 2])"), ("new Date(0)", "new Date(0)"),
        ("[0, 0, 0]", "new Array(3).fill(0)"), ("'aaa'", "'a'.repeat(3)"),
        ("[1, 2][Symbol.iterator]()", "[1, 2]"), ("new (class P { x = 1 })()", "{x: 1}"),
        ("Promise.resolve(3)", "3"), ("new Uint8Array([1, 2])", "[1, 2]"), ("2 ** 53", "2**53"),
    ],
)  # fmt: skip
async def test_equal_values_pass(value: str, expected: str) -> None:
    code = f"function f(x) {{ return {value}; }}"

    assert await statuses(code, call("f(1)", expected)) == ["pass"]


@pytest.mark.parametrize(
    ("value", "expected", "got"),
    [
        ("2", "3", "2"), ("'2'", "2", '"2"'), ("undefined", "null", "undefined"),
        ("null", "undefined", "null"), ("0", "-0", "0"), ("10n", "10", "10n"),
        ("[1]", "[2]", "[1]"), ("[1, 2]", "[2, 1]", "[1, 2]"),
        ("[,1]", "[null, 1]", "[undefined, 1]"), ("({a: 1, b: 2})", "{a: 1}", "{a: 1, b: 2}"),
        ("new Map([['a', 1]])", "{a: 1}", 'Map(["a" => 1])'),
        ("new Set([1])", "[1]", "Set([1])"), ("NaN", "0", "NaN"), ("() => 1", "1", "Function()"),
        ("9007199254740991", "9007199254740990", "9007199254740991"), ("true", "1", "true"),
    ],
)  # fmt: skip
async def test_other_values_fail_and_are_shown(value: str, expected: str, got: str) -> None:
    (outcome,) = await run(f"const f = (x) => {{ return {value} }}", call("f(1)", expected))

    assert (outcome.status, outcome.got) == ("fail", got)


async def test_what_is_thrown_is_expected_by_its_class() -> None:
    code = (
        "class Sad extends RangeError {}\n"
        "function f(x) { if (x < 0) throw new Sad('low'); throw 'text' }"
    )

    outcomes = await run(
        code,
        call("f(-1)", raises="Sad"),
        call("f(-1)", raises="RangeError"),
        call("f(-1)", raises="Error"),
        call("f(-1)", raises="TypeError"),
        call("f(1)", raises="RangeError"),
        call("f(-1)", "1"),
    )

    assert [(one.status, one.got) for one in outcomes] == [
        ("pass", "raises Sad"),
        ("pass", "raises RangeError"),
        ("pass", "raises Error"),
        ("fail", "Sad: low"),
        ("fail", "string: text"),
        ("error", None),
    ]


async def test_an_error_of_another_language_proves_nothing() -> None:
    (outcome,) = await run("const f = () => { null.x }", call("f()", raises="ValueError"))

    assert (outcome.status, outcome.detail) == ("not_runnable", "JavaScript has no ValueError")


@pytest.mark.parametrize(
    "code",
    [
        "module.exports = { f }; function f(x) { return x + 1 }",
        "module.exports = (x) => x + 1",
        "exports.f = (x) => x + 1",
        "export const f = (x) => x + 1",
        "export default function f(x) { return x + 1 }",
        "export default (x) => x + 1",
        "const f = (x) => x + 1\nexport { f }",
        "#!/usr/bin/env node\n'use strict'\nlet f = x => x + 1;",
        "async function f(x) { await null; return x + 1 }",
        "const f = x => x + 1\nif (require.main === module) f(0)",
        "var f = x => new Promise(done => setTimeout(() => done(x + 1), 5))",
    ],
)
async def test_every_way_to_export_is_loaded(code: str) -> None:
    assert await statuses(code, call("f(1)", "2"), call("f(2)", "2")) == ["pass", "fail"]


@pytest.mark.parametrize(
    "code",
    [
        "const fs = require('fs'); function f() { return 1 }",
        "import fs from 'fs'; function f() { return 1 }",
        "export * from './other.js'",
        "function f() { return document.title }",
        "function f() { return process.argv.length }",
        "async function f() { return import('fs') }",
        "const f = await 1",
    ],
)
async def test_what_v8_alone_does_not_have_does_not_count(code: str) -> None:
    assert await statuses(code, call("f()", "1")) == ["not_runnable"]


@pytest.mark.parametrize(
    ("code", "given", "statuses_"),
    [
        ("function sum(xs) { return xs.length }", "[1, 2]", ["pass"]),
        ("export const pair = (a, b) => a.length * b", "b = 1, a = [1, 2]", ["pass"]),
        ("const pair = (a, b) => a * b", "1, 2", ["pass"]),
        ("const pair = (a, b) => a * b", "1 2", ["not_runnable"]),
        ("const one = a => a; const two = a => a", "2", ["not_runnable"]),
        ("function say(a) { console.log(a) }", "2", ["not_runnable"]),
        ("function read() { return 2 }", "2", ["not_runnable"]),
    ],
)
async def test_the_only_function_takes_an_input_as_its_arguments(
    code: str, given: str, statuses_: list[str]
) -> None:
    example = Example("io", repr(given), "'2'", None, "")

    assert await statuses(code, example) == statuses_


async def test_a_function_in_an_example_may_have_statements() -> None:
    expression = "((c) => { const g = f(c); g.push(2); return [c, g] })([])"

    assert await statuses("const f = (x) => [...x]", call(expression, "[[], [2]]")) == ["pass"]


async def test_methods_of_new_objects_are_run() -> None:
    code = (
        "class Stack { #items = []; push(x) { this.#items.push(x); return this }\n"
        "  get size() { return this.#items.length } }"
    )

    assert await statuses(code, call("new Stack().push(1).push(2).size", "2")) == ["pass"]


async def test_examples_share_one_program_in_order() -> None:
    code = "let seen = []; const f = (x) => { seen.push(x); return seen }"

    assert await statuses(code, call("f(1)", "[1]"), call("f(2)", "[2]")) == ["pass", "fail"]


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("const f = (x) => x +;", "SyntaxError: Unexpected token ';' (line 1)"),
        ("const g = 1", "ReferenceError: f is not defined"),
        ("\nnull.x", "TypeError: Cannot read properties of null (reading 'x') (line 2)"),
        ("const f = () => f()", "RangeError: Maximum call stack size exceeded"),
    ],
)
async def test_what_the_code_throws_counts_against_it(code: str, detail: str) -> None:
    outcomes = await run(code, call("f()", "1"), call("f()", "2"))

    assert [(one.status, one.detail) for one in outcomes] == [("error", detail)] * 2


@pytest.mark.parametrize(
    "expression",
    ["f(a=1)", "f(x)", "f(lambda x: x)", "f({1, 2})", "console.log(1)", "f(globalThis)", "1 + 1"],
)
async def test_what_is_not_a_plain_call_in_javascript_is_not_run(expression: str) -> None:
    code = "function f() { return 1 }"

    assert await statuses(code, call(expression, "1")) == ["not_runnable"]


TYPED = """\
import type { Other } from './other'
interface Shape { area(): number }
type Pair<A, B = A> = [A, B]
declare const outside: number
abstract class Base<T> implements Shape {
  private readonly items: T[] = []
  protected static count?: number
  name!: string
  constructor(first?: T) { if (first !== undefined) this.items.push(first) }
  abstract later(): void
  area(): number { return this.items.length as number }
}
class Box extends Base<string> { override later(): void {} }
function pick(x: number): string
function pick(x: any): any { return x satisfies number }
const same = <T,>(x: T): x is T & {} => x as any
export function f<T extends number>(x: T, y?: string, ...rest: Array<T>): Pair<T> {
  const half = <unknown>x as number
  let found: Map<string, Array<number>> = new Map<string, Array<number>>([['a', [half!]]])
  return [found.get('a')![0], pick(x)] as any
}
export type { Shape }
export default f
"""


async def test_types_are_taken_out() -> None:
    outcomes = await run(
        TYPED, call("f(3)", "[3, 3]"), call("new Box('a').area()", "1"), language="typescript"
    )

    assert [outcome.status for outcome in outcomes] == ["pass", "pass"]


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("enum Color { Red }", "an enum"),
        ("namespace A { export const x = 1 }", "a namespace"),
        ("class A { constructor(private x: number) {} }", "a parameter property"),
        ("@sealed class A {}", "a decorator"),
        ("function f(this: Date) { return 1 }", "`this`"),
        ("import a = require('a')", "an import"),
    ],
)
async def test_what_is_more_than_a_type_is_said(code: str, named: str) -> None:
    report = await run_examples(code, "ts", [call("f(1)", "1")])

    assert report.reason is not None
    assert named in report.reason
    assert [outcome.status for outcome in report.outcomes] == ["not_runnable"]


async def test_an_endless_loop_costs_its_own_example_only() -> None:
    code = "const f = (x) => { while (x === 2) {} return x }"

    outcomes = await run(code, call("f(1)", "1"), call("f(2)", "2"), call("f(3)", "3"), seconds=1.0)

    assert [outcome.status for outcome in outcomes] == ["pass", "timeout", "pass"]


async def test_programs_do_not_meet_each_other() -> None:
    await run("globalThis.left = 1; Array.prototype.map = null; function f() {}", call("f()", "1"))

    (outcome,) = await run("const f = () => [typeof left, [1].map(x => x)]", call("f()", "1"))

    assert outcome.got == '["undefined", [1]]'


async def test_many_programs_at_once_have_their_own_answers() -> None:
    found = await asyncio.gather(
        *(run(f"const f = x => x + {n}", call("f(1)", str(n + 1))) for n in range(12))
    )

    assert [outcome.status for (outcome,) in found] == ["pass"] * 12


async def test_a_killed_worker_is_replaced() -> None:
    await run("const f = x => x", call("f(1)", "1"))
    for child in psutil.Process().children(recursive=True):
        if any("v8_worker" in part for part in child.cmdline()):
            child.kill()
            child.wait(5)

    found = [await statuses("const f = x => x", call("f(1)", "1")) for _ in range(3)]

    assert found[-1] == ["pass"]


async def test_no_examples_is_said() -> None:
    assert await run_examples("let x", "js", ()) == RunReport("v8", (), "no examples")
