"""The suite of verdicts: a right and a wrong program for each task, and what is said of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any, Final

from evals.suite import Case, Metric, Model, Suite, Task, Way, always
from evals.validation.cases import FOLDER, load_submissions, load_tasks
from evals.validation.cases import Task as Exercise
from evals.validation.metrics import (
    STATEMENT_ALONE,
    WITH_EXAMPLES,
    anchored,
    balanced_accuracy,
    correct_rejected_alone,
    correct_rejected_with_examples,
    decided,
    no_refuted_finding,
    sound_not_called_broken,
    syntax_caught,
    verdict_right,
    verdict_right_alone,
    verdict_right_with_examples,
)

NAIVE_EVERY: Final = 2
"""The naive call sees the programs of every second task: enough to see a coin."""
RUN_HERE: Final = frozenset({"python", "javascript", "typescript"})


@cache
def _exercises() -> dict[str, Exercise]:
    return {task.id: task for task in load_tasks()}


@cache
def _seen_naively() -> frozenset[str]:
    return frozenset(list(_exercises())[::NAIVE_EVERY])


def load() -> Sequence[Case]:
    """Return a case for each submission."""
    cases = []
    for submission in load_submissions():
        task = _exercises()[submission.task_id]
        language: Any = task.language
        examples = WITH_EXAMPLES if task.examples else STATEMENT_ALONE
        bug = [f"bug: {submission.bug}"] if submission.bug else []
        by_runs = task.examples and task.programming_language in RUN_HERE
        cases.append(
            Case(
                id=submission.id,
                language=language,
                slices=(task.programming_language, examples, *bug),
                hard=by_runs or submission.bug == "syntax",
                inputs={
                    "task": task.id,
                    "title": task.title,
                    "description": task.description,
                    "criteria": list(task.criteria),
                    "programming_language": task.programming_language,
                    "code": submission.code,
                },
                expected={"correct": submission.correct, "bug": submission.bug},
            )
        )
    return cases


@asynccontextmanager
async def open_validation(way: Way, model: Model) -> AsyncIterator[Task]:
    """Yield the product's way to judge, or the naive one.

    Raises SetupError where runs are to be recorded and nothing can run.
    """
    if way == "naive":
        from evals.validation.naive import judge

        yield partial(judge, model=model)
        return

    from evals.runs import same_everywhere
    from evals.validation.task import Judge

    with same_everywhere(model, FOLDER):
        yield Judge(model)


def _is_never(score: float) -> bool:
    return score == 0.0


SUITE = Suite(
    name="validation",
    title="Validation: is right code accepted and wrong code rejected, with findings that hold?",
    load=load,
    fixtures=FOLDER,
    open=open_validation,
    at_once=2,
    naive_sees=lambda case: case.inputs["task"] in _seen_naively(),
    metrics=(
        Metric(
            name="balanced_accuracy",
            question="How often is the verdict right, right and wrong code weighing the same?",
            score=verdict_right,
            gather=balanced_accuracy,
            tolerance=0.01,
        ),
        Metric(
            name="balanced_accuracy_with_examples",
            question="The same, where the task's text has examples?",
            score=verdict_right_with_examples,
            gather=balanced_accuracy,
            tolerance=0.01,
            bound=0.95,
            passes=always,
        ),
        Metric(
            name="balanced_accuracy_statement_alone",
            question="The same, where there is a statement alone?",
            score=verdict_right_alone,
            gather=balanced_accuracy,
            tolerance=0.02,
            bound=0.75,
            passes=always,
        ),
        Metric(
            name="correct_rejected_with_examples",
            question="How often is right code rejected, where there are examples?",
            score=correct_rejected_with_examples,
            better="lower",
            bound=0.05,
            passes=_is_never,
        ),
        Metric(
            name="correct_rejected_statement_alone",
            question="How often is right code rejected, where there is a statement alone?",
            score=correct_rejected_alone,
            better="lower",
            tolerance=0.02,
            bound=0.2,
            passes=_is_never,
        ),
        Metric(
            name="decided",
            question="How often is there a verdict?",
            score=decided,
            tolerance=0.02,
            passes=always,
        ),
        Metric(
            name="anchored",
            question="Is no finding shown that does not quote the code where it says?",
            score=anchored,
            bound=1.0,
        ),
        Metric(
            name="no_refuted_finding",
            question="Is no mistake claimed that the runs contradict?",
            score=no_refuted_finding,
            bound=1.0,
        ),
        Metric(
            name="syntax_caught",
            question="Is a file found out that does not parse?",
            score=syntax_caught,
            bound=1.0,
        ),
        Metric(
            name="sound_not_called_broken",
            question="Is no file called broken that parses?",
            score=sound_not_called_broken,
            bound=1.0,
        ),
    ),
)
