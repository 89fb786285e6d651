"""`goals eval`: the suites that tell how good the product is; no key and no network."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

app = typer.Typer(name="eval", help=__doc__, no_args_is_help=True, add_completion=False)


class Suite(StrEnum):
    """What can be measured."""

    PLANNING = "planning"
    VALIDATION = "validation"


@app.callback()
def choose() -> None:
    """Measure how good the product is, offline."""


@app.command()
def run(
    suite: Annotated[Suite, typer.Option(help="What to measure")],
    report: Annotated[
        Path | None, typer.Option(help="Folder for Markdown, JSON and a picture")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            help="The local model's GGUF file: it is asked what is not recorded yet",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not tables")] = False,
) -> None:
    """Run a suite and say whether it is good enough: exit code 1 where it is not."""
    from evals.recorded_answers import NotRecorded
    from tools.errors import SetupError

    measured = _suite(suite)
    words = Console(stderr=True)
    try:
        with Progress(console=words, transient=True) as progress:
            task = progress.add_task(f"{suite.value}: judged", total=None)
            found = measured.run(record=record, note=lambda count: progress.advance(task, count))
    except (NotRecorded, SetupError) as error:
        words.print(str(error), style="red")
        raise typer.Exit(2) from error
    if report is not None:
        for path in measured.write(found, report):
            words.print(str(path))
    sys.stdout.write(found.as_json() + "\n" if as_json else measured.as_markdown(found))
    if not all(check.met for check in found.checks()):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Measured:
    """How a suite is run and its report written."""

    run: Callable[..., Any]
    as_markdown: Callable[[Any], str]
    write: Callable[[Any, Path], list[Path]]


def _suite(suite: Suite) -> _Measured:
    if suite is Suite.PLANNING:
        from evals import planning_command, planning_report

        return _Measured(
            run=planning_command.run_planning,
            as_markdown=planning_report.make_markdown,
            write=planning_report.write_report,
        )
    from evals import validation_command, validation_report

    return _Measured(
        run=validation_command.run_validation,
        as_markdown=validation_report.make_markdown,
        write=validation_report.write_report,
    )
