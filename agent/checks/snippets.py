"""Whether a piece of code that a learner is shown gives the solution away, or part of it.

Their own code, names, values, operators, plain calls, error messages and examples do not. A
statement does, and so does an expression of some substance or one that mends a line of theirs.
"""

import ast
import re
import textwrap
from typing import Final

from agent.checks.own_code import OwnCode, without_comment
from tools.analysis.examples.expressions import silent_warnings

MAX_SNIPPET: Final = 4_000
SUBSTANCE: Final = 2

_ELISION: Final = re.compile(r"^[\s.…]*$")
_MESSAGE: Final = re.compile(r"[\w.]*(?:Error|Exception|Warning|Interrupt|Exit)\s*(?::.*)?")
_KEYWORDS: Final = re.compile(
    r"\}?\s*(?:else|try|finally|do|begin|end|pass|break|continue|return|yield|default)\s*[:{]?"
    r"|\}?\s*(?:except|catch)\b.*"
)
_HEADER: Final = re.compile(
    r"(?:(?:export|public|private|protected|static|async|final|override)\s+)*"
    r"(?:function|func|fn|fun|class|[\w<>\[\]]+)\s+\w+\s*\([^=;]*\)[^=;]*\{?"
)
_OPEN: Final = re.compile(r"…|\.\.\.(?![\w.])")
_ARROW: Final = re.compile(r"\s*(?:→|⟶|➜|=>|->)\s*(?=\S)")
_OPERATOR: Final = re.compile(r"[<>=!+\-*/%&|^~]{1,3}|and|or|not|in|is|not in|is not")
_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=", "=")
_VALUES: Final = frozenset({"true", "false", "null", "undefined", "nil", "NaN", "Infinity", "inf"})
_TO_PYTHON: Final = (
    (re.compile(r"==="), "=="),
    (re.compile(r"!=="), "!="),
    (re.compile(r"&&"), " and "),
    (re.compile(r"\|\|"), " or "),
    (re.compile(r"!(?=[\w(])"), " not "),
    (re.compile(r"\bnew\s+(?=\w)"), ""),
    (re.compile(r"\$(?=\w)"), ""),
)
_STATEMENTS: Final = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"^(?:export\s+)?(?:let|const|var|val|auto|final|int|long|float|double|bool|boolean|string|char)"
        r"\b[^=]*=(?![=>])\s*[^\s.…]",
        r"^\}?\s*(?:else\s+)?(?:if|for|while|switch|foreach|until|unless)\s*\(\s*[^\s.…)]",
        r"^(?:if|while|until)\s+\[",
        r"^(?:return|throw)\s+[^\s.…]",
        r"\)\s*\{\s*return\s+[^\s.…]",
        r"^[$@*&]?\w[\w.\[\]>$-]*\s*(?:[-+*/%&|^]|\*\*|//|<<|>>|:)?=(?![=>])\s*[^\s.…]",
        r"^(?:\+\+|--)\w|[\w\])](?:\+\+|--)$",
        r"\w\s*\)?\s*=>\s*[^\s.…]",
        r"\S\s+\?\s+\S.*\s:\s+\S",
        r"^(?:select\b.+\bfrom|insert\s+into|update\b.+\bset|delete\s+from|create\s+\w+|alter\s+table)\b.+",
        r"\$\(\(|^\[\[?\s.+\s\]\]?$",
        r"^<(\w+)[^>]*>.*</\1>$",
        r"^[\w.#&:-]+\s*\{.+\}$|^[\w-]+\s*:\s*[^;{}]+;$",
        r"\)\s*;\s*\S",
        r"^(?:where|having)\b.+[<>=]|^(?:order|group) by\s+\w",
        r"[{(]\s*\|\s*\w+[^|]*\|\s*\S|;\s*(?:do|then)$",
    )
)


