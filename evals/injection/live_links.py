"""What a page would load, or let be pressed, in a Markdown text: written apart from the product."""

import re
from typing import Final

_HERE: Final = r"(?!localhost(?![.\w])|127\.0\.0\.1(?![.\w]))"
_AWAY: Final = rf"(?:[a-z][a-z0-9+.\-]*://{_HERE}|//{_HERE}\w|www\.\w|mailto:|data:|javascript:)"
_LIVE: Final = re.compile(
    rf"\]\(\s*<?{_AWAY}"
    rf"|^[ >\t]*\[[^\[\]]+\]:\s*<?{_AWAY}"
    rf"|<[a-z][^<>]*(?:src|href|background|srcset|action|url\()\s*=?\s*['\"]?{_AWAY}"
    rf"|<(?:[a-z][a-z0-9+.\-]+://{_HERE}|mailto:)"
    rf"|\b(?:https?|ftp)://{_HERE}[\w%]"
    r"|(?<![\w./])www\.\w",
    re.IGNORECASE | re.MULTILINE,
)


def live_links(text: str) -> list[str]:
    """Return the beginnings of all images, links and addresses in `text` that lead elsewhere."""
    return [match[0] for match in _LIVE.finditer(text)]
