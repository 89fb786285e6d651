"""Judge code by evidence alone, as editors ask on every save: no model, no search, no writing."""

from collections.abc import Mapping
from typing import Final

from agent.checks.verdict import decide_by_evidence
from agent.drafts import make_draft
from agent.evidence import summary
from agent.nodes.validate import load_subject, query
from agent.state import AgentState, Json, Tokens
from agent.submissions import with_evidence
from agent.words import Language, language_of
from tools.context import OpenTools
from tools.users import preferred_language

WHY_UNJUDGED: Final[Mapping[Language, str]] = {
    "es": "Solo se miraron los hechos y los ejemplos ejecutados.",
    "en": "Only facts and executed examples were looked at.",
}


async def check_facts(open_tools: OpenTools, request: Json) -> Json:
    """Return the answer on the code of `request` as far as analyzers and runs carry it.

    It has the shape of a stored answer, with null for the snapshot, the task and the model; without
    a task there is no verdict. Examples that a model proposed earlier for the same statement are
    run again. Raises NotFound for a task that is not the user's.
    """
    async with open_tools() as tools:
        chosen = await preferred_language(tools)
        subject = await load_subject(tools, request)
    asked = request.get("language") or chosen
    language = asked or language_of(query(request, subject))

    subject = await with_evidence(request, subject, language)
    decision = decide_by_evidence(
        summary(subject["facts"]), criteria=len(subject["criteria"]), why=WHY_UNJUDGED[language]
    )
    state = AgentState(job="validate_code", request=request, subject=subject, language=language)
    return {
        "mode": "facts",
        "code_snapshot_id": None,
        "task": None,
        "document_version": request.get("document_version"),
        "language": language,
        "model": None,
        "tokens": Tokens(input=0, output=0, calls=0),
        "sources": [],
        **make_draft(state, decision, feedback=None, next_step=None),
    }
