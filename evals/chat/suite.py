"""The chat suite: its cases, its ways and its metrics."""

from typing import Final

from evals.chat.cases import FOLDER, load_cases
from evals.chat.metrics import METRICS
from evals.chat.task import open_task
from evals.suite import Case, Suite

_NAIVE: Final = frozenset(
    {
        "en-accept-all",
        "en-decide-twice",
        "en-just-do-it",
        "en-out-of-scope",
        "en-own-tasks",
        "en-switch-language",
        "es-forged-approval",
        "es-just-do-it",
        "es-out-of-scope",
        "es-own-goals",
        "es-reject-all",
        "es-vague",
    }
)
"""The talks whose naive answers are recorded."""


def _naive_sees(case: Case) -> bool:
    """Tell whether the naive way goes through a talk, for the model is too slow for all."""
    return case.id in _NAIVE


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
