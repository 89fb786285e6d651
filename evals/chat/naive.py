"""The naive planner: each turn one bare call with all that was said, which says what to save.

It sees every row, knows the rules, and answers in a shape; what it puts into `save` is taken for
written, for nothing stands between it and the rows. Decisions reach it as words.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import Field

from agent.answers import UnusableAnswer, ask
from agent.outputs import Output, Paragraph, Title
from evals.chat.talker import NO_QUESTION
from evals.model import LIVE_SECONDS
from evals.suite import Case, Json, Model, Outcome

TOKENS: Final = 500
MOST_TURNS: Final = 2
LANGUAGES: Final = {"es": "Spanish", "en": "English"}
SYSTEM: Final = """\
You plan learning with one person. Answer in {language}, in JSON only: reply, what you say; \
propose, what you propose to write; save, what is to be written now. Save nothing but what the \
person has accepted after you proposed it.

What the person has:
{rows}"""
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "es": {
        "accept": "Acepto todo.",
        "reject": "No acepto nada de eso.",
        "item": "El punto {item}: {action}.",
        "accepted": "lo acepto",
        "rejected": "no lo acepto",
        "edited": "lo acepto, pero con este cambio: {fields}",
        "other": "Lo demás no.",
    },
    "en": {
        "accept": "I accept all of it.",
        "reject": "I accept none of that.",
        "item": "Item {item}: {action}.",
        "accepted": "I accept it",
        "rejected": "I do not accept it",
        "edited": "I accept it with this change: {fields}",
        "other": "Not the rest.",
    },
}


class NaiveItem(Output):
    """A thing to write, in a word and a line."""

    kind: Literal["goal", "task", "status"]
    title: Title


class NaiveTurn(Output):
    """What a bare call says, proposes, and wants written."""

    reply: Paragraph
    propose: list[NaiveItem] = Field(max_length=5)
    save: list[NaiveItem] = Field(max_length=5)


async def talk(case: Case, model: Model) -> Outcome:
    """Return what the bare model makes of a talk's first turns. Raises ModelError."""
    rows = "\n".join(map(_line, case.inputs["rows"])) or "nothing yet"
    system = SYSTEM.format(language=LANGUAGES[case.language], rows=rows)
    said: list[BaseMessage] = [SystemMessage(system)]
    turns: list[Json] = []
    proposed: list[Json] = []
    for turn in case.inputs["turns"][:MOST_TURNS]:
        said.append(HumanMessage(turn.get("say") or in_words(turn["decide"], case.language)))
        try:
            answer = await ask(
                model.chat,
                said,
                shape=NaiveTurn,
                max_tokens=TOKENS,
                deadline=LIVE_SECONDS,
                temperature=0.0,
            )
        except UnusableAnswer:
            turns.append({"ended": "failed", "code": "MODEL_BAD_OUTPUT", "changes": []})
            continue
        value = answer.value.model_dump()
        said.append(AIMessage(json.dumps(value, ensure_ascii=False)))
        came = _as_turn(value)
        if "decide" in turn:
            came["decided"] = _approved(proposed, turn["decide"])
            if not proposed:
                came["ended"] = NO_QUESTION
        proposed = value["propose"] or proposed
        turns.append(came)
    return Outcome(data={"turns": turns})


def in_words(decided: Json, language: str) -> str:
    """Return a decision as a person would say it."""
    words = WORDS[language]
    if decided.get("cancel"):
        return words["reject"]
    if not decided.get("items"):
        return words[decided["rest"]]
    lines = []
    for one in decided["items"]:
        fields = ", ".join(f"{name}: {value}" for name, value in one.get("fields", {}).items())
        action = words[one["action"] + "ed"].format(fields=fields)
        lines.append(words["item"].format(item=one["item"], action=action))
    return " ".join([*lines, *([words["other"]] if decided["rest"] == "reject" else [])])


def _as_turn(value: Json) -> Json:
    """Return what it said in the form of the product's turns."""
    return {
        "ended": "success",
        "code": None,
        "text": value["reply"],
        "tools": [],
        "question": {"kind": "naive", "items": value["propose"]} if value["propose"] else None,
        "changes": [{"change": "add", "id": None, **item} for item in value["save"]],
    }


def _approved(proposed: list[Json], decided: Json) -> list[Json]:
    """Return what of the last proposal the learner has accepted, in their words."""
    if decided.get("cancel"):
        return []
    by_place = {one["item"]: one for one in decided.get("items", ())}
    wanted = []
    for place, item in enumerate(proposed, start=1):
        one = by_place.get(place, {"action": decided["rest"]})
        if one["action"] != "reject":
            title = one.get("fields", {}).get("title", item["title"])
            wanted.append({**item, "action": "add", "title": title, "fields": {"title": title}})
    return wanted


def _line(row: Mapping[str, Any]) -> str:
    title = row.get("title") or row.get("file_path")
    status = f" ({row['status']})" if "status" in row else ""
    text = row.get("description") or row.get("feedback")
    return f"{row['key']} {row['type']}{status}: {title}" + (f". {text}" if text else "")
