"""Decisions on a question, written as text: for chat clients that can only send messages.

    /accept int_… g1 g3      these items, or `all`
    /reject int_… g2         these items, or `all`
    /edit int_… g3 title=A new title

One line each, all about one question; what is not named is rejected. Spanish words do as well:
`/aceptar`, `/rechazar`, `/editar`. Any other message is just a message.
"""

import re
from dataclasses import dataclass
from typing import Final

from agent.review import Action, Decision, Decisions
from tools.errors import InputError

_WORDS: Final[dict[str, Action]] = {
    "accept": "accept",
    "aceptar": "accept",
    "reject": "reject",
    "rechazar": "reject",
    "edit": "edit",
    "editar": "edit",
}
_LINE: Final = re.compile(
    r"/(?P<word>[a-z]+)\s+(?P<question>int_[0-9a-f]{1,32})(?:\s+(?P<rest>.*))?"
)
_EDIT: Final = re.compile(r"(?P<key>\w+)\s+(?P<name>\w+)\s*=\s*(?P<value>.+)")
_HOURS: Final = frozenset({"estimated_hours", "priority"})


@dataclass(frozen=True)
class Command:
    """What a message decides: about which question, item by item, and the rest."""

    interrupt_id: str
    decisions: Decisions
    rest: Action


def read_command(message: str) -> Command | None:
    """Return the command that `message` is, or None where it is just a message.

    Raises InputError for a command that cannot be understood.
    """
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    found = [_LINE.fullmatch(line) for line in lines]
    if not lines or found[0] is None or found[0]["word"] not in _WORDS:
        return None
    questions: set[str] = set()
    decisions: dict[str, Decision] = {}
    rest: Action = "reject"
    for line, match in zip(lines, found, strict=True):
        if match is None or match["word"] not in _WORDS:
            raise InputError(f"each line must be a command like `/accept int_… g1`: {line[:80]}")
        questions.add(match["question"])
        action, named = _WORDS[match["word"]], (match["rest"] or "").strip()
        if action == "edit":
            key, name, value = _edit(named)
            fields = decisions[key].fields if key in decisions else {}
            decisions[key] = Decision("edit", {**fields, name: value})
        elif named.casefold() in {"", "all", "todo", "todas", "todos"}:
            rest = action
        else:
            decisions.update({key: Decision(action) for key in re.split(r"[\s,]+", named)})
    if len(questions) != 1:
        raise InputError("decide on one question at a time")
    return Command(questions.pop(), decisions, rest)


def _edit(text: str) -> tuple[str, str, str | float]:
    match = _EDIT.fullmatch(text)
    if match is None:
        raise InputError("an edit is written `/edit int_… g1 title=A new title`")
    value: str | float = match["value"].strip()
    if match["name"] in _HOURS:
        try:
            value = int(value) if match["name"] == "priority" else float(value)
        except ValueError as error:
            raise InputError(f"{match['name']} must be a number") from error
    return match["key"], match["name"], value
