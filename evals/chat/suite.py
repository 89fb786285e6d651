"""The chat suite: its cases, its ways and its metrics."""

from typing import Final

from evals.chat.cases import FOLDER, load_cases
from evals.chat.metrics import METRICS
from evals.chat.task import open_task
from evals.suite import Case, Suite

_PAIRS: Final = {case.id: place // 2 for place, case in enumerate(load_cases())}


def _naive_sees(case: Case) -> bool:
    """Tell whether the naive way goes through a talk: every second pair, for its model is slow."""
    return _PAIRS[case.id] % 2 == 0


SUITE: Final = Suite(
    name="chat",
    title="Talks with the planner, approvals among them",
    load=load_cases,
    metrics=METRICS,
    fixtures=FOLDER,
    open=open_task,
    naive_sees=_naive_sees,
    at_once=4,
)
