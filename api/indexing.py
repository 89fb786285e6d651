"""`goals index`: give texts their vectors now, and count those that wait."""

import asyncio
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from api.bootstrap import open_database, open_filler
from api.logs import configure_logging
from api.settings import Settings
from tools.errors import EmbeddingError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from db.embedding_backlog import BacklogDepth
    from tools.backfill import Filled, Filler

ATTEMPTS: Final = 3
"""Passes in a row that may end without an answer of the embedding model."""
LONGEST_DELAY_SECONDS: Final = 4.0
TURN_SECONDS: Final = 0.5
INTERRUPTED: Final = 130


def run_backfill(settings: Settings) -> int:
    """Embed all that waits and show how far it is; return the exit code.

    0: every text has its vector; 1: the model does not answer, or refuses some; 130: interrupted.
    What is done stays done: the next run goes on from there.
    """
    configure_logging()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with open_database(settings) as url:
        try:
            return asyncio.run(_backfill(settings, url, console))
        except EmbeddingError as error:
            console.print(f"{error.detail}; run `goals index backfill` again when it answers")
            return 1
        except KeyboardInterrupt:
            console.print("Interrupted; `goals index backfill` goes on from here.")
            return INTERRUPTED


async def _backfill(settings: Settings, url: str, console: Console) -> int:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("vectors"), BarColumn(), MofNCompleteColumn(), Remaining())
    async with open_filler(settings, url) as filler:
        with Progress(*columns, console=console) as progress:
            waiting = _size(await filler.depth())
            bar = progress.add_task("backfill", total=waiting)
            filled = await _until_done(filler, progress, bar)
        for row_id in filled.refused:
            console.print(f"{row_id}: the model gives no vector for its text")
        left = _size(await filler.depth())
    console.print(f"{waiting} texts waited, {left} wait now.")
    return 1 if left else 0


async def _until_done(filler: "Filler", progress: "Progress", bar: "TaskID") -> "Filled":
    """Run passes until one has had its turn and has left nothing but what is refused."""
    from db.retry import retry_delay

    failures = 0
    while True:
        try:
            filled = await filler.fill(progress=lambda rows: progress.advance(bar, rows))
        except EmbeddingError:
            failures += 1
            if failures == ATTEMPTS:
                raise
            await asyncio.sleep(retry_delay(failures, longest=LONGEST_DELAY_SECONDS))
            continue
        if not filled.busy:
            return filled
        left = _size(await filler.depth())  # another process is at it: watch it
        progress.update(bar, completed=max(0, int(progress.tasks[bar].total or 0) - left))
        await asyncio.sleep(TURN_SECONDS)


def run_status(settings: Settings) -> None:
    """Print the rows of each model."""
    from db.embedding_backlog import count_by_model
    from db.embeddings import PENDING
    from db.engine import make_sync_engine
    from tools.embedders import model_name

    present = model_name(settings.embeddings_provider, model=settings.embeddings_model)
    with open_database(settings) as url:
        engine = make_sync_engine(url)
        try:
            with engine.connect() as connection:
                counts = {each.model: each.rows for each in count_by_model(connection)}
        finally:
            engine.dispose()
    table = Table("model", "rows", "", box=None, header_style="bold")
    table.add_row(present, str(counts.pop(present, 0)), "the present one")
    table.add_row("-", str(counts.pop(PENDING, 0)), "pending: found by their words")
    for model, rows in counts.items():
        table.add_row(model, str(rows), "to be embedded again")
    Console(highlight=False).print(table)


def _size(depth: "BacklogDepth") -> int:
    return depth.pending + depth.of_other_models
