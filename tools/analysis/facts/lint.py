"""Run ruff and oxlint over code for what is a mistake, never for style or taste.

Both run without the user's configuration and without the comments that switch rules off: a fact
stays one when its author does not want to hear it.
"""

import json
import re
import tempfile
from asyncio import to_thread
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.analysis.facts.external import find_program, run_program
from tools.analysis.facts.fact import MAX_MESSAGE, Fact, Severity, Unusable, in_order
from tools.analysis.syntax import SyntaxProblem, make_problem, split_lines

MAX_PARSE_ERRORS: Final = 20


def _by_rule(lists: dict[Severity, str]) -> dict[str, Severity]:
    return {rule: severity for severity, rules in lists.items() for rule in rules.split()}


# Fails when it runs, or never does what it says.
_PYTHON_HIGH: Final = """
    F502 F503 F505 F506 F507 F508 F509 F501 F521 F524 F525 F631 F632 F634 F821 F823
    PLE0100 PLE0101 PLE0237 PLE0241 PLE0302 PLE0303 PLE0305 PLE0307 PLE0308 PLE0309 PLE0643
    PLE1300 PLE1307 PLE1507 PLW0133 PLW0177 PLW0245 PLW0711 PLW1501 PLW2101
    B002 B016 B029 B030 RUF016 SIM220 SIM221 SIM222 SIM223
"""
# Does something, and rarely what was meant; or lets a stranger in.
_PYTHON_MEDIUM: Final = """
    F402 F504 F522 F523 F601 F602 F633 F811 F822 F901
    PLE0604 PLE0605 PLE0704 PLE1205 PLE1206 PLE1310 PLE1519 PLE1520
    PLW0127 PLW0128 PLW0129 PLW0211 PLW0642 PLR0124 PLR0206
    B003 B005 B006 B012 B015 B020 B021 B022 B023 B025 B031 B032 B035
    RUF008 RUF024 RUF030 RUF034 S307 S501 S506 S608
"""
# Harmless as it stands, and often the trace of a slip.
_PYTHON_LOW: Final = "F841 PLW0120 PLR0133 B018 B033 RUF040 ASYNC251"

PYTHON_RULES: Final[dict[str, Severity]] = _by_rule(
    {"high": _PYTHON_HIGH, "medium": _PYTHON_MEDIUM, "low": _PYTHON_LOW}
)
# Where ruff's own words propose an edit instead of naming the mistake.
_PYTHON_WORDS: Final = {
    "SIM220": "this condition is always false",
    "SIM221": "this condition is always true",
    "SIM222": "this condition does not depend on all of its parts: `or` with a constant",
    "SIM223": "this condition does not depend on all of its parts: `and` with a constant",
}

# In oxlint's category `correctness` and yet a matter of taste, or noise in one file by itself.
_SCRIPT_OFF: Final = """
    no-useless-escape no-useless-rename no-extra-boolean-cast no-empty-pattern no-unused-labels
    no-debugger no-control-regex no-eval no-empty-static-block no-useless-catch require-yield
    no-irregular-whitespace no-shadow-restricted-names no-iterator no-caller no-with
    no-unused-private-class-members oxc/missing-throw
    unicorn/no-empty-file unicorn/no-new-array unicorn/no-useless-length-check
    unicorn/no-useless-spread unicorn/no-useless-fallback-in-spread unicorn/prefer-set-size
    unicorn/prefer-string-starts-ends-with unicorn/no-single-promise-in-promise-methods
    unicorn/no-unnecessary-await unicorn/no-thenable typescript/no-this-alias
    typescript/prefer-as-const typescript/prefer-namespace-keyword typescript/triple-slash-reference
    typescript/no-wrapper-object-types typescript/no-useless-empty-export
    typescript/no-useless-default-assignment
    typescript/no-unnecessary-parameter-property-assignment
"""
# The rest of the category is high: it fails, or never does what it says.
_SCRIPT_MEDIUM: Final = """
    no-cond-assign no-constant-condition no-self-assign no-sparse-arrays no-unsafe-finally
    no-unreachable only-used-in-recursion no-loss-of-precision no-misleading-character-class
    no-useless-backreference no-nonoctal-decimal-escape no-async-promise-executor getter-return
    no-unsafe-declaration-merging no-delete-var no-global-assign
"""
_SCRIPT_LOW: Final = "no-unused-vars no-unused-expressions no-unassigned-vars"
_SCRIPT_RULES: Final = _by_rule({"medium": _SCRIPT_MEDIUM, "low": _SCRIPT_LOW})
_SCRIPT_CONFIGURATION: Final = {
    "plugins": ["oxc", "unicorn", "typescript"],
    "categories": {"correctness": "error"},
    "rules": dict.fromkeys(_SCRIPT_OFF.split(), "off")
    | {
        "no-unused-vars": ["error", {"args": "none", "caughtErrors": "none"}],
        "no-unused-expressions": ["error", {"allowShortCircuit": True, "allowTernary": True}],
        "no-constant-condition": ["error", {"checkLoops": False}],
    },
}
_SWITCH_OFF: Final = re.compile(r"(eslint|oxlint)-(?=disable|enable)", re.IGNORECASE)
_SUFFIXES: Final = {"javascript": ".jsx", "typescript": ".ts", "tsx": ".tsx"}
SCRIPT_LANGUAGES: Final = frozenset(_SUFFIXES)


@dataclass(frozen=True)
class ScriptReport:
    """What oxlint said: its facts, and the errors of its parser, which knows the language."""

    facts: tuple[Fact, ...]
    parse_errors: tuple[SyntaxProblem, ...]


