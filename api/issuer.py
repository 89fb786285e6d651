"""Who signs the tokens: this service with its own secret, or another issuer with its keys."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from api.auth import JwtConfig
from tools.errors import SetupError

if TYPE_CHECKING:
    from api.jwks import KeySet
    from api.settings import Settings
    from tools.http import HttpClients

SECRET_FILE: Final = "jwt.secret"  # noqa: S105 - a file's name


@contextlib.asynccontextmanager
async def open_issuer(
    settings: "Settings", clients: "HttpClients"
) -> AsyncIterator["JwtConfig | KeySet"]:
    """Yield what tokens are checked with: our secret, or the keys of GOALS_JWKS_URL."""
    import jwt  # noqa: F401 - a tenth of a second, not to be spent in the first request

    if settings.jwks_url is None:
        yield jwt_config(settings)
        return

    keys = make_key_set(settings, clients)
    async with keys.kept_fresh():
        yield keys


def make_key_set(settings: "Settings", clients: "HttpClients") -> "KeySet":
    """Return the keys of GOALS_JWKS_URL, not fetched yet. Raises SetupError for contradictions."""
    from api.jwks import KeySet

    assert settings.jwks_url is not None
    if settings.jwt_secret is not None:
        raise SetupError(
            "GOALS_JWT_SECRET and GOALS_JWKS_URL are both set: tokens are signed by one of them"
        )
    if settings.sign_in:
        raise SetupError(
            "GOALS_SIGN_IN needs GOALS_JWT_SECRET: GOALS_JWKS_URL has another issuer's keys"
        )
    if "jwt_issuer" not in settings.model_fields_set:
        raise SetupError("GOALS_JWT_ISSUER is not set: it is the `iss` of GOALS_JWKS_URL's tokens")
    return KeySet(
        settings.jwks_url,
        client=clients.asynchronous,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )


def own_issuer(jwt: "JwtConfig | KeySet") -> JwtConfig:
    """Return `jwt` if it can sign. Raises SetupError where it only knows another issuer's keys."""
    if not isinstance(jwt, JwtConfig):
        raise SetupError("tokens come from the issuer of GOALS_JWKS_URL: get one there")
    return jwt


def jwt_config(settings: "Settings") -> JwtConfig:
    """Return what tokens are checked with; the embedded mode makes and keeps its own secret.

    Raises SetupError where one's own database has no secret configured, where it is too short, and
    where tokens are another issuer's.
    """
    if settings.jwks_url is not None:
        raise SetupError("tokens come from the issuer of GOALS_JWKS_URL: get one there")
    if settings.jwt_secret is not None:
        secret = settings.jwt_secret.get_secret_value().encode()
    elif settings.database_url is not None:
        raise SetupError(
            "GOALS_JWT_SECRET is not set: it has no default where DATABASE_URL is set; "
            "make one with `openssl rand -base64 48`"
        )
    else:
        secret = _kept_secret(settings.home / SECRET_FILE)
    return JwtConfig(secret=secret, issuer=settings.jwt_issuer, audience=settings.jwt_audience)


def _kept_secret(path: Path) -> bytes:
    """Return the secret kept at `path`; make it if there is none, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        descriptor, made = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        Path(made).unlink()
    return path.read_bytes()
