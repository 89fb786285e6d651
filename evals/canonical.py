"""What a request to a model asks, whatever the names of this run are.

Fences, ids of rows, ids of calls and present moments are other ones in each run. Each becomes a
placeholder of the same form, numbered in order of appearance, so that two runs that ask the same
have the same canonical request, and what the model said of a placeholder can be said of the present
name. Secrets are cut: what is recorded is published.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, get_args

from db.base import IdPrefix
from evals.suite import Json
from tools.analysis.facts.secrets import redact

UNASKED: Final = frozenset({"stream", "stream_options", "user", "metadata"})
"""How the answer is brought, not what is asked."""
PRESENT: Final = timedelta(days=2)
"""A moment this near to the clock is one of this run."""
_ZERO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)

# No \b before a name: in the text of JSON a line's end is a letter, `\n`.
_NAMES: Final = re.compile(
    r"(?P<fence>data-[0-9a-f]{8})(?![0-9A-Za-z])"
    rf"|(?P<row>(?P<prefix>{'|'.join(get_args(IdPrefix))})_[0-9a-f]{{32}})(?![0-9A-Za-z])"
    r"|(?<![0-9a-f-])(?P<uuid>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?![0-9A-Za-z-])"
    r"|(?<!\d)(?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))"
)


@dataclass(frozen=True)
class Asked:
    """A canonical request, its key, and the present name of each placeholder in it."""

    request: Json
    key: str
    names: dict[str, str]

    def canonical_text(self, text: str) -> str:
        """Return what the model said with this run's names as placeholders, without secrets."""
        return redact(_swapped(text, {name: place for place, name in self.names.items()})).text

    def present_text(self, text: str) -> str:
        """Return what was recorded with the placeholders as this run's names."""
        return _swapped(text, self.names)


def make_asked(request: Json, *, now: datetime) -> Asked:
    """Return the canonical form of the JSON of a chat completion's request."""
    numbering = _Numbering(now)
    wanted = {name: value for name, value in request.items() if name not in UNASKED}
    messages = [_plain_calls(message, numbering) for message in wanted.pop("messages", [])]
    # The messages are numbered first: what they name is what the rest speaks of.
    replace = partial(_NAMES.sub, numbering.of_match)
    canonical = {"messages": _mapped(messages, replace), **_mapped(wanted, replace)}
    canonical = {name: canonical[name] for name in sorted(canonical)}
    names = {place: name for name, place in numbering.places.items()}
    return Asked(canonical, request_key(canonical), names)


def request_key(canonical: Json) -> str:
    """Return the SHA-256 of a canonical request, in hexadecimal digits."""
    body = json.dumps(canonical, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def without_names(text: str) -> str:
    """Return a text with placeholders for what only this run calls so; moments stay."""
    return _NAMES.sub(_Numbering(_NEVER).of_match, text)


@dataclass
class _Numbering:
    now: datetime
    places: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def of_match(self, found: re.Match[str]) -> str:
        name = found[0]
        if found["fence"]:
            return self.place(name, "fence", "data-{:08d}")
        if found["row"]:
            return self.place(name, found["prefix"], found["prefix"] + "_{:032d}")
        if found["uuid"]:
            return self.place(name, "uuid", "00000000-0000-0000-0000-{:012d}")
        return self._moment(name)

    def place(self, name: str, kind: str, form: str) -> str:
        """Return the placeholder of `name`, the next of its kind where it is new."""
        if name not in self.places:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self.places[name] = form.format(self._counts[kind])
        return self.places[name]

    def _moment(self, name: str) -> str:
        try:
            near = abs(datetime.fromisoformat(name) - self.now) < PRESENT
        except (ValueError, OverflowError):
            return name
        if not near or name in self.places:
            return self.places.get(name, name)
        self._counts["moment"] = self._counts.get("moment", 0) + 1
        moment = _ZERO + timedelta(seconds=self._counts["moment"])
        self.places[name] = moment.isoformat().replace("+00:00", "Z")
        return self.places[name]


def _plain_calls(message: Json, numbering: _Numbering) -> Json:
    """Return a message whose calls of tools have numbers: servers make up their ids."""
    plain = dict(message)
    if plain.get("tool_calls"):
        plain["tool_calls"] = [
            {**call, "id": numbering.place(str(call.get("id")), "call", "call_{:08d}")}
            for call in plain["tool_calls"]
        ]
    if plain.get("tool_call_id"):
        plain["tool_call_id"] = numbering.place(str(plain["tool_call_id"]), "call", "call_{:08d}")
    return plain


def _mapped(value: Any, replace: Callable[[str], str]) -> Any:
    """Return JSON with every string replaced and redacted, the fields in order of their names."""
    if isinstance(value, str):
        return redact(replace(value)).text
    if isinstance(value, list):
        return [_mapped(item, replace) for item in value]
    if isinstance(value, dict):
        return {name: _mapped(value[name], replace) for name in sorted(value)}
    return value


def _swapped(text: str, names: dict[str, str]) -> str:
    if not names:
        return text
    one = re.compile("|".join(rf"{re.escape(name)}(?![0-9A-Za-z])" for name in sorted(names)))
    return one.sub(lambda found: names[found[0]], text)
