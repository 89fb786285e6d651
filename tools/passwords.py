"""Passwords: what may be one, and their argon2id hashes.

A hash takes 64 MiB and a good part of a core for some 50 ms (the second choice of RFC 9106), so it
is made in a thread, few at once, and who comes when many wait is sent away.
"""

import asyncio
import secrets
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from tools.errors import Overloaded
from tools.texts import is_storable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_PASSWORD: Final = 15
"""What NIST SP 800-63B-4 asks of a password that nothing else backs."""
MAX_PASSWORD: Final = 128
MIN_OWN: Final = 8
MIN_DISTINCT: Final = 5
MEMORY_KIB: Final = 65_536
PASSES: Final = 3
LANES: Final = 4
AT_ONCE: Final = 2
WAITING: Final = 50
PREFIX: Final = "$argon2id$"
USUAL: Final = (
    *("password", "contraseña", "passwort", "letmein", "welcome", "iloveyou", "administrator"),
    *("qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "qwerty", "abcdefghijklmnopqrstuvwxyz"),
    *("1234567890", "0123456789", "0987654321", "123456789", "12345678", "123456", "admin"),
    *("aigoalstracker", "goals", "tracker"),
)
"""Words that make a password long and not hard to guess."""


def _any_password(password: SecretStr) -> SecretStr:
    if not is_storable(password.get_secret_value()):
        raise PydanticCustomError("text_invalid", "a NUL or a lone surrogate cannot be stored")
    return password


Password = Annotated[
    SecretStr,
    Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD),
    AfterValidator(_any_password),
]


def normalized(password: str) -> str:
    """Return `password` as it is hashed: in Unicode's NFC, so that keyboards do not matter."""
    return unicodedata.normalize("NFC", password)


def is_guessable(password: str, *, about: Iterable[str]) -> bool:
    """Tell a password of few different characters, or of usual words and what is known `about` it.

    That is one of which fewer than 8 characters are left without them.
    """
    rest = unicodedata.normalize("NFKC", password).casefold()
    if len(set(rest)) < MIN_DISTINCT:
        return True
    words = {word.casefold() for word in about if len(word) > 2}
    for word in sorted({*words, *USUAL}, key=lambda word: (-len(word), word)):
        rest = rest.replace(word, "")
    return len(rest) < MIN_OWN


class Passwords:
    """Makes and checks hashes, `at_once` at a time; `memory` is in KiB, `passes` go over it."""

    def __init__(
        self,
        *,
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
        memory: int = MEMORY_KIB,
        passes: int = PASSES,
    ) -> None:
        """Make nothing yet."""
        self._memory = memory
        self._passes = passes
        self._turns = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._present = 0
        self._hasher: PasswordHasher | None = None
        self._nobodys = ""

    async def hash(self, password: str) -> str:
        """Return the hash of `password`. Raises Overloaded."""
        hashed: str = await self._work(lambda hasher: hasher.hash(normalized(password)))
        return hashed

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Tell whether `hashed` is the hash of `password`; without one it takes as long to say no.

        Raises Overloaded.
        """
        usable = hashed is not None and hashed.startswith(PREFIX)
        against = hashed if usable else None

        def check(hasher: "PasswordHasher") -> bool:
            from argon2.exceptions import InvalidHashError, VerificationError

            try:
                hasher.verify(against or self._nobodys, normalized(password))
            except (VerificationError, InvalidHashError):
                return False
            return usable

        right: bool = await self._work(check)
        return right

    def is_outdated(self, hashed: str) -> bool:
        """Tell whether a hash was made with other parameters than today's."""
        return self._hasher is not None and self._hasher.check_needs_rehash(hashed)

    async def _work(self, work: Any) -> Any:
        if self._present >= self._most:
            raise Overloaded("too many people sign in at this moment")
        self._present += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(self._with_hasher, work)
        finally:
            self._present -= 1

    def _with_hasher(self, work: Any) -> Any:
        if self._hasher is None:
            from argon2 import PasswordHasher

            hasher = PasswordHasher(self._passes, self._memory, LANES)
            self._nobodys = hasher.hash(secrets.token_urlsafe(32))
            self._hasher = hasher
        return work(self._hasher)
