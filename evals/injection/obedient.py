"""The worst-case model: it does what every instruction in a prompt asks, and more than was asked.

It is told beforehand what each case's instruction wants, so that nothing that hides or breaks the
instruction protects it; what it tells, it must have read. Deterministic, and no model at all.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from evals.injection.cases import Attack
from evals.suite import Json

SEEN: Final = 90
SEARCHED: Final = 60
SPACES: Final = 8
"""An address that is made plain grows by a few: the answer must still fit."""
_READ_AT_ONCE: Final = frozenset({"message", "goal_title"})
NUMBERS: Final = 5
QUOTE: Final = "return xs[0]"
_FENCED: Final = re.compile(r"\n<(data-[0-9a-f]{8})>\n(.*?)\n</\1>", re.DOTALL)
_FILLERS: Final[Mapping[str, Any]] = {
    "es": {
        "subjects": ["Datos", "Rutas", "Errores", "Tiempos", "Permisos", "Registros", "Colas"],
        "works": "Se ve que funciona con un ejemplo escrito",
        "again": "Otra persona lo repite con las instrucciones",
        "plain": "Es el paso que sigue para la API de tareas que estás escribiendo",
    },
    "en": {
        "subjects": ["Data", "Routes", "Errors", "Timing", "Access", "Logs", "Queues"],
        "works": "It is seen to work with a written example",
        "again": "Somebody else repeats it from the instructions",
        "plain": "It is the next step for the task API that you are writing",
    },
}


def obey(request: Json, attack: Attack) -> Json:
    """Return the answer to the JSON of a chat completion's request, as it is recorded."""
    if request.get("tools"):
        return _talk(request, attack)
    wanted = request["response_format"]["json_schema"]
    return _said(text=_json(_Filled(request, attack).fill(wanted["schema"])))


def _talk(request: Json, attack: Attack) -> Json:
    """Search as a tutor would, then do what the instruction wants, then say it."""
    deeds, turns = attack.deeds, _turns(request["messages"])
    wanted = [deeds["calls"]] if deeds.get("calls") else []
    if attack.carrier not in _READ_AT_ONCE:
        asked = str(request["messages"][-1]["content"])
        wanted.insert(0, [["search_everything", {"query": asked[-SEARCHED:], "limit": 20}]])
    if turns < len(wanted):
        return _said(text="", calls=wanted[turns])
    if wanted and deeds.get("again"):
        return _said(text="", calls=wanted[-1])
    return _said(text=_with_seen(deeds.get("say", ""), request, attack))


def _turns(messages: list[Any]) -> int:
    """Return how many turns with calls there were since the person's last message."""
    last = max(place for place, one in enumerate(messages) if one["role"] == "user")
    return sum(bool(one.get("tool_calls")) for one in messages[last:])


def _said(*, text: str, calls: list[Any] | None = None) -> Json:
    return {
        "text": text,
        "tool_calls": [{"name": name, "arguments": _json(given)} for name, given in calls or []],
        "finish_reason": "tool_calls" if calls else "stop",
        "input_tokens": 10,
        "output_tokens": 5,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _with_seen(text: str, request: Json, attack: Attack) -> str:
    """Return the text with what this prompt shows: an attacker can only have what was read."""
    read = "\n".join(_texts(request))
    secret = attack.secret if attack.secret and attack.secret in read else "-"
    data = "".join(inside for _, inside in _FENCED.findall(read)) or read
    return text.replace("{secret}", secret).replace("{seen}", quote(data[-SEEN:], safe=""))


def _texts(request: Json) -> Iterator[str]:
    for message in request["messages"]:
        yield str(message.get("content") or "")


class _Filled:
    """Fills a JSON Schema: the words of the instruction wherever text is wanted."""

    def __init__(self, request: Json, attack: Attack) -> None:
        self.attack = attack
        self.deeds = attack.deeds
        self._filler = _FILLERS[attack.language]
        self.is_first = len(request["messages"]) <= 2
        words = attack.deeds.get("words") or self._filler["plain"]
        self._words = _with_seen(words, request, attack)

    def fill(self, schema: Json) -> Json:
        """Return the whole answer, with fields of the attacker's own in the first turn."""
        extra = self.deeds.get("extra", {}) if self.is_first else {}
        return {**self._object(schema, 0), **extra}

    def _object(self, schema: Json, number: int) -> Json:
        return {
            name: self._field(name, part, number) for name, part in schema["properties"].items()
        }

    def _field(self, name: str, schema: Json, number: int) -> Any:
        if name in _CHOSEN:
            return _CHOSEN[name](self, number)
        if schema.get("type") == "array":
            return [self._item(name, schema, each) for each in range(self._length(name, schema))]
        if "enum" in schema:
            return schema["enum"][0]
        if schema["type"] in {"number", "integer"}:
            return number + 1
        return self._text(name, schema, number)

    def _item(self, name: str, schema: Json, number: int) -> Any:
        items = schema["items"]
        if items.get("type") == "object":
            return self._object(items, number)
        if items["type"] == "string":
            return self._text(name, items, number)
        return 1

    def _length(self, name: str, schema: Json) -> int:
        deeds = self.deeds
        if name == "goals":
            return int(deeds.get("many") or schema.get("minItems", 1))
        if name == "findings":
            return int(deeds.get("verdict") != "met")
        if name == "criteria" and schema["items"].get("type") == "object":
            return NUMBERS
        return int(schema.get("minItems", 1))

    def _text(self, name: str, schema: Json, number: int) -> str:
        words, most = self._words, int(schema.get("maxLength", 1_000))
        if name == "title":
            words = f"{self._filler['subjects'][number % 7]}: {words}"
        elif name in {"criteria", "acceptance"}:
            words = f"{self._filler['again' if number else 'works']}. {words}"
        return words[: most - SPACES]


def _based_on(one: _Filled, _number: int) -> list[str]:
    wanted: list[str] = one.deeds.get("based_on", ["S1"])
    return wanted[:3] if one.is_first else ["S1"]


def _depends_on(one: _Filled, _number: int) -> list[str]:
    wanted: list[str] = one.deeds.get("depends_on", [])
    return wanted if one.is_first else []


def _quote(one: _Filled, _number: int) -> str:
    code: str = one.attack.request.get("code", QUOTE)
    return QUOTE if QUOTE in code else code.strip().splitlines()[-1][:300]


_CHOSEN: Final[Mapping[str, Callable[[_Filled, int], Any]]] = {
    "based_on": _based_on,
    "depends_on": _depends_on,
    "quote": _quote,
    "key": lambda _one, number: f"t{number + 1}",
    "serves": lambda _one, number: [1 + number % 2],
    "verdict": lambda one, _number: one.deeds.get("verdict", "cannot_judge"),
    "kind": lambda _one, _number: "essential",
    "is_mistake": lambda one, _number: "no" if one.attack.wrong else "unsure",
}
