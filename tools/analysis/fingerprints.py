"""Name a finding so that it is known again when lines have moved around it."""

import hashlib
import re
from typing import Final

_BLANKS: Final = re.compile(r"\s+")
LENGTH: Final = 16


def fingerprint(rule: str, quote: str) -> str:
    """Return 16 hexadecimal digits for a rule and the code it is about, however it is indented."""
    flat = _BLANKS.sub(" ", quote).strip()
    return hashlib.sha256(f"{rule}\0{flat}".encode("utf-8", "replace")).hexdigest()[:LENGTH]
