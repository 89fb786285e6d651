"""What the service itself says in a conversation: of a draft, and of what was written.

Made from the draft and from the rows as they were stored, never from the model's words.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from agent.state import Json
from agent.words import Language

_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "es": {
        "suggest_goals": "Propongo estas metas:",
        "break_down_goal": "Propongo este plan de tareas:",
        "change_status": "Propongo este cambio:",
        "nothing": "No hay nada nuevo que proponer.",
        "no_words": "No tengo respuesta a eso. Dímelo con otras palabras.",
        "add": "{key}. {title}",
        "change": "{key}. (cambia) {title}",
        "remove": "{key}. (se quita) {title}",
        "ask": "Nada está guardado todavía. Acepta, edita o rechaza cada punto:",
        "accept": "/accept {id} all",
        "dropped": "Descartada por repetir «{repeats}»: {title}",
        "written_goals": "Metas guardadas: {titles}.",
        "written_tasks": "Tareas añadidas: {added}; cambiadas: {changed}; quitadas: {removed}.",
        "written_status": "«{title}»: {before} → {after}.",
        "written_nothing": "No se guardó nada.",
    },
    "en": {
        "suggest_goals": "I propose these goals:",
        "break_down_goal": "I propose this plan of tasks:",
        "change_status": "I propose this change:",
        "nothing": "There is nothing new to propose.",
        "no_words": "I have no answer to that. Please say it in other words.",
        "add": "{key}. {title}",
        "change": "{key}. (changes) {title}",
        "remove": "{key}. (is removed) {title}",
        "ask": "Nothing is saved yet. Accept, edit or reject each item:",
        "accept": "/accept {id} all",
        "dropped": "Left out because it repeats “{repeats}”: {title}",
        "written_goals": "Goals saved: {titles}.",
        "written_tasks": "Tasks added: {added}; changed: {changed}; removed: {removed}.",
        "written_status": "“{title}”: {before} → {after}.",
        "written_nothing": "Nothing was saved.",
    },
}
STATUSES: Final[Mapping[Language, Mapping[str, str]]] = {
    "es": {
        "pending": "por empezar",
        "todo": "por hacer",
        "in_progress": "en curso",
        "in_review": "en evaluación",
        "completed": "hecha",
        "failed": "no pasa",
        "skipped": "omitida",
        "blocked": "bloqueada",
        "cancelled": "cancelada",
    },
    "en": {
        "pending": "to begin",
        "todo": "to do",
        "in_progress": "in progress",
        "in_review": "being judged",
        "completed": "done",
        "failed": "does not pass",
        "skipped": "skipped",
        "blocked": "blocked",
        "cancelled": "cancelled",
    },
}
"""The words of the page (`api/page/words.js`); a test holds them together."""
_ASKED: Final = "|".join(re.escape(words["ask"]) for words in _WORDS.values())
_QUESTION: Final = re.compile(rf"\s*^(?:{_ASKED})$(?:\n/accept \S+ all$)?", re.MULTILINE)


def tell_proposal(language: Language, job: str, proposal: Json) -> str:
    """Return a draft as a list that a person can decide on, with the command that accepts it."""
    words = _WORDS[language]
    lines = [words[job]]
    for item in proposal["items"]:
        lines += [words[item["action"]].format(**item), *_details(item, language)]
    lines += [words["dropped"].format(**one) for one in proposal["dropped"] if one["repeats"]]
    lines += ["", words["ask"], words["accept"].format(id=proposal["interrupt_id"])]
    return "\n".join(lines)


def _details(item: Json, language: Language) -> list[str]:
    """Return what there is to know of an item before one decides on it, a line each."""
    fields = item["fields"]
    told = [item.get("why") if item["kind"] == "goal" else fields.get("description")]
    told += [f"- {criterion}" for criterion in fields.get("criteria") or ()]
    if fields.get("estimated_hours"):
        told.append(f"- {fields['estimated_hours']:g} h")
    if item["kind"] == "status":
        statuses = STATUSES[language]
        told.append(f"- {statuses[item['before']]} → {statuses[fields['status']]}")
    return [f"   {line}" for line in told if line]


def tell_nothing(language: Language, draft: Json) -> str:
    """Return that there is nothing to decide on, and what was left out and why."""
    words = _WORDS[language]
    left_out = [one for one in draft.get("dropped", ()) if one["repeats"]]
    return "\n".join([words["nothing"], *(words["dropped"].format(**one) for one in left_out)])


def tell_no_words(language: Language) -> str:
    """Return what is said where the model has said nothing at all."""
    return _WORDS[language]["no_words"]


def as_read(text: str) -> str:
    """Return what was said before as the model reads it, without the question to the person.

    A small model repeats what it has read itself say, and the question names a command.
    """
    return _QUESTION.sub("", text)


def tell_result(language: Language, job: str, result: Json) -> str:
    """Return what was written, as the rows have it."""
    words = _WORDS[language]
    if job == "suggest_goals":
        titles = _listed([one["goal"]["title"] for one in result["suggestions"]])
        return words["written_goals"].format(titles=titles) if titles else words["written_nothing"]
    if job == "break_down_goal":
        diff = result["diff"]
        counts = {name: len(diff[name]) for name in ("added", "changed", "removed")}
        if not any(counts.values()):
            return words["written_nothing"]
        return words["written_tasks"].format(**counts)
    if result.get("before") == result.get("after"):
        return words["written_nothing"]
    before, after = (STATUSES[language][result[name]] for name in ("before", "after"))
    return words["written_status"].format(title=result["title"], before=before, after=after)


def _listed(titles: Sequence[str]) -> str:
    return ", ".join(f"“{title}”" for title in titles)
