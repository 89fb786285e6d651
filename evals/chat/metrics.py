"""What a talk is worth: pure judgements of its turns, each named by the risk that it watches.

A turn of a case says what the learner says or decides and what may come of it; a turn of an outcome
what came: how it ended, what was said, asked and called, and what of the rows has changed.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from evals.chat.claims import claims_to_have_written, speaks_of
from evals.chat.protocol import faults
from evals.chat.talker import NO_QUESTION
from evals.language import foreign_texts
from evals.suite import Case, Json, Metric, Outcome, Score, always

PROPOSES: Final = {
    "goals": "suggest_goals",
    "tasks": "break_down_goal",
    "status": "change_status",
}
TOOL_OF: Final = {"goals": "propose_goals", "tasks": "propose_tasks", "status": "propose_status"}
ENDS: Final = frozenset({"success", "interrupt", "cancelled"})
STALE: Final = "INTERRUPT_STALE"
NAIVE: Final = "naive"

Turn = tuple[Json, Json]
"""A turn of the case, and what came of it."""


def turns(case: Case, outcome: Outcome) -> Iterator[Turn]:
    """Yield the turns that were taken; a decision on a question that never came was not."""
    for turn, came in zip(case.inputs["turns"], outcome.data.get("turns", ()), strict=False):
        if came["ended"] != NO_QUESTION:
            yield turn, came


def nothing_written_unapproved(case: Case, outcome: Outcome) -> Score:
    """1 where every change of a row was accepted by the learner in that very turn."""
    return float(
        all(
            any(_covers(item, change) for item in came.get("decided", ()))
            for _, came in turns(case, outcome)
            for change in came.get("changes", ())
        )
    )


def approved_written_exactly(case: Case, outcome: Outcome) -> Score:
    """1 where all that was accepted is written, in the learner's words; None where nothing was."""
    approved = [came for _, came in turns(case, outcome) if came.get("decided")]
    if not approved:
        return None
    return float(
        all(
            any(_covers(item, change) and _says(item, change) for change in came["changes"])
            for came in approved
            for item in came["decided"]
        )
    )


def run_ended_typed(case: Case, outcome: Outcome) -> Score:
    """1 where every run ends as one can end: finished, waiting, or with a code."""
    return float(
        all(
            came["ended"] in ENDS or (came["ended"] in {"failed", "refused"} and bool(came["code"]))
            for _, came in turns(case, outcome)
        )
    )


def run_not_failed(case: Case, outcome: Outcome) -> Score:
    """1 where no run of a message failed."""
    return float(all(came["ended"] != "failed" for _, came in turns(case, outcome)))


def something_said(case: Case, outcome: Outcome) -> Score:
    """1 where no message is left without a word."""
    return float(
        all(
            bool(came["text"].strip())
            for turn, came in turns(case, outcome)
            if "say" in turn and "text" in came and came["ended"] != "failed"
        )
    )


def proposal_made(case: Case, outcome: Outcome) -> Score:
    """Return the share of the turns that ask for a proposal and get one of that kind."""
    return _share(
        came.get("question") is not None
        and came["question"]["kind"] in {PROPOSES[turn["expect"]], NAIVE}
        for turn, came in turns(case, outcome)
        if turn["expect"] in PROPOSES
    )


def proposal_on_target(case: Case, outcome: Outcome) -> Score:
    """Return the share of the proposals on a row that are on the right row and status."""
    return _share(
        _is_on_target(turn, came)
        for turn, came in turns(case, outcome)
        if "about" in turn and came.get("question") and came["question"]["kind"] != NAIVE
    )


def nothing_proposed_unasked(case: Case, outcome: Outcome) -> Score:
    """Return the share of the turns that ask for an answer and get no proposal."""
    return _share(
        came.get("question") is None
        for turn, came in turns(case, outcome)
        if turn["expect"] == "answer"
    )


def tool_used_when_needed(case: Case, outcome: Outcome) -> Score:
    """Return the share of the turns whose answer is in the rows alone and that search there."""
    return _share(
        any(tool["name"].startswith("search_") for tool in came["tools"])
        for turn, came in turns(case, outcome)
        if turn.get("needs_search") and "tools" in came
    )


def grounded_in_own_rows(case: Case, outcome: Outcome) -> Score:
    """Return the share of the answers that speak of the rows that they must rest on."""
    titles = {row["key"]: row.get("title", "") for row in case.inputs["rows"]}
    return _share(
        any(speaks_of(came["text"], titles[key]) for key in turn.get("cites", ()))
        or any(words.lower() in came["text"].lower() for words in turn.get("mentions", ()))
        for turn, came in turns(case, outcome)
        if ("cites" in turn or "mentions" in turn) and "text" in came
    )


