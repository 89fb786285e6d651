"""The `Authorization` header, read strictly: once, a scheme, one space, one token."""

import re
from typing import Final

from fastapi import Request
from fastapi.security import HTTPBearer

from api.auth import MAX_TOKEN_CHARACTERS
from tools.errors import AuthError

SCHEME: Final = "bearer"
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class Bearer(HTTPBearer):
    """The scheme as OpenAPI documents it; a route gets the token, unread."""

    def __init__(self) -> None:
        """Document it as FastAPI does, under the name HTTPBearer."""
        super().__init__(
            scheme_name="HTTPBearer",
            bearerFormat="JWT",
            description="Make one for development with `goals token --user NAME`.",
        )

    async def __call__(self, request: Request) -> str:  # type: ignore[override]  # the token itself is all that is asked for
        """Return the token. Raises AuthError: AUTH_MISSING without one, AUTH_INVALID for two."""
        sent = request.headers.getlist("authorization")
        if len(sent) > 1:
            raise AuthError("there is more than one Authorization header")
        scheme, _, token = (sent[0] if sent else "").partition(" ")
        if scheme.lower() != SCHEME or not token:
            raise AuthError("send a token: `Authorization: Bearer …`", code="AUTH_MISSING")
        if len(token) > MAX_TOKEN_CHARACTERS or _TOKEN.fullmatch(token) is None:
            raise AuthError("the token is not one that this service accepts")
        return token
