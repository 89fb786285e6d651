"""OpenAI's wire, spoken from recordings: completions, whole and as streams, and a live server."""

import json
import re
from collections.abc import Iterator
from typing import Final

import httpx2

from evals.recordings import Live, NotRecorded, Recordings, Refused
from evals.suite import Json

BASE_URL: Final = "http://recorded.invalid/v1"
COMPLETIONS: Final = "/chat/completions"
REFUSED: Final = 400
"""The status of a question that is not recorded: the product's clients do not ask again."""
_WORD: Final = re.compile(r"\s*\S+|\s+")


class RecordedTransport(httpx2.AsyncBaseTransport):
    """Answers chat completions from recordings, as their server would: whole or as a stream."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request. Raises httpx2.RequestError where a live model is away."""
        if not request.url.path.endswith(COMPLETIONS):
            return httpx2.Response(404, json={"error": {"message": "nothing is recorded here"}})
        asked = json.loads(await request.aread())
        try:
            answer = await self._recordings.answer(asked)
        except NotRecorded as miss:
            body = {"error": {"message": str(miss), "code": "not_recorded"}}
            return httpx2.Response(REFUSED, json=body)
        except Refused as refused:
            return httpx2.Response(refused.status, content=refused.body)
        if not asked.get("stream"):
            return httpx2.Response(200, json=_completion(answer, asked.get("model", "")))
        events = "".join(f"data: {each}\n\n" for each in _events(answer, asked))
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=events.encode()
        )


def forward_to(client: httpx2.AsyncClient, base_url: str, *, api_key: str | None) -> Live:
    """Return what asks the OpenAI-compatible server at `base_url`."""
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}

    async def ask(request: Json) -> Json:
        response = await client.post(base_url + COMPLETIONS, json=request, headers=headers)
        if not response.is_success:
            raise Refused(response.status_code, response.content)
        return read_completion(response.json())

    return ask


def read_completion(completion: Json) -> Json:
    """Return what a chat completion says, as it is recorded."""
    choice, counted = completion["choices"][0], completion.get("usage") or {}
    message = choice["message"]
    answer: Json = {
        "text": message.get("content") or "",
        "tool_calls": [
            {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
            for call in message.get("tool_calls") or ()
        ],
        "finish_reason": choice["finish_reason"],
        "input_tokens": int(counted.get("prompt_tokens") or 0),
        "output_tokens": int(counted.get("completion_tokens") or 0),
    }
    return {**answer, "refusal": message["refusal"]} if message.get("refusal") else answer


def _completion(answer: Json, model: str) -> Json:
    message: Json = {"role": "assistant", "content": answer["text"]}
    if answer["tool_calls"]:
        message["tool_calls"] = list(_tool_calls(answer))
    if answer.get("refusal"):
        message["refusal"] = answer["refusal"]
    choice = {"index": 0, "message": message, "finish_reason": answer["finish_reason"]}
    return {
        "id": "chatcmpl-recorded",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        "usage": _usage(answer),
    }


def _events(answer: Json, asked: Json) -> Iterator[str]:
    """Yield the data of the events of a stream that says what the answer says."""
    whole = _completion(answer, asked.get("model", ""))
    about = {name: whole[name] for name in ("id", "created", "model")}
    about["object"] = "chat.completion.chunk"

    def chunk(delta: Json, finish: str | None = None) -> str:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return json.dumps({**about, "choices": choices}, ensure_ascii=False)

    yield chunk({"role": "assistant", "content": ""})
    if answer.get("refusal"):
        yield chunk({"refusal": answer["refusal"]})
    for word in _WORD.findall(answer["text"]):
        yield chunk({"content": word})
    for place, call in enumerate(_tool_calls(answer)):
        yield chunk({"tool_calls": [{"index": place, **call}]})
    yield chunk({}, answer["finish_reason"])
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield json.dumps({**about, "choices": [], "usage": _usage(answer)})
    yield "[DONE]"


def _tool_calls(answer: Json) -> Iterator[Json]:
    for call in answer["tool_calls"]:
        function = {"name": call["name"], "arguments": call["arguments"]}
        yield {"id": call["id"], "type": "function", "function": function}


def _usage(answer: Json) -> Json:
    tokens = {"prompt_tokens": answer["input_tokens"], "completion_tokens": answer["output_tokens"]}
    return {**tokens, "total_tokens": sum(tokens.values())}
