"""`Idempotency-Key`: the same request again gets the first one's answer, and writes nothing.

The answer is stored in the transaction of the write, so that neither is there without the other,
and whoever lost the answer on its way asks again. What failed leaves nothing, and may be tried
again.
"""

import contextlib
import hashlib
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

from api.limits import JsonRoute
from db.operations import Operations, make_operation_id, request_hash
from tools.context import ToolContext
from tools.courses import get_course
from tools.errors import Conflict, InputError, NotFound, UsersUnavailable
from tools.texts import Id

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
SYNTAX: Final = "^[!-~]{1,255}$"
KEPT_HEADERS: Final = ("content-type", "location", "etag")
IN_PROGRESS: Final = "the first request with this Idempotency-Key is still under way"
MISMATCH: Final = "this Idempotency-Key was used for another request"
MAX_KIND: Final = 50
_KEY: Final = re.compile(SYNTAX)
_SCOPE: Final = "goals.attempt"
_KIND: Final = "http"

PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Your own name of this request, kept for a day: the same name and body again "
    "give the first answer, with `Idempotency-Replayed: true`, and write nothing",
    "schema": {"type": "string", "pattern": SYNTAX, "minLength": 1, "maxLength": 255},
    "example": "5f1c2a7e-6d1b-4f0c-9a53-1f2e3d4c5b6a",
}
IDEMPOTENT: Final[dict[str, Any]] = {"parameters": [PARAMETER]}
"""What `openapi_extra` says of a POST whose answer is kept."""
REPLAYED_HEADER: Final[dict[str, Any]] = {
    REPLAYED: {
        "description": "`true` where this is the answer of an earlier request with the same key",
        "schema": {"type": "string", "enum": ["true"]},
    }
}


@dataclass
class Attempt:
    """A request with a key; `tools` is its transaction, once it is open."""

    request: Request
    key: str
    operation_id: str = ""
    request_hash: str = ""
    tools: ToolContext | None = None

    async def begin(self, tools: ToolContext) -> None:
        """Hold the key in this transaction.

        Raises Repeated with the answer that there is; InputError for what is no key; Conflict:
        IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_MISMATCH.
        """
        if not _KEY.fullmatch(self.key):
            raise InputError("an Idempotency-Key has 1 to 255 visible ASCII characters")
        self.operation_id = make_operation_id(tools.user_id, _KIND, self.key)
        self.request_hash = await _hash(self.request)
        await _meet_course(self.request, tools)
        operations = Operations(tools.session, tools.user_id)
        if not await operations.take(self.operation_id):
            raise Conflict(IN_PROGRESS, code="IDEMPOTENCY_IN_PROGRESS")
        done = await operations.find(self.operation_id)
        if done is not None and done.request_hash != self.request_hash:
            raise Conflict(MISMATCH, code="IDEMPOTENCY_MISMATCH", status=422)
        if done is not None:
            raise Repeated(done.result)
        self.tools = tools

    async def keep(self, response: Response) -> None:
        """Store the answer in the transaction of the write."""
        if self.tools is None or response.status_code >= 300:
            return
        kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        await Operations(self.tools.session, self.tools.user_id).keep(
            self.operation_id,
            kind=f"{self.request.method} {self.request.scope['route'].path}"[:MAX_KIND],
            request_hash=self.request_hash,
            result={
                "status": response.status_code,
                "headers": kept,
                "body": bytes(response.body).decode(),
            },
            at=self.tools.now,
        )


class Repeated(Exception):
    """The request was answered before."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__("answered before")
        self.answer = answer

    def as_response(self) -> Response:
        """Return the first answer, marked as a repeated one."""
        return Response(
            self.answer["body"],
            status_code=self.answer["status"],
            headers={**self.answer["headers"], REPLAYED: "true"},
        )


class SafeRoute(JsonRoute):
    """A route whose POST may be sent again with its key, wherever it opens `api.deps.Tools`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which keeps its answer where the request has a key."""
        handle = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return handle

        async def handle_once(request: Request) -> Response:
            keys = request.headers.getlist(HEADER)
            if not keys:
                return await handle(request)
            attempt = Attempt(request, ",".join(keys))
            request.scope[_SCOPE] = attempt
            try:
                response = await handle(request)
            except Repeated as repeated:
                return repeated.as_response()
            await attempt.keep(response)
            return response

        return handle_once


async def begin_attempt(request: Request, tools: ToolContext) -> None:
    """Hold the request's key, if it has one, in the transaction that was just opened for it."""
    attempt = request.scope.get(_SCOPE)
    if isinstance(attempt, Attempt):
        attempt.request = request
        await attempt.begin(tools)


class _Named(BaseModel):
    course_id: Id


async def _meet_course(request: Request, tools: ToolContext) -> None:
    """Have the course that the body names at hand, if it lives elsewhere.

    Its service is not asked once the key is held: a transaction has begun then.
    """
    if not tools.directory.is_elsewhere:
        return
    with contextlib.suppress(ValidationError, NotFound, UsersUnavailable):
        named = _Named.model_validate_json(await request.body())
        await get_course(tools, named.course_id)


async def _hash(request: Request) -> str:
    """Return what tells one request from another: where it goes, and its JSON whatever its form."""
    body = await request.body()
    is_json = body and "json" in request.headers.get("content-type", "").lower()
    asked = {
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query,
        "body": await request.json() if is_json else hashlib.sha256(body).hexdigest(),
    }
    return request_hash(asked)