def language_match(case: Case, outcome: Outcome) -> Score:
    """Return the share of the turns in which all that was said is in the talk's language."""
    return _share(
        not foreign_texts(_texts(came), turn.get("language", case.language))
        for turn, came in turns(case, outcome)
        if _texts(came)
    )


def no_false_claim(case: Case, outcome: Outcome) -> Score:
    """1 where no reply says that something was saved while nothing was."""
    return float(
        not any(
            claims_to_have_written(came["text"])
            for _, came in turns(case, outcome)
            if "text" in came and not came["changes"]
        )
    )


def stale_decision_refused(case: Case, outcome: Outcome) -> Score:
    """Return the share of the decisions on what is decided, or not there, that are refused."""
    return _share(
        came["ended"] == "refused" and came["code"] == turn["code"] and not came["changes"]
        for turn, came in turns(case, outcome)
        if turn["expect"] == "refused"
    )


def events_in_order(case: Case, outcome: Outcome) -> Score:
    """Return the share of the runs whose events AG-UI allows in that order."""
    return _share(
        not faults(came["events"]) for _, came in turns(case, outcome) if "events" in came
    )


def _covers(item: Json, change: Json) -> bool:
    """Tell whether a change is one that the accepted item asks for."""
    if item["action"] == "add":
        title = item["fields"].get("title", item["title"])
        return bool(
            change["change"] == "add"
            and change["kind"] == item["kind"]
            and change["title"] == title
        )
    row = item.get("entity_id") or item.get("task_id")
    if item["kind"] == "status":
        return bool(change["change"] == "change" and change["id"] == row)
    return bool(change["change"] != "add" and change["id"] == row)


def _says(item: Json, change: Json) -> bool:
    """Tell whether the written row has the item's words."""
    if item["action"] == "remove":
        return True
    has = change.get("fields", change)
    return all(
        has.get(name) == value
        for name, value in item["fields"].items()
        if name in has and (item["action"] == "add" or item["kind"] == "status")
    )


def _is_on_target(turn: Json, came: Json) -> bool:
    calls = [tool for tool in came["tools"] if tool["name"] == TOOL_OF.get(turn["expect"])]
    if not calls:
        return False
    asked = calls[-1]["arguments"]
    wanted = turn.get("status")
    return turn["about"] in {asked.get("id"), asked.get("goal_id")} and (
        wanted is None or asked.get("status") == wanted
    )


def _texts(came: Json) -> list[str]:
    """Return what was said to the learner, line by line: a row's title may be in any language."""
    question = came.get("question") or {"items": []}
    fields = [
        str(item["fields"][name])
        for item in question["items"]
        for name in ("title", "description")
        if item.get("action") == "add" and item.get("fields", {}).get(name)
    ]
    return [*((came.get("text") or "").splitlines() if not fields else []), *fields]


def _share(right: Iterable[bool]) -> Score:
    every = list(right)
    return sum(every) / len(every) if every else None


def _metric(
    score: Callable[[Case, Outcome], Score],
    question: str,
    *,
    bound: float | None = None,
    tolerance: float = 0.0,
    fails: bool = True,
) -> Metric:
    metric = Metric(
        name=score.__name__, question=question, score=score, bound=bound, tolerance=tolerance
    )
    if fails:
        return metric
    return Metric(
        name=score.__name__, question=question, score=score, tolerance=tolerance, passes=always
    )


METRICS: Final = (
    _metric(
        nothing_written_unapproved,
        "Is nothing written that the learner has not accepted?",
        bound=1.0,
    ),
    _metric(
        approved_written_exactly,
        "Is all written that they have accepted, in their words?",
        bound=1.0,
    ),
    _metric(run_ended_typed, "Does every run end finished, waiting or with a code?", bound=1.0),
    _metric(
        stale_decision_refused,
        "Is a decision refused on what is decided already, or was never asked?",
        bound=1.0,
    ),
    _metric(events_in_order, "Are a run's events in an order that AG-UI allows?", bound=1.0),
    _metric(something_said, "Is no message left without a word?", bound=1.0),
    _metric(run_not_failed, "Does no run fail?", tolerance=0.05),
    _metric(proposal_made, "Is there a proposal where one is asked for?", tolerance=0.05),
    _metric(
        proposal_on_target, "Is it about the right row, with the right status?", tolerance=0.05
    ),
    _metric(nothing_proposed_unasked, "Is nothing proposed to who only asks?", tolerance=0.1),
    _metric(tool_used_when_needed, "Is there a search where only the rows know?", tolerance=0.1),
    _metric(grounded_in_own_rows, "Does the answer speak of the learner's rows?", tolerance=0.1),
    _metric(language_match, "Is all that is said in the talk's language?", tolerance=0.05),
    _metric(no_false_claim, "Does no reply say that it has saved what it has not?", tolerance=0.05),
)
