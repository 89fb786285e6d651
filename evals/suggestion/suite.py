"""The suite of suggestions: learners with their rows and wishes, and the goals they get."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import Final

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
from evals.suggestion.metrics import found_relevant, grounded, never_too_many
from evals.suite import Case, Metric, Model, Suite, Task, Way, always

FOLDER: Final = Path(__file__).parents[1] / "fixtures" / "suggestion"


@cache
def load() -> Sequence[Case]:
    """Return the learners of the set."""
    return load_learners(FOLDER)


@cache
def _seen_naively() -> frozenset[str]:
    return seen_naively(FOLDER)


@asynccontextmanager
async def open_suggestion(way: Way, model: Model) -> AsyncIterator[Task]:
    """Yield the product's way to suggest goals, or the naive one."""
    if way == "naive":
        from evals.suggestion.naive import suggest as suggest_naively

        yield partial(suggest_naively, model=model)
        return

    from evals.suggestion.task import suggest

    async with open_planner(model) as planner:
        yield partial(suggest, planner=planner)


SUITE = Suite(
    name="suggestion",
    title="Suggestion: are the goals new, checkable, grounded and in the learner's language?",
    load=load,
    fixtures=FOLDER,
    open=open_suggestion,
    naive_sees=lambda case: case.id in _seen_naively(),
    metrics=(
        SCHEMA_VALID,
        LANGUAGE_MATCH,
        Metric(
            name="no_duplicate_goal",
            question="Does no goal say what another one says?",
            score=not_repeated,
            bound=1.0,
        ),
        ENOUGH_CRITERIA,
        CRITERIA_CHECKABLE,
        Metric(
            name="grounded",
            question="Does some goal rest on a row that a tutor would name, if one was found?",
            score=grounded,
            bound=0.9,
            tolerance=0.03,
        ),
        Metric(
            name="found_relevant",
            question="Was a row retrieved that a tutor would name?",
            score=found_relevant,
            tolerance=0.03,
            passes=always,
        ),
        Metric(
            name="count_honoured",
            question="Are there as many goals as were asked for?",
            score=count_honoured,
            tolerance=0.03,
            passes=always,
        ),
        Metric(
            name="never_too_many",
            question="Are there no more goals than were asked for?",
            score=never_too_many,
            bound=1.0,
        ),
        OWN_ROWS_UNTOUCHED,
    ),
)
