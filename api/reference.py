"""The pages of docs/reference/: error codes, events and limits, told by the code itself.

`python -m api.reference` writes them again; a test compares them with what it would write.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from api import limits
from api.auth import MAX_TOKEN_CHARACTERS
from api.http_protocol import MAX_URL_BYTES
from api.run_schemas import MAX_MESSAGE
from api.settings import Settings
from db.events import CATALOGUE
from tools import passwords, texts
from tools.errors import GoalsError
from tools.quotas import MOST
from tools.search import MAX_QUERY_CHARACTERS

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE: Final = "<!-- Written by `python -m api.reference`. -->\n"


@dataclass(frozen=True)
class Code:
    """What a code means, and what its caller should do."""

    statuses: str
    means: str
    do: str


CODES: Final[dict[str, Code]] = {
    "ACCOUNT_TAKEN": Code("409", "the name or the address is another account's", "take another"),
    "AGENT_STEP_LIMIT": Code(
        "422", "the agent used up its steps", "ask for less at once, then tell the operator"
    ),
    "AUTH_EXPIRED": Code("401", "the token was good once", "sign in again"),
    "AUTH_INVALID": Code(
        "400, 401", "the token, or name and password, are not accepted", "sign in again"
    ),
    "AUTH_KEYS_UNAVAILABLE": Code(
        "503", "the issuer's keys cannot be fetched", "wait `Retry-After`, send it again"
    ),
    "AUTH_MISSING": Code("401", "there is no token", "send `Authorization: Bearer …`"),
    "BUDGET_EXCEEDED": Code(
        "429", "what models may take today, or in this run, is used up", "wait `Retry-After`"
    ),
    "CONFLICT_STATE": Code("409", "the thing cannot become this now", "read it; see the detail"),
    "CONFLICT_VERSION": Code("409, 412", "somebody was faster", "read it again, then decide"),
    "DB_UNAVAILABLE": Code("503", "PostgreSQL does not answer", "wait `Retry-After`"),
    "EMBEDDING_INVALID": Code(
        "502", "the embedding model gave nothing that can be stored", "tell the operator"
    ),
    "IDEMPOTENCY_IN_PROGRESS": Code(
        "409", "the first request of this key is under way", "wait, then send the same again"
    ),
    "IDEMPOTENCY_MISMATCH": Code(
        "422", "the key was used with another body", "take a new key for a new request"
    ),
    "INTERNAL": Code("500", "a mistake of ours", "tell the operator the `X-Request-Id`"),
    "INTERRUPT_STALE": Code(
        "409", "the question was answered, cancelled or has expired", "ask again"
    ),
    "LIMIT_REACHED": Code("409", "you have as many as there may be", "delete some first"),
    "LLM_BAD_OUTPUT": Code(
        "502", "the model's answer fits neither schema nor checks, twice", "try once more"
    ),
    "LLM_REFUSED": Code("422", "the model, or its filter, declined", "say it in other words"),
    "LLM_TIMEOUT": Code("504", "the model did not finish in time", "try again, or ask for less"),
    "LLM_TRUNCATED": Code("502", "the model's answer was cut", "ask for less at once"),
    "LLM_UNAVAILABLE": Code("503", "the model cannot be reached", "wait `Retry-After`"),
    "METHOD_NOT_ALLOWED": Code("405", "the path has no such method", "see `Allow`"),
    "NOT_FOUND": Code("404", "there is no such thing, or it is somebody else's", "check the id"),
    "OVERLOADED": Code("503", "too much is waiting already", "wait `Retry-After`"),
    "RATE_LIMITED": Code("429", "too many requests", "wait `Retry-After`"),
    "RUN_ACTIVE": Code("409", "the thread has a run at work", "listen to it, or cancel it"),
    "RUN_LOST": Code("500", "a run's servers died again and again", "begin a new run"),
    "SETUP": Code("503", "the installation lacks something", "the operator: see the detail"),
    "STOPPING": Code("503", "this process ends, another goes on", "send it again"),
    "TEXT_INVALID": Code("422", "a text holds what cannot be stored (a NUL, half a character)",
                         "mend the text"),
    "TOO_DEEP": Code("422", "JSON is nested too deeply", "flatten it"),
    "TOO_LARGE": Code("413, 414", "the body or the URL is too large", "send less"),
    "USERS_UNAVAILABLE": Code(
        "503", "the service that users live in does not answer", "wait `Retry-After`"
    ),
    "VALIDATION": Code("400, 422", "a field does not fit", "`errors` names each field"),
}  # fmt: skip


def own_codes() -> set[str]:
    """Return the codes of all our errors' classes."""
    found, waiting = set(), [GoalsError]
    while waiting:
        kind = waiting.pop()
        found.add(kind.code)
        waiting += kind.__subclasses__()
    return found


