"""The OpenAPI document, without a database or a model: for linters and generators of clients."""

from typing import Any

from api.app import create_app
from api.auth import JwtConfig
from api.bootstrap import Services
from api.settings import APPLICATION, Settings

_SECRET = b"nothing is signed or verified with it"
_NOTHING: Any = None


def openapi_document(settings: Settings) -> dict[str, Any]:
    """Return the document of the service that these settings make; nothing is opened."""
    services = Services(
        settings=settings,
        database_url="postgresql+psycopg://",
        app_url="postgresql+psycopg://",
        sessions=_NOTHING,
        system=_NOTHING,
        embedder=_NOTHING,
        jwt=JwtConfig(secret=_SECRET, issuer=APPLICATION, audience=APPLICATION),
    )
    return create_app(services).openapi()
