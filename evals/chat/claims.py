"""What a reply says of itself: that something was written, and which rows it speaks of."""

import re
import unicodedata
from typing import Final

NAMED_SHARE: Final = 0.6
"""So much of the words of a row's title must be in a text that speaks of it."""
SHORT: Final = 3
_DONE_ES: Final = (
    r"guardad[oa]s?|añadid[oa]s?|agregad[oa]s?|cread[oa]s?|actualizad[oa]s?|registrad[oa]s?"
    r"|marcad[oa]s?|cambiad[oa]s?|borrad[oa]s?|eliminad[oa]s?"
)
_DONE_EN: Final = "saved|added|created|updated|recorded|marked|changed|deleted|removed|stored"
_CLAIMS: Final = re.compile(
    rf"\b(?:he|hemos|ha sido|han sido|se ha|se han|queda|quedan|quedó|quedaron|ya está|ya están)"
    rf"\s+(?:ya\s+)?(?:{_DONE_ES})\b"
    rf"|\b(?:i|we)(?:'ve|’ve| have)?\s+(?:just |already |now |successfully )*(?:{_DONE_EN})\b"
    rf"|\b(?:has|have) (?:now |already |just )?been (?:successfully )?(?:{_DONE_EN})\b"
    rf"|\b(?:is|are) now (?:{_DONE_EN})\b",
    re.IGNORECASE,
)
_NOT: Final = re.compile(
    r"\b(?:no|not|nada|nothing|never|nunca|todavía|yet|n't|if|si|when|cuando)\b"
)
_SENTENCE: Final = re.compile(r"[^.!?\n]+")
_WORD: Final = re.compile(r"\w+")


def claims_to_have_written(text: str) -> bool:
    """Tell whether a sentence of `text` says that something was saved, and does not deny it."""
    return any(
        _CLAIMS.search(sentence) is not None and _NOT.search(sentence.lower()) is None
        for sentence in _SENTENCE.findall(text)
    )


def speaks_of(text: str, title: str) -> bool:
    """Tell whether `text` has most of the words of `title`."""
    wanted = {word for word in _words(title) if len(word) > SHORT} or set(_words(title))
    return len(wanted & set(_words(text))) >= NAMED_SHARE * len(wanted)


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(each for each in plain if not unicodedata.combining(each)))