def make_pages() -> dict[str, str]:
    """Return each page's file name and its text."""
    return {"errors.md": _errors(), "events.md": _events(), "limits.md": _limits()}


def write_pages(folder: Path = FOLDER) -> None:
    """Write every page to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in make_pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def _errors() -> str:
    rows = [
        [f"`{code}`", told.statuses, told.means, told.do] for code, told in sorted(CODES.items())
    ]
    return _page(
        "Error codes",
        "Every error of the API is `application/problem+json` (RFC 9457): `title`, `status`, "
        "`detail`, and a `code` that stays the same. In streams it is the code of the last event.",
        _table(["code", "status", "what it means", "what to do"], rows),
    )


def _events() -> str:
    rows = [
        [
            f"`{name.value}`",
            (kind.__doc__ or "").partition("\n")[0],
            ", ".join(f"`{field.name}`" for field in fields(kind)),
        ]
        for name, kind in sorted(CATALOGUE.items(), key=lambda one: one[0].value)
    ]
    return _page(
        "Events",
        "Recorded in the transaction of the change, carried as CloudEvents and to Parquet; the "
        "schemas are in [events/](../events/).",
        _table(["type", "when", "data"], rows),
    )


def _limits() -> str:
    sizes: list[list[Any]] = [
        ["body of a request, bytes", limits.MAX_BODY_BYTES],
        ["nesting of JSON", limits.MAX_DEPTH],
        ["digits of a whole number", limits.MAX_INTEGER_DIGITS],
        ["URL, bytes", MAX_URL_BYTES],
        ["token, characters", MAX_TOKEN_CHARACTERS],
        ["password, characters", passwords.MAX_PASSWORD],
        ["title, characters", texts.MAX_TITLE],
        ["description, characters", texts.MAX_DESCRIPTION],
        ["criteria of a goal", texts.MAX_CRITERIA],
        ["criterion, characters", texts.MAX_CRITERION],
        ["code, characters", texts.MAX_CODE],
        ["keys of metadata", texts.MAX_METADATA_KEYS],
        ["query of a search, characters", MAX_QUERY_CHARACTERS],
        ["message to the planner, characters", MAX_MESSAGE],
        *[[f"{kind.replace('_', ' ')} of a learner", most] for kind, most in MOST.items()],
    ]
    settings = [
        [f"`{field.alias}`", f"`{field.default}`"]
        for field in Settings.model_fields.values()
        if field.alias in SET_LIMITS
    ]
    return _page(
        "Limits",
        "What is more than this is refused with a code; nothing is cut in silence.",
        _table(["of", "at most"], [[name, f"{most:,}"] for name, most in sizes])
        + "\n\nWhat the operator sets, and its default:\n\n"
        + _table(["variable", "default"], settings),
    )


SET_LIMITS: Final = frozenset(
    {
        "GOALS_DAY_TOKENS", "GOALS_DAY_CALLS", "GOALS_RUN_TOKENS", "GOALS_RUN_CALLS",
        "GOALS_RATE_REQUESTS", "GOALS_RATE_MODELS", "GOALS_RATE_SIGN_IN", "GOALS_TOKEN_HOURS",
        "GOALS_RUN_LEASE",
    }
)  # fmt: skip


def _page(title: str, lead: str, body: str) -> str:
    return f"{NOTE}\n# {title}\n\n{lead}\n\n{body}\n"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    write_pages()
