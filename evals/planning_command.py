"""Run the planning suite: with recorded answers, or with the local model where asked."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from api.migrations import migrate
from db.embedded import open_embedded
from db.engine import make_engine, make_sessions
from evals.planning import UNRECORDED, plan_all
from evals.planning_cases import FOLDER, Case, load_cases
from evals.planning_report import PlanningReport
from evals.recorded_answers import NotRecorded
from evals.recorded_chat import LIVE_SECONDS, MODEL, open_chat
from tools.embedders import LOCAL_MODEL, Embedder

ANSWERS: Final = FOLDER / "answers.jsonl"


def run_planning(
    *,
    record: Path | None,
    note: Callable[[int], None],
    cases: Sequence[Case] | None = None,
    answers: Path = ANSWERS,
) -> PlanningReport:
    """Return the report on the whole set, or on `cases`; `note` is told of each finished case.

    With `record` the local model in that file answers what is not recorded, and its answers are
    kept. Raises NotRecorded where no question is recorded, SetupError without the model.
    """
    chosen = load_cases() if cases is None else cases
    report = asyncio.run(_run(chosen, record=record, note=note, answers=answers))
    if chosen and not report.answered:
        raise NotRecorded(
            "no question to the model is as it was when its answers were recorded: "
            "run the suite once with --record"
        )
    return report


async def _run(
    cases: Sequence[Case], *, record: Path | None, note: Callable[[int], None], answers: Path
) -> PlanningReport:
    from tools.embedding_models import LocalEmbeddings

    with (
        tempfile.TemporaryDirectory(prefix="goals-", ignore_cleanup_errors=True) as folder,
        open_embedded(Path(folder) / "pg") as url,
    ):
        migrate(url)
        engine = make_engine(url)
        try:
            async with open_chat(answers, record=record) as (chat, recorded):
                planned = await plan_all(
                    cases,
                    make_sessions(engine),
                    chat=chat,
                    embedder=Embedder(LOCAL_MODEL, LocalEmbeddings()),
                    note=note,
                    call_seconds=LIVE_SECONDS,
                )
                whole = len(cases) == len(load_cases())
                if record is not None and whole and all(one.error != UNRECORDED for one in planned):
                    recorded.save(without=recorded.unused)
        finally:
            await engine.dispose()
    return PlanningReport(model=MODEL, planned=tuple(planned))
