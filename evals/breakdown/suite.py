"""The suite of breakdowns: learners with a goal, and the tasks it is broken down into."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Final

from evals.breakdown.metrics import criteria_covered, dag_valid
from evals.learners import load_learners, seen_naively
from evals.plan_metrics import (
    CRITERIA_CHECKABLE,
    ENOUGH_CRITERIA,
    LANGUAGE_MATCH,
    OWN_ROWS_UNTOUCHED,
    SCHEMA_VALID,
    count_honoured,
    not_repeated,
)
from evals.planner import open_planner
from evals.suite import Case, Metric, Model, Suite, Task, Way, always

FOLDER: Final = Path(__file__).parents[1] / "fixtures" / "breakdown"


@cache
def load() -> Sequence[Case]:
    """Return the learners of the set."""
    return load_learners(FOLDER)


@cache
def _seen_naively() -> frozenset[str]:
    return seen_naively(FOLDER)


@asynccontextmanager
async def open_breakdown(way: Way, model: Model) -> AsyncIterator[Task]:
    """Yield the product's way to break goals down, or the naive one."""
    if way == "naive":
        from evals.breakdown.naive import break_down as break_down_naively

        yield partial(break_down_naively, model=model)
        return

    from evals.breakdown.task import break_down

    async with open_planner(model) as planner:
        yield partial(break_down, planner=planner)


SUITE = Suite(
    name="breakdown",
    title="Breakdown: are the tasks a plan that reaches the goal, and nothing twice?",
    load=load,
    fixtures=FOLDER,
    open=open_breakdown,
    naive_sees=lambda case: case.id in _seen_naively(),
    metrics=(
        replace(SCHEMA_VALID, bound=0.95),
        LANGUAGE_MATCH,
        Metric(
            name="dag_valid",
            question="Can the tasks be done in an order, each after what it needs?",
            score=dag_valid,
            bound=1.0,
        ),
        Metric(
            name="criteria_covered",
            question="Is each criterion of the goal served by a task?",
            score=criteria_covered,
            bound=1.0,
        ),
        Metric(
            name="tasks_not_repeated",
            question="Does no task say what another one says?",
            score=not_repeated,
            bound=1.0,
        ),
        ENOUGH_CRITERIA,
        CRITERIA_CHECKABLE,
        Metric(
            name="count_honoured",
            question="Are there as many tasks as were asked for?",
            score=count_honoured,
            tolerance=0.05,
            passes=always,
        ),
        OWN_ROWS_UNTOUCHED,
    ),
)
