"""What a turn of a model comes to, put together from the chunks of its stream."""

from dataclasses import dataclass, field

from agent.answers import Usage
from agent.state import Json


@dataclass
class CallText:
    """A call of a tool as the model writes it; `arguments` is the text of a JSON object."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class Heard:
    """What has come so far; `calls` are by their place."""

    begun: bool = False
    text: list[str] = field(default_factory=list)
    calls: dict[int, CallText] = field(default_factory=dict)
    finish: str | None = None
    refused: bool = False
    usage: Usage = field(default_factory=lambda: Usage(input_tokens=0, output_tokens=0))

    def add(self, chunk: Json) -> str:
        """Take a chunk of OpenAI's shape and return the text in it, perhaps none.

        Raises KeyError, TypeError or AttributeError for what has another shape.
        """
        self.begun = True
        if counted := chunk.get("usage"):
            self.usage = Usage(counted["prompt_tokens"], counted["completion_tokens"])
        if not chunk["choices"]:
            return ""
        choice = chunk["choices"][0]
        self.finish = choice.get("finish_reason") or self.finish
        delta = choice["delta"] or {}
        self.refused = self.refused or bool(delta.get("refusal"))
        for piece in delta.get("tool_calls") or ():
            call = self.calls.setdefault(piece.get("index", len(self.calls)), CallText())
            function = piece.get("function") or {}
            call.id = piece.get("id") or call.id
            call.name += function.get("name") or ""
            call.arguments += function.get("arguments") or ""
        text: str = delta.get("content") or ""
        if text:
            self.text.append(text)
        return text
