"""`goals bench`: measure the event pipeline beside its limits, on servers of its own."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from api.bench_output import announcer, interrupted_by_sigterm, make_goals_table, short
from api.settings import Settings
from api.workers import amqp_url_of
from tools.errors import SetupError

if TYPE_CHECKING:
    from events.bench.figures import Figure
    from events.bench.plan import Plan

TEMPLATE: Final = "goals_bench"
OURS: Final = ("DATABASE_URL", "AMQP_URL")


def run_events(settings: Settings, plan: "Plan", *, as_json: bool) -> None:
    """Measure and print; a missed goal is no error.

    The broker of AMQP_URL is used and left as it was; PostgreSQL and the lake are temporary.
    Raises SetupError where the broker is missing, in use, or a measurement cannot be made.
    """
    from api.bench_writes import open_writes
    from events.bench.broker import lent_broker
    from events.bench.figures import BenchFailed, make_report
    from events.bench.plan import Site
    from events.bench.run import describe, measure

    if settings.amqp_url is None:
        raise SetupError("AMQP_URL is not set: `make bench` starts a broker of its own")
    amqp_url = amqp_url_of(settings)
    try:
        with (
            interrupted_by_sigterm(),
            lent_broker(amqp_url),
            announcer() as announce,
            _folder() as folder,
        ):
            announce("starting PostgreSQL")
            with _server(folder) as (server_url, open_database):
                site = Site(
                    amqp_url=amqp_url,
                    open_database=open_database,
                    folder=folder,
                    program=(sys.executable, "-m", "api"),
                    environment=_environment(),
                    announce=announce,
                )
                environment = describe(site, server_url)
                figures = measure(site, plan, open_writes=open_writes)
    except BenchFailed as error:
        raise SetupError(str(error)) from error

    parameters = asdict(plan) | {"sections": sorted(plan.sections)}
    if as_json:
        report = make_report(figures, environment=environment, parameters=parameters)
        sys.stdout.write(json.dumps(report, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _print_tables(figures, environment | parameters)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[tuple[str, Callable[[], AbstractContextManager[str]]]]:
    """Yield the URL of a PostgreSQL of our own and what opens a fresh, migrated database."""
    from api.migrations import migrate
    from db.embedded import open_embedded
    from events.bench.database import open_copy

    postgres = folder / "postgres"
    with (
        open_embedded(postgres, database=TEMPLATE) as template_url,
        open_embedded(postgres, database="postgres") as server_url,
    ):
        migrate(template_url)
        yield server_url, partial(open_copy, server_url, TEMPLATE)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="goals-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _environment() -> Mapping[str, str]:
    """Return our environment without what configures the program."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith("GOALS_")
    }


def _print_tables(figures: "list[Figure]", about: Mapping[str, Any]) -> None:
    from events.bench.figures import assess

    console = Console(highlight=False)
    measured = Table(box=None, header_style="bold")
    for column in ("figure", "median", "min … max", "unit", "what"):
        right = column in {"median", "min … max"}
        measured.add_column(column, justify="right" if right else "left", no_wrap=column != "what")
    for figure in figures:
        least, most = short(min(figure.values)), short(max(figure.values))
        spread = f"{least} … {most}" if len(figure.values) > 1 else ""
        measured.add_row(figure.name, short(figure.median), spread, figure.unit, figure.what)
    console.print(measured)

    compared = make_goals_table(assess(figures), figures)
    if compared.row_count:
        console.print("", compared, sep="\n")
    console.print("\n" + ", ".join(f"{name} {value}" for name, value in about.items()))
