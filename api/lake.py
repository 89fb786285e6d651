"""`goals lake`: what looks after the Parquet files, and what asks them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from api.bootstrap import open_database
from api.settings import Settings
from db.base import utc_now
from tools.errors import InputError, SetupError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from events.lake import Lake


def run_compact(settings: Settings) -> None:
    """Merge closed months, and print what was merged."""
    from events.compact import compact

    console = Console(highlight=False)
    with open_care_of_lake(settings) as (engine, lake):
        months = compact(engine, lake, now=utc_now())
    for month in months:
        console.print(f"{month.path}: {month.merged} files, {month.rows} rows", soft_wrap=True)
    if not months:
        console.print("No closed month has more than one file of a family.")


def run_scrub(settings: Settings, *, rebuild_all: bool, retry_quarantined: bool) -> int:
    """Scrub the lake and print what was found; return 1 where something is not healed.

    `rebuild_all` writes every file again where none is there; `retry_quarantined` offers the events
    that no sink survived once more.
    """
    from events.scrub import scrub

    console = Console(highlight=False)
    with open_care_of_lake(settings) as (engine, lake):
        report = scrub(engine, lake, rebuild_all=rebuild_all, retry_quarantined=retry_quarantined)
    for finding in report.findings:
        state = "healed" if finding.healed else "NOT healed"
        console.print(f"{finding.path}: {finding.fault}, {state}", soft_wrap=True)
    for event_id in report.quarantined:
        console.print(f"{event_id}: quarantined, in no file: no sink survived it", soft_wrap=True)
    console.print(f"{report.checked} files read, {len(report.findings)} findings")
    healed = all(finding.healed for finding in report.findings)
    return 0 if healed and not report.quarantined else 1


def run_query(settings: Settings, sql: str) -> None:
    """Print the answer of a query. Raises InputError for what the lake cannot answer."""
    from events.query import QueryRefused, query_lake

    try:
        with _reachable_lake(settings) as lake:
            result = query_lake(lake, sql)
    except QueryRefused as error:
        raise InputError(str(error)) from error
    table = Table(*result.columns, box=None, header_style="bold")
    for row in result.rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console(highlight=False).print(table)


def run_stats(settings: Settings, plot: Path | None) -> None:
    """Print the events of each day by family; draw them to `plot` where one is named."""
    from events.query import daily_counts

    with _reachable_lake(settings) as lake:
        counts = daily_counts(lake)
    console = Console(highlight=False)
    table = Table("day", "family", "events", box=None, header_style="bold")
    for count in counts:
        table.add_row(str(count.day), count.family, str(count.events))
    console.print(table)
    if plot is not None:
        from events.stats import plot_daily

        try:
            plot_daily(counts, plot)
        except OSError as error:
            raise SetupError(f"{plot} cannot be written: {error.strerror}") from error
        console.print(f"The plot is at {plot}", soft_wrap=True)


@contextlib.contextmanager
def open_care_of_lake(settings: Settings) -> Iterator["tuple[Engine, Lake]"]:
    """Yield the engine and the lake; what hinders the work becomes a SetupError."""
    from db.engine import make_sync_engine
    from events.care import LakeBusy

    with open_database(settings) as url, _reachable_lake(settings) as lake:
        lake.check()
        engine = make_sync_engine(url)
        try:
            yield engine, lake
        except LakeBusy as error:
            raise SetupError(f"the lake is busy: {error}") from error
        finally:
            engine.dispose()


@contextlib.contextmanager
def _reachable_lake(settings: Settings) -> Iterator["Lake"]:
    """Yield the lake; where it cannot be used, that becomes a SetupError."""
    from events.lake import LakeUnavailable, open_lake

    try:
        yield open_lake(settings.lake_location)
    except LakeUnavailable as error:
        raise SetupError(f"the lake cannot be used: {error}") from error
