"""`goals bench api`: measure what requests of the agent add to the model, beside a bare graph.

The service is `goals serve` in a process of its own, over real HTTP and a PostgreSQL of its own:
sign-in, graph, search, checkpoint, rows and events. The model is a stub that answers at once.
Added time is the whole request less the same call of the model sent to the stub itself; for a
verdict also less its evidence (analyzers, and the learner's code that is run), which is timed
inside that very request and printed beside it.
"""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from api.agent_bench.goals import GOALS
from api.agent_bench.plan import Plan, Site
from api.agent_bench.run import Measured, measure
from api.bench_output import announcer, interrupted_by_sigterm, make_goals_table, short
from events.bench.figures import BenchFailed, assess, make_report
from tools.errors import SetupError


def run_api(plan: Plan, *, as_json: bool) -> None:
    """Measure and print; a missed goal is no error.

    Raises SetupError where a measurement cannot be made.
    """
    try:
        with (
            interrupted_by_sigterm(),
            announcer() as announce,
            tempfile.TemporaryDirectory(
                prefix="goals-bench-", ignore_cleanup_errors=True
            ) as folder,
        ):
            measured = measure(Site(folder=Path(folder), announce=announce), plan)
    except BenchFailed as error:
        raise SetupError(str(error)) from error
    except (OSError, EOFError, TimeoutError) as error:
        what = str(error) or type(error).__name__
        raise SetupError(f"a part of the bench does not answer: {what}") from error
    parameters = asdict(plan) | {"sections": sorted(plan.sections)}
    if as_json:
        report = make_report(
            measured.figures,
            environment=measured.environment,
            parameters=parameters,
            goals=GOALS,
        )
        report["unmeasured"] = measured.unmeasured
        sys.stdout.write(json.dumps(report, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _print(measured, parameters)


def _print(measured: Measured, parameters: dict[str, Any]) -> None:
    console = Console(highlight=False)
    table = Table(box=None, header_style="bold")
    for column in ("figure", "median", "min … max", "unit", "what"):
        right = column in {"median", "min … max"}
        table.add_column(column, justify="right" if right else "left", no_wrap=column != "what")
    for figure in measured.figures:
        least, most = short(min(figure.values)), short(max(figure.values))
        spread = f"{least} … {most}" if len(figure.values) > 1 else ""
        table.add_row(figure.name, short(figure.median), spread, figure.unit, figure.what)
    console.print(table, "")
    compared = make_goals_table(assess(measured.figures, GOALS), measured.figures)
    if compared.row_count:
        console.print(compared, "")
    for section, reason in measured.unmeasured.items():
        console.print(f"not measured: {section} ({reason})")
    about = measured.environment | parameters
    console.print(", ".join(f"{name} {value}" for name, value in about.items()))
