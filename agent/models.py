"""Chat models: OpenAI-compatible, local and scripted, behind one factory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from tools.http import MAX_RETRIES, OPENAI_URL, HttpClients

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from openai import AsyncOpenAI

    from agent.model_wire import ModelWire

SCRIPTED_MODEL: Final = "scripted-tutor-1"
SMALL_MODEL: Final = {
    "seed": 7,
    "top_p": 0.8,
    "top_k": 20,
    "dry_multiplier": 0.8,
    "dry_allowed_length": 4,
    "dry_sequence_breakers": ['"'],
}
"""Qwen's own sampling, and llama.cpp's DRY: without it the same task comes again and again."""


@dataclass(frozen=True)
class ChatModel:
    """A chat model under the name that is recorded with everything it makes.

    `body` are fields that its server alone understands; they go into every request. Some models
    refuse a temperature, so one is sent only where `takes_temperature` says so. Where there is a
    `wire`, the server is asked over it, and not through `model`: LangChain takes 1.5 ms more.
    """

    name: str
    model: "BaseChatModel"
    body: Mapping[str, Any] = field(default_factory=dict)
    takes_temperature: bool = False
    wire: "ModelWire | None" = None

    def body_of_sample(self, number: int) -> dict[str, Any]:
        """Return the fields of one of several independent samples of code.

        Where the server takes a seed each has its own, and may repeat itself: code does.
        """
        return {**self.body, "seed": number, "dry_multiplier": 0.0} if self.body else {}


def make_chat_model(
    provider: Literal["openai", "local", "scripted"],
    *,
    model: str,
    api_key: str | None,
    base_url: str | None,
    clients: HttpClients,
) -> ChatModel:
    """Return the chat model of `provider`.

    `local` is the same client as `openai`, pointed at our own server; `scripted` needs neither
    key nor address. Sampling is ours where the model is local, the server's default elsewhere.
    """
    if provider == "scripted":
        from agent.scripted import ScriptedTutor

        return ChatModel(SCRIPTED_MODEL, ScriptedTutor())

    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    class PlainChat(ChatOpenAI):
        """Sends messages past openai's client, which looks for files in each: 0.3 ms a message."""

        def _get_request_payload(self, *given: Any, **named: Any) -> dict[str, Any]:
            payload = super()._get_request_payload(*given, **named)
            extra = {**(payload.get("extra_body") or {}), "messages": payload["messages"]}
            return {**payload, "messages": [], "extra_body": extra}

    local = provider == "local"
    chat = PlainChat(
        model=model,
        api_key=SecretStr(api_key or "none"),
        base_url=base_url or OPENAI_URL,
        max_retries=MAX_RETRIES,
        http_client=clients.sync,
        http_async_client=clients.asynchronous,
    )
    body = SMALL_MODEL if local else {}
    wire = _make_wire(chat.root_async_client, clients, model=model)
    return ChatModel(model, chat, body=body, takes_temperature=local, wire=wire)


def _make_wire(client: "AsyncOpenAI", clients: HttpClients, *, model: str) -> "ModelWire":
    """Return the way to the server that `client` knows, which is asked as that client would."""
    from agent.model_wire import ModelWire

    url = client.base_url.join("chat/completions")
    headers = {
        name: value
        for name, value in {**client.default_headers, **client.auth_headers}.items()
        if isinstance(value, str) and not name.startswith("X-Stainless-")
    }
    return ModelWire(clients.asynchronous, url, headers, model)


def response_format(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the body field that asks an OpenAI-compatible server for JSON of `schema`.

    Not strict: OpenAI's strict mode refuses the length limits that keep a small, grammar-bound
    model from never ending a list. What comes back is validated here in any case.
    """
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": name, "schema": schema, "strict": False},
        }
    }


def without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema with its `$defs` inlined and its titles dropped: the same meaning."""
    definitions = schema.get("$defs", {})

    def clean(node: Any) -> Any:
        if isinstance(node, Sequence) and not isinstance(node, str):
            return [clean(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return clean(definitions[node["$ref"].rsplit("/", 1)[-1]])
        return {
            key: {name: clean(value) for name, value in item.items()}
            if key == "properties"
            else clean(item)
            for key, item in node.items()
            if key not in {"title", "$defs", "description"}
        }

    cleaned: dict[str, Any] = clean(schema)
    return cleaned
