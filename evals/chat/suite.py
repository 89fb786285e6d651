"""The chat suite: its cases, its ways and its metrics."""

from typing import Final

from evals.chat.cases import FOLDER, load_cases
from evals.chat.metrics import METRICS
from evals.chat.task import open_task
from evals.suite import Suite

SUITE: Final = Suite(
    name="chat",
    title="Talks with the planner, approvals among them",
    load=load_cases,
    metrics=METRICS,
    fixtures=FOLDER,
    open=open_task,
    at_once=4,
)
