"""How a run begins: what was done before is taken, and the language of its answer is settled."""

from typing import cast

from agent.state import AgentState, Json, Tokens
from agent.words import Language, language_of
from db.operations import Finished, request_hash
from tools.errors import Conflict
from tools.schemas import chosen_language
from tools.users import no_such_user


def chosen_by(account: Json | None) -> Language | None:
    """Return the language that the user has chosen. Raises NotFound where the account has gone."""
    if account is None:
        raise no_such_user()
    return chosen_language(account)


def begun(
    state: AgentState, subject: Json, *, chosen: Language | None, otherwise: str
) -> AgentState:
    """Return what a run knows when it begins.

    Its language is the one that was asked for, else the `chosen` one, else that of a text.
    """
    asked = state["request"].get("language") or chosen
    language = cast("Language", asked) if asked in {"es", "en"} else language_of(otherwise)
    return AgentState(
        subject=subject,
        language=language,
        complaint=None,
        repairs=0,
        sources=[],
        result=None,
        proposal=None,
        tokens=state.get("tokens") or Tokens(input=0, output=0, calls=0),
    )


def result_of(done: Finished | None, state: AgentState) -> Json | None:
    """Return the answer of an operation. Raises Conflict where its key was another request's."""
    if done is None:
        return None
    if state.get("thread_id") is None and done.request_hash != request_hash(state["request"]):
        raise Conflict(
            "this Idempotency-Key was used for another request",
            code="IDEMPOTENCY_MISMATCH",
            status=422,
        )
    return done.result
