"""Find parse errors with their positions, in every language that has a grammar here."""

import importlib
import re
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tools.analysis.examples.expressions import silent_warnings
from tools.analysis.grammar_limits import find_doubt, find_imbalance, find_misfits, relax

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Tree

MAX_CHARACTERS = 500_000
MAX_PROBLEMS = 20
MAX_TEXT = 200
PARSE_SECONDS = 1.0

_ALIASES = {
    "python": "python py py3 python3 cpython pyi",
    "javascript": "javascript js jsx mjs cjs node nodejs ecmascript javascriptreact",
    "typescript": "typescript ts mts cts",
    "tsx": "tsx typescriptreact",
    "java": "java",
    "go": "go golang",
    "rust": "rust rs",
    "c": "c h c99 c11",
    "cpp": "cpp c++ cc cxx hpp hxx cplusplus",
    "csharp": "csharp c# cs c-sharp c_sharp",
    "php": "php",
    "ruby": "ruby rb",
    "bash": "bash sh shell shellscript",
    "kotlin": "kotlin kt kts",
    "html": "html htm xhtml",
    "css": "css",
    "sql": "sql postgresql postgres mysql sqlite",
}
_LANGUAGES = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}

_GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "java": ("tree_sitter_java", "language"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "csharp": ("tree_sitter_c_sharp", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "php_only": ("tree_sitter_php", "language_php_only"),
    "ruby": ("tree_sitter_ruby", "language"),
    "bash": ("tree_sitter_bash", "language"),
    "kotlin": ("tree_sitter_kotlin", "language"),
    "html": ("tree_sitter_html", "language"),
    "css": ("tree_sitter_css", "language"),
    "sql": ("tree_sitter_sql", "language"),
}

# TypeScript may hold elements, and a C header may be C++.
_WIDER = {"typescript": "tsx", "c": "cpp"}

_LINE_BREAK = re.compile(r"\r\n|\n|\r")
# Written for a Python newer than the one that runs us: PEP 695, 701, 750, 758.
_NEWER_PYTHON = re.compile(
    r"^\s*(?:async\s+)?(?:def|class)\s+\w+\s*\[|^\s*type\s+\w+|^\s*except\s+[\w.]+\s*,|\b[rR]?[tT]['\"]"
)


@dataclass(frozen=True)
class SyntaxProblem:
    """One parse error; lines and column are 1-based, the lines inclusive."""

    line: int
    column: int
    end_line: int
    message: str
    text: str


@dataclass(frozen=True)
class SyntaxReport:
    """What the parsers said; `checked=False` carries the reason and proves nothing."""

    language: str
    checked: bool
    reason: str | None
    problems: tuple[SyntaxProblem, ...]


def normalise_language(language: str) -> str | None:
    """Give the name used here for a language's label, extension or nickname; None if unknown."""
    return _LANGUAGES.get(language.strip().lower().lstrip("."))


def split_lines(code: str) -> list[str]:
    """Split as editors and compilers count lines: CRLF, LF and CR, nothing else."""
    return _LINE_BREAK.split(code)


def check_syntax(code: str, language: str) -> SyntaxReport:
    """Parse without executing, in at most about `PARSE_SECONDS` seconds; never raises."""
    name = normalise_language(language)
    if name is None:
        label = language.strip()[:40]
        return SyntaxReport(label, False, f"no grammar for the language {label!r}", ())
    if len(code) > MAX_CHARACTERS:
        return SyntaxReport(name, False, f"longer than {MAX_CHARACTERS} characters", ())
    code = code.removeprefix("\ufeff")
    try:
        return _check_python(code) if name == "python" else _check_grammar(code, name)
    except (RecursionError, MemoryError):
        return SyntaxReport(name, False, "nested too deeply to parse", ())
    except ImportError:
        return SyntaxReport(name, False, f"the grammar for {name} is not installed", ())


def parse_code(data: bytes, language: str) -> "Tree | None":
    """Parse UTF-8 as well as it goes; None where no grammar knows `language`, or it takes too long.

    The tree has nodes for errors where the code has them.
    """
    name = normalise_language(language)
    if name is None:
        return None
    grammar = "php_only" if name == "php" and b"<?" not in data else name
    try:
        return _parse(data, grammar)
    except ImportError:
        return None


def _check_python(code: str) -> SyntaxReport:
    try:
        with silent_warnings():
            compile(code, "<code>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return _unreadable_python(code, error)
    except UnicodeEncodeError as error:
        return _report("python", [_lone_surrogate(code, error)])
    except ValueError:
        # Before Python 3.11.4 a null byte is this.
        return _report("python", [_null_byte(code)])
    except (RecursionError, MemoryError):
        return _check_grammar(code, "python")
    return SyntaxReport("python", True, None, ())


def _unreadable_python(code: str, error: SyntaxError) -> SyntaxReport:
    if "null bytes" in str(error):
        return _report("python", [_null_byte(code)])
    problem = _python_problem(error, code)
    if _is_newer_python(error, code, problem) and not _check_grammar(code, "python").problems:
        reason = "uses syntax newer than the Python here; checked by grammar only"
        return SyntaxReport("python", True, reason, ())
    return _report("python", [problem])


def _is_newer_python(error: SyntaxError, code: str, problem: SyntaxProblem) -> bool:
    if sys.version_info >= (3, 14) or isinstance(error, IndentationError):
        return False
    line = split_lines(code)[problem.line - 1]
    return str(error.msg).startswith("f-string") or bool(_NEWER_PYTHON.search(line))


def _python_problem(error: SyntaxError, code: str) -> SyntaxProblem:
    count = len(split_lines(code))
    line = min(max(error.lineno or 1, 1), count)
    end_line = min(max(error.end_lineno or line, line), count)
    return make_problem(
        code, line, column=max(error.offset or 1, 1), end_line=end_line, message=str(error.msg)
    )


def _null_byte(code: str) -> SyntaxProblem:
    before = split_lines(code[: code.index("\0")])
    line = len(before)
    return make_problem(
        code,
        line,
        column=len(before[-1]) + 1,
        end_line=line,
        message="a null byte is not text",
    )


def _lone_surrogate(code: str, error: UnicodeEncodeError) -> SyntaxProblem:
    line = len(split_lines(code[: error.start]))
    return make_problem(code, line, column=1, end_line=line, message="a lone surrogate is not text")


def _check_grammar(code: str, name: str) -> SyntaxReport:
    grammar = name
    if name == "php" and "<?" not in code:
        grammar = "php_only"
    data = code.encode("utf-8", "replace")
    tree = _parse(data, grammar)
    if tree is None:
        return SyntaxReport(name, False, f"parsing took longer than {PARSE_SECONDS:g} s", ())
    if name in _WIDER and tree.root_node.has_error:
        wider = _parse(data, _WIDER[name])
        if wider is not None and not wider.root_node.has_error:
            return SyntaxReport(name, True, None, ())
    if not tree.root_node.has_error:
        misfits = find_misfits(name, tree)
        return _report(
            name, [_node_problem(node, code, data=data) for node in misfits[:MAX_PROBLEMS]]
        )
    relaxed = relax(name, code)
    if relaxed is not None:
        other = _parse(relaxed.encode("utf-8", "replace"), grammar)
        if other is not None and not other.root_node.has_error:
            return SyntaxReport(name, True, None, ())
    return _judge_errors(tree, code, name=name, data=data)


def _judge_errors(tree: "Tree", code: str, *, name: str, data: bytes) -> SyntaxReport:
    problems: list[SyntaxProblem] = []
    lines = split_lines(code)
    for node in _error_nodes(tree.root_node):
        one = _node_problem(node, code, data=data)
        doubt = find_doubt(name, lines, first=one.line, last=one.end_line, message=one.message)
        if doubt is None:
            problems.append(one)
            continue
        # One misread construct makes the grammar stumble over what follows it.
        place = find_imbalance(name, code) if not problems else None
        if place is not None:
            problems.append(_lone_bracket(code, place))
        return _report(name, problems) if problems else SyntaxReport(name, False, doubt, ())
    return _report(name, problems)


def _lone_bracket(code: str, place: int) -> SyntaxProblem:
    before = split_lines(code[:place])
    line, column = len(before), len(before[-1]) + 1
    message = f"`{code[place]}` has no partner"
    return make_problem(code, line, column=column, end_line=line, message=message)


@cache
def _grammar(name: str) -> "Language":
    from tree_sitter import Language

    module, function = _GRAMMARS[name]
    return Language(getattr(importlib.import_module(module), function)())


def _parse(data: bytes, grammar: str) -> "Tree | None":
    from tree_sitter import Parser

    parser = Parser(_grammar(grammar))
    deadline = time.monotonic() + PARSE_SECONDS
    try:
        return parser.parse(
            lambda offset, _: data[offset : offset + 65_536],
            progress_callback=lambda *_: time.monotonic() > deadline,
        )
    except ValueError:
        return None


def _error_nodes(root: "Node") -> list["Node"]:
    """List ERROR and MISSING nodes in reading order, the outermost of each nest."""
    found: list[Node] = []
    waiting = [root]
    while waiting and len(found) < MAX_PROBLEMS:
        node = waiting.pop()
        if node.is_missing or (node.is_error and node.parent is not None):
            found.append(node)
        elif node.has_error:
            below = [child for child in node.children if child.has_error or child.is_missing]
            waiting.extend(reversed(below))
            if not below:
                found.append(node)
    return found


def _node_problem(node: "Node", code: str, *, data: bytes) -> SyntaxProblem:
    before = split_lines(data[: node.start_byte].decode("utf-8", "replace"))
    line, column = len(before), len(before[-1]) + 1
    written = data[node.start_byte : min(node.end_byte, node.start_byte + 400)]
    words = written.decode("utf-8", "replace").strip().split()
    if node.is_missing:
        message = f"missing `{node.type}`"
    elif words:
        message = f"unexpected `{words[0][:40]}`"
    else:
        message = "unexpected end"
    inside = data[node.start_byte : node.end_byte].decode("utf-8", "replace").rstrip("\r\n")
    end_line = line + len(split_lines(inside)) - 1
    return make_problem(code, line, column=column, end_line=end_line, message=message)


def make_problem(
    code: str, line: int, *, column: int, end_line: int, message: str
) -> SyntaxProblem:
    """Make a problem whose lines are inside of the code, with the text of its first line."""
    lines = split_lines(code)
    line = min(line, len(lines))
    text = lines[line - 1].strip()[:MAX_TEXT]
    return SyntaxProblem(line, column, min(max(end_line, line), len(lines)), message, text)


def _report(name: str, problems: list[SyntaxProblem]) -> SyntaxReport:
    return SyntaxReport(name, True, None, tuple(problems[:MAX_PROBLEMS]))
