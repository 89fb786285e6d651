"""Say where a grammar is known to complain about sound code, so that nobody is blamed for it.

Measured on system headers, PostgreSQL's scripts, style sheets and textbook programs: C and C++
before the preprocessor are not C, and no grammar knows every dialect of SQL, CSS and shells.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query, Tree

_WELL_KNOWN = re.compile(
    r"NULL|EOF|FILE|EXIT_(?:SUCCESS|FAILURE)|BUFSIZ|TODO|FIXME|[A-Z]+_(?:MAX|MIN)|SEEK_[A-Z]+"
)
_MACRO = re.compile(r"\b(?:[A-Z][A-Z0-9_]{2,}|_[A-Z_]\w+)\b")
_CONSTANT = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+[-(\"'\d]", re.MULTILINE)
_ENUMERATION = re.compile(r"\benum\b[^{};]{0,80}\{([^}]{0,4000})\}")
_DIRECTIVE = re.compile(r"#[ \t]*(?:if|ifdef|ifndef|else|elif|endif|define|pragma|undef)\b")
# Every repetition of spaces is bounded: the text may be half a megabyte of them.
_NOT_IN_STRINGS = re.compile(
    r"\"(?:\\[\s\S]|[^\"\\\n])*(?:\"|$)|//[^\n]*|/\*[\s\S]*?(?:\*/|\Z)", re.MULTILINE
)
_SQL_DIALECT = re.compile(
    r"\b(?:CHECK|CONSTRAINT|FOREIGN[ \t]{1,9}KEY|ON[ \t]{1,9}(?:CONFLICT|DUPLICATE)|FETCH|TOP|MERGE"
    r"|FUNCTION|PROCEDURE|TRIGGER|DELIMITER|DECLARE|PARTITION|COMMENT[ \t]{1,9}ON|GRANT|COPY|PRAGMA"
    r"|GENERATED|EXTENSION|SECURITY|USING[ \t]{1,9}INDEX|SECURITY_BARRIER|WITHIN|QUALIFY|PIVOT"
    r"|ENGINE|DO|CALL|EXEC(?:UTE)?)\b|^[ \t]{0,99}(?:VALUES\b|\\\w)|\$\w{0,60}\$|@\w",
    re.IGNORECASE | re.MULTILINE,
)
_C_RARE = re.compile(r",[ \t]{0,9}:[ \t]{0,9}\d")
_CPP_CALLS = re.compile(
    r"(?:->|\.|^[ \t]{0,99})operator\b|\bdecltype ?\([^()\n]{0,200}\) ?\{|\bconstexpr \w{1,99} ?\(",
    re.MULTILINE,
)
_SIMPLE_DOUBTS = {
    "bash": re.compile(
        r"[?*+@!]\(|\$\{\(|\$\(\(|\)[ \t]{0,9}\n\s{0,99}[{(]|<>"
        r"|<<-?[ \t]{0,9}[\\\w'\"]{1,60}[^\n]{0,200}(?:\|\||&&)"
    ),
    "css": re.compile(
        r"@(?:container|layer|property|scope|starting-style)\b|url\(|!\s\w|\*[\w-]{1,60}\s?:|progid"
        r"|\s[is]\]|&|\\|@media[^{]{0,300}[<>]"
    ),
    "html": re.compile(r"\{[{%#]|<[?%]|<!\["),
    "kotlin": re.compile(r"\bcontext ?\(|\bwhere\b|\bby\b|`"),
}
# What a grammar takes and its language does not: reserved words as names, bare parameters.
_QUERIES = {
    "ruby": "(identifier) @found",
    "sql": "(identifier) @found",
    "rust": "(function_item parameters: (parameters (type_identifier) @found))",
}
_RESERVED = {
    "ruby": frozenset({"end", "else", "elsif", "ensure", "when", "then"}),
    "sql": frozenset({"from", "where", "group", "having", "select", "join", "union"}),
}
_BRACKETS = {"css": "()[]{}", "sql": "()"}
_QUOTED = {
    "css": r"/\*[\s\S]*?(?:\*/|\Z)|url\([^\n\"')]{0,2000}\)|\\."
    r"|\"(?:\\[\s\S]|[^\"\\\n])*(?:\"|$)|'(?:\\[\s\S]|[^'\\\n])*(?:'|$)",
    "sql": r"/\*[\s\S]*?(?:\*/|\Z)|--[^\n]*|'[^']*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|`[^`]*(?:`|\Z)"
    r"|(\$\w{0,60}\$)[\s\S]*?(?:\1|\Z)",
}


@cache
def _query(language: str, grammar: "Language") -> "Query":
    from tree_sitter import Query

    return Query(grammar, _QUERIES[language])


def find_misfits(language: str, tree: "Tree") -> "list[Node]":
    """List what the grammar took and no compiler takes."""
    if language not in _QUERIES:
        return []
    from tree_sitter import QueryCursor

    nodes = QueryCursor(_query(language, tree.language)).captures(tree.root_node).get("found", [])
    reserved = _RESERVED.get(language)
    if reserved is None:
        return nodes
    return [node for node in nodes if (node.text or b"").decode().lower() in reserved]


def find_imbalance(language: str, code: str) -> int | None:
    """Return where a bracket has no partner, in a language whose grammar is in doubt."""
    pairs = _BRACKETS.get(language)
    if pairs is None:
        return None
    opened: list[tuple[str, int]] = []
    marks = re.compile(f"{_QUOTED[language]}|[{re.escape(pairs)}]", re.MULTILINE)
    for match in marks.finditer(code):
        if len(match[0]) > 1 or match[0] not in pairs:
            continue
        place = pairs.index(match[0])
        if place % 2 == 0:
            opened.append((match[0], match.start()))
        elif not opened or opened.pop()[0] != pairs[place - 1]:
            return match.start()
    return opened[-1][1] if opened else None


def relax(language: str, code: str) -> str | None:
    """Rewrite code that a grammar is known to stumble over; None where nothing is known.

    Kotlin's needs line breaks where the language takes a semicolon or a closing brace; HTML's
    takes no `>` in text and no XML declaration.
    """
    if language == "kotlin":
        apart = re.sub(r";(?![\"'])", ";\n", code)
        return re.sub(r"(?<![\"'])\}(?![\"'])", "\n}", apart)
    if language == "html":
        return re.sub(r"^\s*<\?xml[^>]*\?>", "", code)
    return None


def find_doubt(
    language: str, lines: list[str], *, first: int, last: int, message: str
) -> str | None:
    """Tell why an error in the lines `first` to `last` (from 1) may be the grammar's.

    None where it is an error of the code.
    """
    text = "\n".join(lines[max(first - 2, 0) : last])
    code = "\n".join(lines)
    if language == "sql":
        statement_end = code.find(";", len("\n".join(lines[:last])))
        read = code if statement_end < 0 else code[:statement_end]
        if construct := _SQL_DIALECT.search(read):
            return f"the grammar for sql may not know {construct[0].strip()[:40]}"
    if language == "html" and message.startswith("unexpected `>"):
        return "the grammar for html takes no `>` in text"
    simple = _SIMPLE_DOUBTS.get(language)
    if simple is not None and (construct := simple.search(text)):
        return f"the grammar for {language} may not know {construct[0].split()[0]}"
    return _doubt_c(language, code, text) if language in ("c", "cpp") else None


def _doubt_c(language: str, code: str, text: str) -> str | None:
    if language == "cpp" and (construct := _CPP_CALLS.search(text)):
        return f"the grammar for cpp may not know {construct[0]}"
    if construct := _C_RARE.search(text):
        return f"the grammar for {language} may not know {construct[0]}"
    if directive := _DIRECTIVE.search(text):
        return f"the grammar for {language} reads code before the preprocessor: {directive[0]}"
    known = set(_CONSTANT.findall(code))
    known.update(word for names in _ENUMERATION.findall(code) for word in re.findall(r"\w+", names))
    for name in _MACRO.findall(_NOT_IN_STRINGS.sub(" ", text)):
        if name not in known and not _WELL_KNOWN.fullmatch(name):
            return f"the grammar for {language} cannot know the macro {name[:40]}"
    return None