async def run_ruff(code: str, *, seconds: float) -> tuple[Fact, ...]:
    """Return ruff's findings on Python; Unusable where it gives none, as for broken code."""
    command = [
        find_program("ruff"),
        *("check", "-", "--isolated", "--no-cache", "--ignore-noqa", "--quiet", "--exit-zero"),
        *("--select", ",".join(PYTHON_RULES), "--target-version", "py314"),
        *("--output-format", "json", "--stdin-filename", "submission.py"),
    ]
    finished = await run_program(
        command, stdin=_encode(code), folder=Path(tempfile.gettempdir()), seconds=seconds
    )
    found = _read_json(finished.output, code=finished.code)
    if not isinstance(found, list):
        raise Unusable("its answer is not understood")
    if any(each.get("code") not in PYTHON_RULES for each in found):
        raise Unusable("the code does not parse")
    return _once(_python_fact(each) for each in found)


async def run_oxlint(code: str, language: str, *, seconds: float) -> ScriptReport:
    """Return oxlint's findings on JavaScript, TypeScript or TSX, and its parser's errors."""
    program = find_program("oxlint")
    code = code.removeprefix("\ufeff")
    data = _encode(_SWITCH_OFF.sub(r"\1_", code))
    # A folder of its own: oxlint reads no standard input, and looks around for configuration.
    # Made here and not in a thread: who is cancelled while it waits for one leaves it behind.
    with tempfile.TemporaryDirectory(prefix="facts-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        source, configuration = folder / f"submission{_SUFFIXES[language]}", folder / "chosen.json"
        await to_thread(source.write_bytes, data)
        await to_thread(configuration.write_text, json.dumps(_SCRIPT_CONFIGURATION))
        command = [
            program,
            *("--config", configuration.name, "--disable-nested-config", "--no-ignore"),
            *("--format", "json", "--threads", "1", source.name),
        ]
        finished = await run_program(command, stdin=b"", folder=folder, seconds=seconds)
    answer = _read_json(finished.output, code=finished.code)
    if not isinstance(answer, dict) or answer.get("number_of_files") != 1:
        raise Unusable("its answer is not understood")
    diagnostics = [each for each in answer["diagnostics"] if each.get("labels")]
    errors = [each for each in diagnostics if each.get("code") is None]
    if errors:
        problems = [_parse_error(each, code, data=data) for each in errors[:MAX_PARSE_ERRORS]]
        return ScriptReport(facts=(), parse_errors=tuple(problems))
    mistakes = [each for each in diagnostics if not _is_for_others(each, data=data)]
    return ScriptReport(
        facts=_once(_script_fact(each, data=data) for each in mistakes), parse_errors=()
    )


def _encode(code: str) -> bytes:
    return code.encode("utf-8", "replace")


def _read_json(output: bytes, *, code: int) -> Any:
    try:
        return json.loads(output)
    except ValueError:
        raise Unusable(f"it ended with code {code} and no answer") from None


def _once(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Keep the first of equal messages: one name may be misspelt in a hundred places."""
    first: dict[tuple[str, str], Fact] = {}
    for fact in sorted(facts, key=lambda fact: fact.line):
        first.setdefault((fact.rule, fact.message), fact)
    return in_order(first.values())


def _python_fact(found: dict[str, Any]) -> Fact:
    code = found["code"]
    line, end_line = found["location"]["row"], found["end_location"]["row"]
    ends_before = found["end_location"]["column"] == 1 and end_line > line
    return Fact(
        analyzer="ruff",
        rule=f"ruff/{code}",
        line=line,
        end_line=end_line - 1 if ends_before else end_line,
        message=_PYTHON_WORDS.get(code, str(found["message"]))[:MAX_MESSAGE],
        severity=PYTHON_RULES[code],
    )


def _is_for_others(found: dict[str, Any], *, data: bytes) -> bool:
    """Tell a name that is defined at the top, where another file or a page may use it."""
    if not str(found["code"]).endswith("(no-unused-vars)"):
        return False
    start = found["labels"][0]["span"]["offset"]
    line = data[max(data.rfind(b"\n", 0, start), data.rfind(b"\r", 0, start)) + 1 :]
    return not line[:1].isspace()


def _script_fact(found: dict[str, Any], *, data: bytes) -> Fact:
    name = str(found["code"]).rpartition("(")[2].rstrip(")")
    line, _, end_line = _place(found, data=data)
    return Fact(
        analyzer="oxlint",
        rule=f"oxlint/{name}",
        line=line,
        end_line=end_line,
        message=str(found["message"])[:MAX_MESSAGE],
        severity=_SCRIPT_RULES.get(name, "high"),
    )


def _parse_error(found: dict[str, Any], code: str, *, data: bytes) -> SyntaxProblem:
    line, column, end_line = _place(found, data=data)
    message = str(found["message"])[:MAX_MESSAGE]
    return make_problem(code, line, column=column, end_line=end_line, message=message)


def _place(found: dict[str, Any], *, data: bytes) -> tuple[int, int, int]:
    """Return line, column and last line, 1-based, of the label that tells the mistake.

    Of several it is the last: the first is where the name or the key was defined.
    """
    unused = str(found.get("code")).endswith("(no-unused-vars)")
    span = found["labels"][0 if unused else -1]["span"]
    start, end = span["offset"], span["offset"] + span["length"]
    before = split_lines(data[:start].decode("utf-8", "replace"))
    inside = split_lines(data[start:end].decode("utf-8", "replace").rstrip("\r\n"))
    return len(before), len(before[-1]) + 1, len(before) + len(inside) - 1
