"""Say where a grammar is known to complain about sound code, so that nobody is blamed for it.

Measured on system headers, PostgreSQL's scripts, style sheets and textbook programs: C and C++
before the preprocessor are not C, and no grammar knows every dialect of SQL, CSS and shells.
"""

import re

_WELL_KNOWN = re.compile(
    r"NULL|EOF|FILE|EXIT_(?:SUCCESS|FAILURE)|BUFSIZ|TODO|FIXME|[A-Z]+_(?:MAX|MIN)|SEEK_[A-Z]+"
)
_MACRO = re.compile(r"\b(?:[A-Z][A-Z0-9_]{2,}|_[A-Z_]\w+)\b")
_CONSTANT = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+[-(\"'\d]", re.MULTILINE)
_ENUMERATION = re.compile(r"\benum\b[^{};]{0,80}\{([^}]{0,4000})\}")
_DIRECTIVE = re.compile(r"#[ \t]*(?:if|ifdef|ifndef|else|elif|endif|define|pragma|undef)\b")
_NOT_IN_STRINGS = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|//[^\n]*|/\*[\s\S]*?\*/")
_SQL_DIALECT = re.compile(
    r"\b(?:CHECK|CONSTRAINT|FOREIGN\s+KEY|ON\s+CONFLICT|ON\s+DUPLICATE|FETCH|TOP|MERGE|FUNCTION"
    r"|PROCEDURE|TRIGGER|DELIMITER|DECLARE|PARTITION|COMMENT\s+ON|GRANT|COPY|PRAGMA|GENERATED"
    r"|WITHIN|QUALIFY|PIVOT|ENGINE|DO|CALL|EXEC(?:UTE)?)\b|^\s*VALUES\b|^\s*\\\w+|\$\w*\$|@\w+",
    re.IGNORECASE | re.MULTILINE,
)


_SIMPLE_DOUBTS = {
    "bash": re.compile(r"[?*+@!]\(|\$\{\(|\)\s*\n\s*[{(]"),
    "css": re.compile(r"@(?:container|layer|property|scope|starting-style)\b|url\("),
}


def find_doubt(language: str, code: str, *, lines: list[str]) -> str | None:
    """Tell why an error in `lines` of the code may be the grammar's; None where it is an error."""
    text = "\n".join(lines)
    if language == "sql" and (construct := _SQL_DIALECT.search(code)):
        return f"the grammar for sql may not know {construct[0].strip()[:40]}"
    simple = _SIMPLE_DOUBTS.get(language)
    if simple is not None and (construct := simple.search(text)):
        return f"the grammar for {language} may not know {construct[0].split()[0]}"
    if language not in ("c", "cpp"):
        return None
    if directive := _DIRECTIVE.search(text):
        return f"the grammar for {language} reads code before the preprocessor: {directive[0]}"
    known = set(_CONSTANT.findall(code))
    known.update(word for names in _ENUMERATION.findall(code) for word in re.findall(r"\w+", names))
    for name in _MACRO.findall(_NOT_IN_STRINGS.sub(" ", text)):
        if name not in known and not _WELL_KNOWN.fullmatch(name):
            return f"the grammar for {language} cannot know the macro {name[:40]}"
    return None
