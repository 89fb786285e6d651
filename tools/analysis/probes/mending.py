"""Mend what small models write: a line break where JSON escapes one, types without their import."""

import re
from typing import Final

MOST: Final = 50
_TYPES: Final = ("Any", "Callable", "Dict", "List", "Optional", "Set", "Tuple", "Union")
_OPEN: Final = re.compile(
    r"^(?P<before>(?:[^'\"\n#]|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")*"
    r"(?P<quote>['\"])(?:(?!(?P=quote))[^\\\n]|\\.)*)\n",
    re.M,
)


def mend_line_breaks(text: str) -> str:
    """Return the text with the line breaks inside single quotes and double quotes escaped."""
    for _ in range(MOST):
        mended = _OPEN.sub(lambda found: f"{found['before']}\\n", text, count=1)
        if mended == text:
            break
        text = mended
    return text


def with_imported_types(code: str) -> str:
    """Return the Python code with an import of what it uses of `typing`, where it has none."""
    used = [name for name in _TYPES if re.search(rf"\b{name}\b", code)]
    if not used or "typing" in code:
        return code
    return f"from typing import {', '.join(used)}\n{code}"
