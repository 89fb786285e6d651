"""Take the life out of addresses in a model's words: nobody loads or follows what it has written.

A text that was pasted from somewhere can ask the model for an image or a link whose address holds
what it has read; a chat page loads the one by itself and makes the other easy to press. A space in
the right place makes each of them plain text, which still says what was meant. Addresses of the
learner's own machine carry nothing away and stay.
"""

import re
from collections.abc import Callable
from typing import Final

_TAGS: Final = (
    "a|audio|base|body|div|embed|font|form|frame|iframe|image|img|input|li|link|meta|object|p"
    "|picture|script|section|source|span|style|svg|table|td|track|ul|video"
)
_LIVE: Final = re.compile(
    r"(?P<link>\])(?=\()"
    r"|(?P<definition>\])(?=:\s{0,80}<?(?://|[a-z][a-z0-9+.\-]{1,20}:))"
    r"|(?P<scheme>:)(?=//(?!(?:localhost|127\.0\.0\.1)(?:[:/\s]|\Z)))"
    r"|(?P<host>www)(?=\.[^\W_])"
    r"|(?P<mail>mailto)(?=:)"
    rf"|(?P<tag><)(?=(?:{_TAGS})\b)",
    re.IGNORECASE,
)
# `lto:`, not `mailto:`: where case is ignored a dotless i, which no `lower` changes, is an i.
_SIGNS: Final = ("](", "]:", "://", "www.", "lto:", "<")
"""Lowered, every text in which `_LIVE` finds something has one of these."""
_MAY_BECOME_LIVE: Final = re.compile(
    r"(?:\](?::\s{0,80}<?(?:/|[a-z][a-z0-9+.\-]{0,20})?)?"
    r"|:(?:/(?:/(?:l(?:o(?:c(?:a(?:l(?:h(?:o(?:s(?:t)?)?)?)?)?)?)?)?"
    r"|1(?:2(?:7(?:\.(?:0(?:\.(?:0(?:\.(?:1)?)?)?)?)?)?)?)?)?)?)?"
    r"|w{1,3}\.?"
    r"|m(?:a(?:i(?:l(?:to?)?)?)?)?"
    r"|<[a-z]{0,8})\Z",
    re.IGNORECASE,
)


def unlink(text: str) -> str:
    """Return `text` without links, images and tags that load: every address in it is plain text."""
    lowered = text.lower()
    if not any(sign in lowered for sign in _SIGNS):  # as in most texts, in a tenth of the time
        return text
    return _LIVE.sub(r"\g<0> ", text)


class Unlinker:
    """Does what `unlink` does to text that comes in pieces, and keeps back what is undecided."""

    def __init__(self, pass_on: Callable[[str], None]) -> None:
        """Pass the pieces on to `pass_on`; none of them is empty."""
        self._pass_on = pass_on
        self._kept = ""

    def add(self, text: str) -> None:
        """Take the next piece."""
        text = self._kept + text
        undecided = _MAY_BECOME_LIVE.search(text)
        self._kept = text[undecided.start() :] if undecided else ""
        whole = unlink(text)
        self._tell(whole[: len(whole) - len(unlink(self._kept))])

    def finish(self) -> None:
        """Pass on what was kept back: nothing comes after it."""
        kept, self._kept = self._kept, ""
        self._tell(unlink(kept))

    def _tell(self, text: str) -> None:
        if text:
            self._pass_on(text)
