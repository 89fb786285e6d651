"""The `goals bench` commands. Nothing heavy is imported before one of them needs it."""

from pathlib import Path
from typing import Annotated

import typer

bench = typer.Typer(help="Measure, beside the limits.", no_args_is_help=True)


@bench.command("events")
def bench_events(
    events: Annotated[int, typer.Option(min=1, help="Events that wait to be drained")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of the short measurements")] = 5,
    messages: Annotated[int, typer.Option(min=10, help="Messages of a round")] = 20_000,
    commits: Annotated[int, typer.Option(min=1, help="Single commits of a round")] = 100,
    memory_events: Annotated[
        int, typer.Option(min=0, help="Events that pass while memory is watched; 0 leaves it out")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")] = False,
    only: Annotated[str | None, typer.Option(help="Sections, separated by commas")] = None,
) -> None:
    """Measure the way of the events beside its limits, on the broker of AMQP_URL.

    Sections: publish, consume, parquet, writes, visible, drain, memory. PostgreSQL and the lake are
    temporary, and the broker is left as it was.
    """
    from api.bench import run_events
    from api.settings import Settings
    from events.bench.plan import Plan, read_sections

    try:
        sections = read_sections(only)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from error
    if only is not None and "memory" in sections and not memory_events:
        raise typer.BadParameter("memory needs --memory-events", param_hint="--only")
    plan = Plan(
        events=events,
        rounds=rounds,
        messages=messages,
        commits=commits,
        memory_events=memory_events,
        sections=sections,
    )
    run_events(Settings(), plan, as_json=as_json)


@bench.command("retrieval")
def bench_retrieval(
    rows: Annotated[int, typer.Option(min=100, help="Rows of all owners together")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of every measurement")] = 5,
    queries: Annotated[int, typer.Option(min=10, help="Searches of a round")] = 200,
    ingest_rows: Annotated[int, typer.Option(min=1, help="Rows taken in a round")] = 2_000,
    folder: Annotated[
        Path | None, typer.Option(help="Where the loaded server stays for the next run")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")] = False,
    only: Annotated[str | None, typer.Option(help="Sections, separated by commas")] = None,
) -> None:
    """Measure retrieval beside its limits, on a PostgreSQL of its own.

    Sections: search (time and recall), throughput, ingest. Nothing of yours is read or changed.
    """
    from api.retrieval_bench.command import run_retrieval
    from api.retrieval_bench.plan import SECTIONS, Plan
    from events.bench.plan import read_sections

    try:
        sections = read_sections(only, SECTIONS)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from error
    plan = Plan(
        rows=rows, rounds=rounds, queries=queries, ingest_rows=ingest_rows, sections=sections
    )
    run_retrieval(plan, folder=folder, as_json=as_json)


@bench.command("api")
def bench_api(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of every measurement")] = 5,
    requests: Annotated[
        int, typer.Option(min=1, max=1_000, help="Single requests of a round, of each kind")
    ] = 40,
    burst: Annotated[
        int, typer.Option(min=16, max=10_000, help="Requests of a round, 16 at once")
    ] = 320,
    streams: Annotated[int, typer.Option(min=1, max=2_000, help="Streams open at once")] = 500,
    crud: Annotated[
        int, typer.Option(min=64, max=10_000, help="Reads and writes of a kind and round")
    ] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")] = False,
    only: Annotated[str | None, typer.Option(help="Sections, separated by commas")] = None,
) -> None:
    """Measure what a request of the agent adds to its model, beside a bare graph.

    Sections: suggest, validate, throughput, stream, streams, crud (plain reads and writes beside a
    bare route), imports. The model is a stub that answers at once; PostgreSQL is temporary. Nothing
    of yours is read or changed.
    """
    from api.agent_bench.command import run_api
    from api.agent_bench.plan import SECTIONS, Plan
    from events.bench.plan import read_sections

    try:
        sections = read_sections(only, SECTIONS)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from error
    plan = Plan(
        rounds=rounds,
        requests=requests,
        burst=burst,
        streams=streams,
        crud=crud,
        sections=sections,
    )
    run_api(plan, as_json=as_json)
