"""Identity: a signed token says who is asking, and nothing else does.

What a token says of itself chooses nothing: the algorithm is the key's, the key is ours or one of
the configured key set, and its lifetime is read strictly.
"""

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from api.verified_tokens import Verified, VerifiedTokens
from tools.errors import AuthError, SetupError

ALGORITHM: Final = "HS256"
MIN_SECRET_BYTES: Final = 32
MAX_TOKEN_CHARACTERS: Final = 8_192
MAX_KEY_ID_CHARACTERS: Final = 200
MAX_ID_CHARACTERS: Final = 36
LEEWAY_SECONDS: Final = 5
LAST_MOMENT: Final = 253_402_300_799
"""The end of the year 9999, in seconds since 1970."""
REQUIRED_CLAIMS: Final = ("exp", "iat", "iss", "aud", "sub")
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Identifier(Protocol):
    """What knows whom a token speaks for."""

    async def identify(self, token: str) -> str:
        """Return the id of the user that `token` speaks for. Raises AuthError, KeysUnavailable."""


@dataclass(frozen=True)
class JwtConfig:
    """The secret that tokens are signed and checked with; raises SetupError below 32 bytes."""

    secret: bytes = field(repr=False)
    issuer: str
    audience: str
    _verified: VerifiedTokens = field(
        default_factory=VerifiedTokens, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_SECRET_BYTES:
            raise SetupError(
                f"GOALS_JWT_SECRET has {len(self.secret)} bytes, and at least {MIN_SECRET_BYTES} "
                "are needed: make one with `openssl rand -base64 48`"
            )

    async def identify(self, token: str) -> str:
        """Return the id of the user that `token` speaks for. Raises AuthError."""
        return self._verified.find(token) or self._verified.keep(token, _check(self, token))


@dataclass(frozen=True)
class Header:
    """What a token says of its signature: never believed, only looked up."""

    algorithm: str
    key_id: str | None


def make_token(
    config: JwtConfig, *, user_id: str, hours: float, now: datetime, scope: str = ""
) -> str:
    """Return a token for `user_id` that is valid for `hours` from `now` on.

    `scope` is what it allows an agent (RFC 8693): names with spaces between them.
    """
    import jwt

    claims: dict[str, Any] = {
        "iss": config.issuer,
        "aud": config.audience,
        "sub": user_id,
        "iat": now,
        "exp": now + timedelta(hours=hours),
    }
    if scope:
        claims["scope"] = scope
    return jwt.encode(claims, config.secret, algorithm=ALGORITHM)


def verify_token(config: JwtConfig, token: str) -> str:
    """Return the id of the user that `token`, signed with our secret, speaks for.

    Raises AuthError as `check_token` does.
    """
    return _check(config, token).user_id


def _check(config: JwtConfig, token: str) -> Verified:
    if read_header(token).algorithm != ALGORITHM:
        raise refusal()
    return check_token(
        token,
        config.secret,
        algorithm=ALGORITHM,
        issuer=config.issuer,
        audience=config.audience,
    )


def read_header(token: str) -> Header:
    """Return what `token` says of its signature, if it has the shape of one that we could accept.

    What leads elsewhere (`jku`, `jwk`, `x5u`) is not read. Raises AuthError.
    """
    import jwt

    if len(token) > MAX_TOKEN_CHARACTERS:
        raise AuthError("the token is too long")
    if _SHAPE.fullmatch(token) is None:
        raise refusal()
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise refusal() from error
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or "crit" in header or "b64" in header:
        raise refusal()
    if key_id is not None and not (
        isinstance(key_id, str)
        and 0 < len(key_id) <= MAX_KEY_ID_CHARACTERS
        and key_id.isascii()
        and key_id.isprintable()
    ):
        raise refusal()
    return Header(algorithm, key_id)


def check_token(token: str, key: Any, *, algorithm: str, issuer: str, audience: str) -> Verified:
    """Return whom `token` speaks for and until when, if `key` signed it by `algorithm`.

    Raises AuthError: AUTH_EXPIRED for a token that was good once, else AUTH_INVALID. The reason is
    for the holder of the token, and names no claim's value.
    """
    import jwt

    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": list(REQUIRED_CLAIMS)},
        )
    except jwt.ExpiredSignatureError as error:
        raise AuthError("the token has expired", code="AUTH_EXPIRED") from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise refusal() from error
    moments = [claims[name] for name in ("exp", "iat", "nbf") if name in claims]
    if not all(_is_moment(moment) for moment in moments):
        raise refusal()
    return Verified(_user_id(claims["sub"]), expires=float(claims["exp"]))


def refusal() -> AuthError:
    """Return the one answer to whatever is wrong with a token."""
    return AuthError("the token is not one that this service accepts")


def _is_moment(value: Any) -> bool:
    """Tell a NumericDate (RFC 7519) from what PyJWT takes for one: texts, true, the year 10^30."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= LAST_MOMENT


def _user_id(subject: Any) -> str:
    if not (isinstance(subject, str) and subject.isascii() and subject.isprintable()):
        raise refusal()
    if not 0 < len(subject) <= MAX_ID_CHARACTERS:
        raise refusal()
    return subject
