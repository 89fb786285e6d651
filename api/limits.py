"""What a request may weigh and look like, before anything reads it."""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.errors import InputError
from tools.texts import is_storable

MAX_BODY_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 32
MAX_INTEGER_DIGITS: Final = 18
TOO_LARGE: Final = 413


class BodyLimit:
    """ASGI middleware: a body of more than `max_bytes` ends in 413, announced or in chunks."""

    def __init__(self, app: ASGIApp, *, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count what it sends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        announced = Headers(scope=scope).get("content-length", "")
        too_large = announced.isdecimal() and int(announced[:20]) > self._max_bytes
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            if too_large:
                raise HTTPException(TOO_LARGE)
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(TOO_LARGE)
            return message

        await self._app(scope, receive_counted, send)


class JsonRoute(APIRoute):
    """A route whose JSON body is read strictly: see `parse_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, given a request whose JSON is parsed already."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_json(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            await strict.check()
            return await handle(strict)

        return handle_json


class _StrictRequest(Request):
    async def check(self) -> None:
        """Parse the body now, so that what is wrong with it keeps its own code."""
        body = await self.body()
        if not body:
            return
        if "json" not in self.headers.get("content-type", "").lower():
            raise InputError("send JSON, and say so: `Content-Type: application/json`")
        self._json = parse_json(body)


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Stricter than `json`: no NaN or Infinity, no number out of range, no key twice in an object, at
    most 32 levels, and only text that PostgreSQL can store. Raises InputError: TOO_DEEP,
    TEXT_INVALID or VALIDATION.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InputError("the body is not UTF-8", code="TEXT_INVALID") from error
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded,
            object_pairs_hook=_distinct,
        )
    except RecursionError as error:
        raise _too_deep() from error
    except json.JSONDecodeError as error:
        raise InputError(f"the body is not JSON: {error.msg} at character {error.pos}") from error
    _check_values(value)
    return value


def _refuse_constant(_constant: str) -> NoReturn:
    raise InputError("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InputError("a number is out of range")
    return number


def _bounded(text: str) -> int:
    if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise InputError("a number is out of range")
    return int(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InputError("an object has the same key twice")
    return value


def _check_values(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        for text in level:
            if isinstance(text, str) and not is_storable(text):
                raise InputError("a NUL or a lone surrogate cannot be stored", code="TEXT_INVALID")
        containers = [item for item in level if isinstance(item, dict | list)]
        if not containers:
            return
        level = [
            inner
            for item in containers
            for inner in ([*item, *item.values()] if isinstance(item, dict) else item)
        ]
    raise _too_deep()


def _too_deep() -> InputError:
    return InputError(f"the body has more than {MAX_DEPTH} levels", code="TOO_DEEP")
