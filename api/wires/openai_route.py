"""Errors as OpenAI's clients read them: our problem, with their `error` beside its members."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from api.limits import JsonRoute
from api.problems import MEDIA_TYPE, invalid_response, problem_response
from api.wires.openai import as_error
from tools.errors import GoalsError


class OpenAIRoute(JsonRoute):
    """A route whose problems also have OpenAI's `error`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with its errors in both forms."""
        handle = super().get_route_handler()

        async def handle_both(request: Request) -> Response:
            try:
                return await handle(request)
            except GoalsError as error:
                return _in_both(problem_response(error))
            except RequestValidationError as error:
                return _in_both(invalid_response(error))

        return handle_both


def _in_both(answer: Response) -> Response:
    problem = json.loads(bytes(answer.body))
    fields = [f"{one['field']}: {one['detail']}" for one in problem.get("errors", ())]
    words = "; ".join([problem["detail"], *fields[:3]])
    problem["error"] = as_error(problem["code"], words, answer.status_code)
    kept = {
        name: value
        for name, value in answer.headers.items()
        if name.lower() not in {"content-length", "content-type"}
    }
    return JSONResponse(
        problem, status_code=answer.status_code, headers=kept, media_type=MEDIA_TYPE
    )