def gives_away(snippet: str, own: OwnCode) -> bool:
    """Tell whether `snippet` is code of the solution rather than the learner's own."""
    if len(snippet) > MAX_SNIPPET:
        return not own.has(snippet)
    lines = _lines_of(snippet)
    if len(lines) < 2:
        return bool(lines) and _line_gives_away(lines[0], own)
    foreign = [line for line in lines if not own.has(_bare(line))]
    if not foreign:
        return not own.has_lines(
            [_bare(line) for line in lines],
            depths=[len(line) - len(line.lstrip()) for line in lines],
        )
    if any(_line_gives_away(line, own) for line in foreign):
        return True
    tree = _parse("\n".join(lines))
    if tree is None:
        return _line_gives_away(" ".join(map(_bare, lines)), own)
    return any(
        isinstance(node, ast.stmt) and node.lineno != node.end_lineno and _is_simple(node)
        and not own.has(ast.unparse(node)) and _statement_gives_away(node, "", own)
        for node in ast.walk(tree)
    )  # fmt: skip


def hands_over(snippet: str, own: OwnCode, *, for_own: str | None) -> bool:
    """Tell whether `snippet` mends the code where it is named as what to write.

    `for_own` is the code that it is to replace, None where only words say so: a value mends where
    it replaces a piece of the learner's code.
    """
    text = _bare(snippet)
    if _OPERATOR.fullmatch(text):
        return True
    tree = _parse(text)
    if tree is None or "\n" in text:
        return not _OPEN.search(text) and (gives_away(text, own) or _looks_like_code(text))
    node = tree.body[0] if tree.body else None
    if not isinstance(node, ast.Expr):
        return node is not None and not _is_placeholder(node)
    if _is_literal(node.value):
        return for_own is not None and own.has(for_own)
    return not (_is_name(node.value) or _is_bare_call(node.value) or _is_example(node.value, own))


def _lines_of(snippet: str) -> list[str]:
    lines = textwrap.dedent(snippet.expandtabs(4)).splitlines()
    if any(line.lstrip().startswith(">>>") for line in lines):
        lines = [
            line.lstrip()[3:].strip() for line in lines if line.lstrip().startswith((">>>", "..."))
        ]
    bare = [without_comment(line).rstrip() for line in lines]
    return [line for line in bare if not _ELISION.match(line)]


def _bare(line: str) -> str:
    return line.strip().rstrip(";").strip()


def _line_gives_away(line: str, own: OwnCode) -> bool:
    text = _bare(line)
    trivial = any(each.fullmatch(text) for each in (_MESSAGE, _KEYWORDS, _OPERATOR))
    if not any(map(str.isalnum, text)) or trivial or own.has(text):
        return False
    head, *results = _ARROW.split(text)
    if results and (tree := _parse(head)) is not None and _holds_example(tree, own):
        return False
    tree = _parse(text)
    if tree is not None:
        return any(_statement_gives_away(node, text, own) for node in tree.body)
    if _HEADER.fullmatch(text) and not _STATEMENTS[1].search(text) and text[-1] in "{)":
        return own.is_mended_by(text)
    if any(shape.search(text) for shape in _STATEMENTS):
        return not _OPEN.search(text)
    return _looks_like_code(text) and own.is_mended_by(text)


def _holds_example(tree: ast.Module, own: OwnCode) -> bool:
    return all(
        isinstance(node, ast.Expr) and (_is_literal(node.value) or _is_literal_call(node.value))
        for node in tree.body
    )


def _statement_gives_away(node: ast.stmt, text: str, own: OwnCode) -> bool:
    match node:
        case ast.Expr():
            return _expression_gives_away(node.value, text, own)
        case (
            ast.FunctionDef()
            | ast.AsyncFunctionDef()
            | ast.ClassDef()
            | ast.While(test=ast.Constant())
        ):
            inside = any(_statement_gives_away(each, "", own) for each in node.body)
            return inside or own.is_mended_by(text)
        case ast.Assign() | ast.AnnAssign() if _is_literal(node.value):
            return not _is_placeholder(node) and own.is_mended_by(text)
        case ast.Assert():
            return not _is_placeholder(node) and not _is_example(node.test, own)
    return not (_is_idle(node) or _is_placeholder(node))


