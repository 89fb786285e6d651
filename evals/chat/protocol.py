"""Whether a sequence of AG-UI events is one that the protocol allows: pure, told event by event."""

from collections.abc import Sequence
from typing import Final

from evals.suite import Json

ENDS: Final = frozenset({"RUN_FINISHED", "RUN_ERROR"})
_OPENS: Final = {
    "TEXT_MESSAGE_START": "messageId",
    "TOOL_CALL_START": "toolCallId",
    "STEP_STARTED": "stepName",
}
_WITHIN: Final = {"TEXT_MESSAGE_CONTENT": "TEXT_MESSAGE_START", "TOOL_CALL_ARGS": "TOOL_CALL_START"}
_CLOSES: Final = {
    "TEXT_MESSAGE_END": "TEXT_MESSAGE_START",
    "TOOL_CALL_END": "TOOL_CALL_START",
    "STEP_FINISHED": "STEP_STARTED",
}
_KNOWN: Final = (
    ENDS
    | {"RUN_STARTED", "TOOL_CALL_RESULT", "STATE_SNAPSHOT", "STATE_DELTA", "CUSTOM"}
    | {*_OPENS, *_WITHIN, *_CLOSES}
)


def faults(events: Sequence[Json]) -> list[str]:
    """Return what is wrong with the order of a run's events; each has its type and its id."""
    types = [event["type"] for event in events]
    found = [f"{kind} is no event of ours" for kind in types if kind not in _KNOWN]
    if types[:1] != ["RUN_STARTED"] or types.count("RUN_STARTED") != 1:
        found.append("RUN_STARTED is not the first event, once")
    if not types or types[-1] not in ENDS or sum(kind in ENDS for kind in types) != 1:
        found.append("the run does not end with its last event, once")
    is_open: set[tuple[str, str]] = set()
    called: set[str] = set()
    snapshot = False
    for event in events:
        kind, name = event["type"], str(event.get("id"))
        if kind in _OPENS:
            if (kind, name) in is_open:
                found.append(f"{kind} {name} comes twice")
            is_open.add((kind, name))
        elif kind in _WITHIN and (_WITHIN[kind], name) not in is_open:
            found.append(f"{kind} {name} comes outside of what it belongs to")
        elif kind in _CLOSES:
            if (_CLOSES[kind], name) not in is_open:
                found.append(f"{kind} {name} closes what is not open")
            is_open.discard((_CLOSES[kind], name))
            if kind == "TOOL_CALL_END":
                called.add(name)
        elif kind == "TOOL_CALL_RESULT" and name not in called:
            found.append(f"{kind} {name} answers no call")
        elif kind == "STATE_SNAPSHOT":
            snapshot = True
        elif kind == "STATE_DELTA" and not snapshot:
            found.append("STATE_DELTA comes before any state")
    found += [f"{kind} {name} is never closed" for kind, name in sorted(is_open)]
    return found
