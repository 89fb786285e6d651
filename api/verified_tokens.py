"""Tokens whose signature this process has checked: known by their hash until they expire.

A token says the same each time, so it is checked once. Whoever keeps keys forgets all of them when
a key changes; whether the account is active is no property of a token, and is asked each time.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

KEPT: Final = 10_000


@dataclass(frozen=True)
class Verified:
    """Whom a token speaks for, and until when, in seconds since 1970."""

    user_id: str
    expires: float


class VerifiedTokens:
    """The tokens that were shown last, `most` of them; `clock` gives seconds since 1970."""

    def __init__(self, *, most: int = KEPT, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[bytes, Verified] = OrderedDict()

    def find(self, token: str) -> str | None:
        """Return the id of the user that `token` speaks for, None where it is to be checked."""
        name = _hashed(token)
        verified = self._kept.get(name)
        if verified is None:
            return None
        if self._clock() >= verified.expires:
            del self._kept[name]
            return None
        self._kept.move_to_end(name)
        return verified.user_id

    def keep(self, token: str, verified: Verified) -> str:
        """Keep what was found out about `token`, and return its user's id."""
        self._kept[_hashed(token)] = verified
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return verified.user_id

    def forget(self) -> None:
        """Have every token checked again."""
        self._kept.clear()


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