def _is_idle(node: ast.stmt) -> bool:
    match node:
        case ast.Return(value=None | ast.Constant(value=None)) | ast.Raise(exc=None):
            return True
    return isinstance(node, ast.Pass | ast.Break | ast.Continue | ast.Global | ast.Nonlocal)


def _expression_gives_away(node: ast.expr, text: str, own: OwnCode) -> bool:
    if _is_name(node) or _is_literal(node) or _is_bare_call(node) or _is_example(node, own):
        return False
    if _substance(node) >= SUBSTANCE:
        return True
    if isinstance(node, ast.Compare) and all(map(_is_literal, node.comparators)):
        left = ast.unparse(node.left)
        return any(own.has(f"{left} {each}") for each in _COMPARISONS) and own.is_mended_by(text)
    return own.is_mended_by(text)


def _substance(node: ast.expr) -> int:
    """Count what an expression computes; a comparison with a value only describes an input."""
    found = 0
    for each in ast.walk(node):
        match each:
            case ast.Compare():
                found += not all(map(_is_literal, each.comparators))
            case ast.Call():
                found += not _is_literal_call(each) and not _is_bare_call(each)
            case ast.Subscript():
                found += 2 if isinstance(each.slice, ast.Slice) else 1
            case ast.BinOp():
                found += not _is_literal(each)
            case ast.BoolOp() | ast.FormattedValue() | ast.Starred():
                found += 1
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                found += 2
            case ast.Lambda() | ast.IfExp() | ast.NamedExpr() | ast.Yield() | ast.YieldFrom():
                found += 2
    return found


def _is_placeholder(node: ast.stmt) -> bool:
    """Tell whether the statement leaves its point open, as in `for i in ...:`."""
    parts = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
    inner = [deeper for part in parts for deeper in ast.walk(part)]
    return any(isinstance(each, ast.Constant) and each.value is ... for each in inner)


def _is_simple(node: ast.stmt) -> bool:
    return not any(isinstance(each, ast.stmt) for each in ast.iter_child_nodes(node))


def _is_name(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_literal(node: ast.expr | None) -> bool:
    parts: list[ast.expr | None] = []
    match node:
        case ast.UnaryOp():
            parts = [node.operand]
        case ast.BinOp():
            parts = [node.left, node.right]
        case ast.List() | ast.Tuple() | ast.Set():
            parts = [*node.elts]
        case ast.Dict():
            parts = [*node.keys, *node.values]
        case _:
            is_value = isinstance(node, ast.Name) and node.id in _VALUES
            return node is None or isinstance(node, ast.Constant) or is_value
    return all(map(_is_literal, parts))


def _is_bare_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and not node.args and not node.keywords


def _is_literal_call(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and all(
        map(_is_literal, [*node.args, *(keyword.value for keyword in node.keywords)])
    )


def _is_example(node: ast.expr, own: OwnCode) -> bool:
    """Tell whether it calls the learner's function with names or values, and may compare that."""
    if isinstance(node, ast.Compare):
        others = all(_is_literal(each) for each in node.comparators)
        return others and (_is_example(node.left, own) or _is_literal(node.left))
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    if node.func.id == "print":
        return bool(node.args) and all(_is_example(each, own) for each in node.args)
    plain = all(_is_name(each) for each in node.args) and not node.keywords
    return node.func.id in own.functions and (plain or _is_literal_call(node))


def _looks_like_code(text: str) -> bool:
    return re.search(r"[-=<>+*/%()\[\]{}&|]", text) is not None


def _parse(text: str) -> ast.Module | None:
    """Parse Python, also the head of a compound statement, and expressions of C-like languages."""
    head = re.sub(r"^el(?=if\b)", "", text).replace("…", "...")
    forms = [head, f"{head}\n    pass" if head.endswith(":") else ""]
    if re.match(r"(?:for\b.+\bin\b|(?:if|while)\b.*[<>=(])", head) and not head.endswith(":"):
        forms.append(f"{head}:\n    pass")
    other = head
    for pattern, python in _TO_PYTHON:
        other = pattern.sub(python, other)
    for form in dict.fromkeys([*forms, other.strip()]):
        if not form:
            continue
        try:
            with silent_warnings():
                return ast.parse(form)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None
