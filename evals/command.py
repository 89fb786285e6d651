"""`goals eval`: the suites that tell how good the product is; no key and no network."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(name="eval", help=__doc__, no_args_is_help=True, add_completion=False)


@app.callback()
def choose() -> None:
    """Measure how good the product is, offline or with a live model."""


@app.command()
def run(
    suite: Annotated[
        list[str] | None, typer.Option(help="What to measure, once or more often; all without it")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Ask a live model, `local`, `openai` or a base URL; no gate then"),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Ask only what is not recorded, and record it")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Folder for the report: HTML, Markdown and JSON")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not tables")] = False,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Expect from now on what is found, show how")
    ] = False,
) -> None:
    """Run suites and hold them against the baseline.

    Exit codes: 0 as good as before, 1 worse, 2 a wrong command, 3 nothing can be said.
    """
    from evals.suites import SUITES

    names = tuple(dict.fromkeys(suite)) if suite else SUITES
    _require(all(name in SUITES for name in names), f"the suites are {', '.join(SUITES)}")
    _require(_names_a_model(model), "--model is local, openai or a base URL")
    _require(not record or model == "local", "--record needs --model local")
    _require(not update_baseline or model is None, "--update-baseline is for recorded answers")

    from evals.run import Asked, run_suites

    raise typer.Exit(
        run_suites(
            Asked(
                names=names,
                every=not suite,
                model=model,
                record=record,
                report=report,
                as_json=as_json,
                update_baseline=update_baseline,
            )
        )
    )


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="JSON of `goals eval run`")],
    after: Annotated[Path, typer.Argument(help="JSON of another run")],
) -> None:
    """Say what is better and what is worse in the second of two runs, case by case."""
    from rich.console import Console

    from evals.comparison import compare_results, show
    from evals.results import read_results

    try:
        comparison = compare_results(read_results(before), read_results(after))
    except (OSError, ValueError) as error:
        _require(False, f"no two results: {error}")
        raise
    show(comparison, Console(soft_wrap=False))


def _names_a_model(model: str | None) -> bool:
    return model in {None, "local", "openai"} or str(model).startswith(("http://", "https://"))


def _require(met: Any, text: str) -> None:
    """Leave with exit code 2 and `text` unless `met`."""
    if not met:
        sys.stderr.write(text + "\n")
        raise typer.Exit(2)
