"""Mend what small models write into JSON: a line break where the program escapes one."""

import re
from typing import Final

MOST: Final = 50
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
