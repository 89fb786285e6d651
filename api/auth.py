"""Identity: a signed token says who is asking, and nothing else does."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import jwt

from tools.errors import AuthError, SetupError

ALGORITHM: Final = "HS256"
MIN_SECRET_BYTES: Final = 32
MAX_TOKEN_CHARACTERS: Final = 4_096
MAX_ID_CHARACTERS: Final = 36
LEEWAY_SECONDS: Final = 5
REQUIRED_CLAIMS: Final = ("exp", "iat", "iss", "aud", "sub")


@dataclass(frozen=True)
class JwtConfig:
    """What tokens are signed and checked with; raises SetupError for a secret below 32 bytes."""

    secret: bytes = field(repr=False)
    issuer: str
    audience: str

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_SECRET_BYTES:
            raise SetupError(
                f"GOALS_JWT_SECRET has {len(self.secret)} bytes, and at least {MIN_SECRET_BYTES} "
                "are needed: make one with `openssl rand -base64 48`"
            )


def make_token(config: JwtConfig, *, user_id: str, hours: float, now: datetime) -> str:
    """Return a token for `user_id` that is valid for `hours` from `now` on."""
    claims = {
        "iss": config.issuer,
        "aud": config.audience,
        "sub": user_id,
        "iat": now,
        "exp": now + timedelta(hours=hours),
    }
    return jwt.encode(claims, config.secret, algorithm=ALGORITHM)


def verify_token(config: JwtConfig, token: str) -> str:
    """Return the id of the user that `token` speaks for.

    Raises AuthError: AUTH_EXPIRED for a token that was good once, else AUTH_INVALID. The reason is
    for the holder of the token, and names no claim's value.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise AuthError("the token is too long")
    try:
        claims = jwt.decode(
            token,
            config.secret,
            algorithms=[ALGORITHM],
            audience=config.audience,
            issuer=config.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": list(REQUIRED_CLAIMS)},
        )
    except jwt.ExpiredSignatureError as error:
        raise AuthError("the token has expired", code="AUTH_EXPIRED") from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise AuthError("the token is not one that this service accepts") from error

    user_id = claims["sub"]
    if not (isinstance(user_id, str) and user_id.isascii() and user_id.isprintable()):
        raise AuthError("the token is not one that this service accepts")
    if not 0 < len(user_id) <= MAX_ID_CHARACTERS:
        raise AuthError("the token is not one that this service accepts")
    return user_id
