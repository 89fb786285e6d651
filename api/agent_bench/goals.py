"""What the figures are called in words, and which goals they are held against."""

from typing import Final

from api.agent_bench.plan import AT_ONCE, CONCURRENCIES
from api.agent_bench.yardstick import PACE
from events.bench.figures import Goal

_SUGGEST: Final = "POST /v1/goals/suggest"
_VALIDATE: Final = "POST /v1/tasks/{id}/validate"
_STREAM: Final = "POST /v1/chat/completions, streamed"

LABELS: Final[dict[str, tuple[str, str]]] = {
    "suggest.whole.p50": (f"{_SUGGEST}: the whole request", "ms"),
    "suggest.whole.p95": (f"{_SUGGEST}: the whole request, p95", "ms"),
    "suggest.stub.p50": ("the same call of the model, sent to the stub itself", "ms"),
    "suggest.added.p50": ("what the request adds to it", "ms"),
    "suggest.added.p95": ("what the request adds to it, p95", "ms"),
    "validate.whole.p50": (f"{_VALIDATE}: the whole request", "ms"),
    "validate.whole.p95": (f"{_VALIDATE}: the whole request, p95", "ms"),
    "validate.stub.p50": ("the same call of the model, sent to the stub itself", "ms"),
    "validate.evidence.p50": ("of the request: analyzers, and the code that is run", "ms"),
    "validate.added.p50": ("what the request adds to model and evidence", "ms"),
    "validate.added.p95": ("what the request adds to model and evidence, p95", "ms"),
    "suggest.rps": (f"{_SUGGEST}, {AT_ONCE} at once", "requests/s"),
    "peer.rps": (f"bare graph of three nodes, {AT_ONCE} at once", "requests/s"),
    "peer.p50": ("bare graph of three nodes, one request at a time", "ms"),
    "first_token.ours": (f"{_STREAM}: the first token, p50", "ms"),
    "first_token.stub": ("the stub's own first token, p50", "ms"),
    "first_token.added": ("what comes between", "ms"),
    "streams.open": (f"{_STREAM}: open at once", "streams"),
    "streams.lost": ("chunks that are missing or out of order", "chunks"),
    "streams.gap.p95": ("from the model's chunk to the reader, over all streams, p95", "ms"),
    "yardstick.call": ("machine: a call of the stub by openai's client, in process", "ms"),
    "yardstick.graph": ("machine: LangGraph, three nodes that do nothing", "ms"),
    "yardstick.saved": ("machine: the same with its own saver for PostgreSQL", "ms"),
    PACE: ("what these take here over what they took where the goals in ms were set", "times"),
    "imports.app": ("import of the application", "ms"),
    "imports.everything": ("import of all that a serving process has in the end", "ms"),
}
"""What each figure is of, and its unit."""

CRUD: Final[dict[str, str]] = {
    "get": "GET /v1/goals/{id}",
    "page": "GET /v1/goals, a page of 20",
    "post": "POST /v1/goals",
    "patch": "PATCH /v1/goals/{id}",
}
PARTIES: Final[dict[str, str]] = {"ours": "", "bare": "a bare route with the same SQL: "}
_MEASURES: Final = {"rps": ("", "requests/s"), "p50": (", p50", "ms"), "p95": (", p95", "ms")}

for _kind, _what in CRUD.items():
    for _party, _says in PARTIES.items():
        for _at_once in CONCURRENCIES:
            for _measure, (_of, _unit) in _MEASURES.items():
                LABELS[f"crud.{_kind}.{_party}.{_at_once}.{_measure}"] = (
                    f"{_says}{_what}, {_at_once} at once{_of}",
                    _unit,
                )

ADDED_MS: Final = 15.0
FIRST_TOKEN_MS: Final = 4.5


def _at_most(figure: str, bound: float | None, *, over: str | None = None) -> Goal:
    return Goal(figure=figure, over=over, sense="at most", bound=bound)


GOALS: Final = (
    _at_most("suggest.added.p50", ADDED_MS),
    _at_most("suggest.added.p50", ADDED_MS, over=PACE),
    _at_most("validate.added.p50", ADDED_MS),
    _at_most("validate.added.p50", ADDED_MS, over=PACE),
    Goal(figure="suggest.rps", over="peer.rps", bound=0.5),
    _at_most("first_token.added", FIRST_TOKEN_MS),
    _at_most("first_token.added", FIRST_TOKEN_MS, over=PACE),
    _at_most("streams.lost", 0),
    *(
        Goal(figure=f"crud.{kind}.ours.{at}.rps", over=f"crud.{kind}.bare.{at}.rps", bound=0.6)
        for kind in CRUD
        for at in CONCURRENCIES
    ),
    _at_most("imports.app", 0.35, over="imports.everything"),
)
