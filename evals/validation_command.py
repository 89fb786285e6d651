"""Run the validation suite: with recorded answers, or with the local model where asked."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from agent.context import AgentContext, Limits
from evals.recorded_chat import LIVE_SECONDS, MODEL, open_chat
from evals.validation import (
    judge_all,
    judge_naively,
    make_long_file,
    measure_seconds,
    percentile_95,
)
from evals.validation_cases import FOLDER, load_submissions, load_tasks
from evals.validation_report import ValidationReport

ANSWERS: Final = FOLDER / "answers.jsonl"
TIMES: Final = 20
NAIVE_EVERY: Final = 2
"""The naive call sees the programs of every second task: enough to see a coin."""


def run_validation(*, record: Path | None, note: Callable[[int], None]) -> ValidationReport:
    """Return the report on the whole set; `note` is told of each judged submission.

    With `record` the local model in that file answers what is not recorded, and its answers are
    kept. Raises NotRecorded where a question has changed since, SetupError without the model.
    """
    return asyncio.run(_run(record=record, note=note))


async def _run(*, record: Path | None, note: Callable[[int], None]) -> ValidationReport:
    tasks, submissions = load_tasks(), load_submissions()
    async with open_chat(ANSWERS, record=record) as (chat, recorded):
        unused: Any = None
        context = AgentContext(
            user_id="usr_evals",
            open_tools=unused,
            chat=chat,
            embedder=unused,
            limits=Limits(call_seconds=LIVE_SECONDS),
        )
        ours = await judge_all(tasks, submissions, context, note=note)
        some = {task.id for task in tasks[::NAIVE_EVERY]}
        naive = await judge_naively(
            tasks, [one for one in submissions if one.task_id in some], context, note=note
        )
        if record is not None:
            recorded.save(without=recorded.unused)
    seconds = await measure_seconds(make_long_file(), "python", times=TIMES)
    return ValidationReport(
        model=MODEL,
        ours=tuple(ours),
        naive=tuple(naive),
        facts_p95_ms=percentile_95(seconds) * 1e3,
    )
