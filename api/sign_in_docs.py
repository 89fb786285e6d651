"""OpenAPI's way to sign in here: what the `Authorize` button of `/docs` goes by."""

from typing import Any, Final

from fastapi import FastAPI

from api.routes.auth import TOKEN_PATH

NAME: Final = "Password"
BEARER: Final[dict[str, list[str]]] = {"HTTPBearer": []}


def document_sign_in(app: FastAPI) -> None:
    """Offer OAuth2's password flow wherever a token is asked for, beside a token from elsewhere."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = generate()
        schema["components"]["securitySchemes"][NAME] = {
            "type": "oauth2",
            "description": "Sign in with an account of `POST /v1/auth/register`.",
            "flows": {"password": {"tokenUrl": TOKEN_PATH.lstrip("/"), "scopes": {}}},
        }
        for path in schema["paths"].values():
            for operation in path.values():
                if BEARER in operation.get("security", ()):
                    operation["security"] = [*operation["security"], {NAME: []}]
        app.openapi_schema = schema
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI documents this as the way
