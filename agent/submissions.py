"""A submission with what is known about it before any model is asked."""

import asyncio
import hashlib

from agent.evidence import collect, run_proposed, summary
from agent.proposals import statement_hash
from agent.sources import NOTHING
from agent.state import Json
from agent.words import Language, say
from tools.analysis.runs.consensus import language_of_solutions
from tools.analysis.runs.sandbox import can_run
from tools.code_files import content_of


async def with_evidence(request: Json, subject: Json, language: Language) -> Json:
    """Return the subject with its `facts` and `criteria`.

    `open_statement` is the task's statement where it has no examples that can be run and none are
    kept from before: a model may propose some; else None.
    """
    code, programming_language = request["code"], request["programming_language"]
    task, criteria = subject["task"], subject["criteria"]
    texts = _texts(subject)
    if task and not criteria:
        criteria = [say(language, "whole_task")]
    facts = await collect(code, programming_language, task_texts=texts)
    content = content_of(code, request.get("code_base64"))
    facts |= {"sha256": hashlib.sha256(content).hexdigest()}
    subject = {**subject, "facts": facts, "criteria": criteria, "open_statement": None}
    broken = summary(facts).syntax_problems > 0
    if not task or facts["runs"] or broken:
        return subject
    if not await asyncio.to_thread(_can_propose, programming_language):
        return subject
    statement = "\n".join(texts)
    kept = task["proposed"] or {}
    if kept.get("statement") == statement_hash(statement, programming_language):
        return await with_proposed(request, subject, kept)
    return subject | {"open_statement": statement}


async def with_proposed(request: Json, subject: Json, proposed: Json) -> Json:
    """Return the subject with the runs of examples that a model has proposed."""
    facts = await run_proposed(
        subject["facts"],
        request["code"],
        request["programming_language"],
        proposed=proposed["examples"],
        calls=proposed["calls"],
        task_texts=_texts(subject),
    )
    return subject | {"facts": facts}


def _can_propose(programming_language: str) -> bool:
    return language_of_solutions(programming_language) is not None and can_run(programming_language)


def _texts(subject: Json) -> list[str]:
    task = subject["task"]
    return [task["title"], task["description"], *subject["criteria"]] if task else []


def task_text(task: Json | None) -> str:
    """Return a task as the model reads it."""
    return f"{task['title']}. {task['description']}" if task else NOTHING
