"""A caller's way to the public API: one request, as that caller, with the API's own errors."""

import base64
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mcp.server.mcpserver.exceptions import ToolError

if TYPE_CHECKING:
    import httpx2

Json = dict[str, Any]

WRITE_SCOPE: Final = "goals:write"


@dataclass(frozen=True)
class Caller:
    """Who calls a tool: their token, on a client of the API that checks it at every request."""

    client: "httpx2.AsyncClient"
    token: str

    @property
    def may_write(self) -> bool:
        """Tell whether the token's `scope` (RFC 8693) lets a tool write at once."""
        return WRITE_SCOPE in scopes_of(self.token)

    async def ask(
        self, method: str, path: str, *, params: Json | None = None, body: Json | None = None
    ) -> Json:
        """Return the API's answer. Raises ToolError with its code and what it says."""
        import httpx2

        headers = {"Authorization": f"Bearer {self.token}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        try:
            response = await self.client.request(
                method, path, params=params, json=body, headers=headers
            )
        except httpx2.HTTPError as error:
            raise ToolError(f"UNAVAILABLE: the service does not answer ({error})") from error
        answer: Json = response.json()
        if not response.is_success:
            told = [str(answer.get("detail") or answer.get("title"))]
            told += [f"{one['field']}: {one['detail']}" for one in answer.get("errors") or ()]
            raise ToolError(f"{answer.get('code', response.status_code)}: {'; '.join(told)}")
        return answer


def scopes_of(token: str) -> frozenset[str]:
    """Return the scopes that a token names; who signed it is checked by each request to the API.

    A token that cannot be read has none.
    """
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        scope = claims.get("scope")
    except (IndexError, ValueError, AttributeError):
        return frozenset()
    return frozenset(scope.split()) if isinstance(scope, str) else frozenset()
