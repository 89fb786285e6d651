"""The `goals` command. Nothing heavy is imported before a command needs it."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from api.bench_cli import bench
from api.mcp.command import mcp
from api.plugins import Commands
from api.users_cli import users

app = typer.Typer(
    name="goals",
    cls=Commands,
    help="Turn a learner's wishes and code into goals, tasks and honest feedback.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="Fetch and check the local chat model.", no_args_is_help=True)
lake = typer.Typer(help="Look after the Parquet files, and ask them.", no_args_is_help=True)
app.add_typer(models, name="models")
index = typer.Typer(help="Look after the vectors that searches go by.", no_args_is_help=True)
app.add_typer(index, name="index")
app.add_typer(lake, name="lake")
app.add_typer(bench, name="bench")
app.add_typer(users)
app.add_typer(mcp)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [GOALS_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [GOALS_PORT]")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes on the port [GOALS_WORKERS]")
    ] = None,
) -> None:
    """Start the API; without a broker it carries its events away itself."""
    from api.settings import Settings

    settings = Settings()
    host, port = host or settings.host, settings.port if port is None else port
    workers = workers or settings.workers
    if workers > 1:
        from api.supervisor import run_workers

        raise typer.Exit(run_workers(settings, host=host, port=port, workers=workers))
    from api.serve import run_server

    run_server(settings, host=host, port=port)


@app.command(hidden=True)
def serve_worker(number: int, listener: int, line: int) -> None:
    """Serve the API as one of several processes; `goals serve --workers` starts it."""
    from api.serve import run_in_place
    from api.settings import Settings

    run_in_place(Settings(), number=number, listener=listener, line=line)


@app.command()
def openapi(
    output: Annotated[Path | None, typer.Option(help="File to write instead of printing")] = None,
) -> None:
    """Print the OpenAPI document, for linters and generators of clients."""
    import json

    from api.openapi import openapi_document
    from api.settings import Settings

    text = json.dumps(openapi_document(Settings()), ensure_ascii=False, indent=2) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


@app.command()
def worker() -> None:
    """Carry events from the outbox to Parquet, and give new texts their vectors."""
    from api.settings import Settings
    from api.workers import run_until_stopped, work

    run_until_stopped(Settings(), work)


@app.command()
def relay() -> None:
    """Publish events from the outbox to RabbitMQ."""
    from api.settings import Settings
    from api.workers import relay, run_until_stopped

    run_until_stopped(Settings(), relay)


@app.command()
def sink() -> None:
    """Move events from RabbitMQ to Parquet."""
    from api.settings import Settings
    from api.workers import run_until_stopped, sink

    run_until_stopped(Settings(), sink)


@lake.command()
def compact() -> None:
    """Merge the files of closed months into one for each family."""
    from api.lake import run_compact
    from api.settings import Settings

    run_compact(Settings())


@lake.command()
def scrub(
    rebuild_all: Annotated[
        bool, typer.Option("--rebuild-all", help="Write every file again where none is there")
    ] = False,
    retry_quarantined: Annotated[
        bool,
        typer.Option("--retry-quarantined", help="Offer what no sink survived to them once more"),
    ] = False,
) -> None:
    """Compare the files with the manifest; quarantine and rebuild what is damaged."""
    from api.lake import run_scrub
    from api.settings import Settings

    raise typer.Exit(
        run_scrub(Settings(), rebuild_all=rebuild_all, retry_quarantined=retry_quarantined)
    )


@lake.command()
def query(sql: Annotated[str, typer.Argument(help="DuckDB's SQL over the view `events`")]) -> None:
    """Ask the lake in SQL."""
    from api.lake import run_query
    from api.settings import Settings

    run_query(Settings(), sql)


@lake.command()
def stats(
    plot: Annotated[Path | None, typer.Option(help="Where to write a PNG of it")] = None,
) -> None:
    """Count the events of each day by family."""
    from api.lake import run_stats
    from api.settings import Settings

    run_stats(Settings(), plot)


@index.command()
def backfill() -> None:
    """Embed what has no vector of the present model yet; stop it and start it again at will."""
    from api.indexing import run_backfill
    from api.settings import Settings

    raise typer.Exit(run_backfill(Settings()))


@index.command()
def status() -> None:
    """Count the rows of each embedding model, and those that wait."""
    from api.indexing import run_status
    from api.settings import Settings

    run_status(Settings())


@app.command()
def migrate(
    set_app_password: Annotated[
        bool, typer.Option(help="Give the role of DATABASE_APP_URL the password that is in it")
    ] = False,
) -> None:
    """Bring the database to the newest schema."""
    from api.bootstrap import open_database
    from api.migrations import current_revision
    from api.settings import Settings
    from api.users_elsewhere import migrate_for

    settings = Settings()
    with open_database(settings) as url:
        migrate_for(settings, url)
        if set_app_password:
            from api.tenancy import give_password

            give_password(settings, url)
        typer.echo(f"the database is at revision {current_revision(url)}")


@app.command()
def doctor() -> None:
    """Name what is missing or misconfigured, and its fix."""
    from api.doctor import examine
    from api.settings import Settings

    raise typer.Exit(examine(Settings()))


@app.command()
def token(
    user: Annotated[str, typer.Option(help="Name of the learner; made if there is none")],
    hours: Annotated[float, typer.Option(min=0.01, max=8760, help="How long it is good for")] = 24,
    scope: Annotated[
        str, typer.Option(help="`goals:write` lets agents write at once, over MCP")
    ] = "",
) -> None:
    """Print a token for development."""
    from api.development import make_development_token
    from api.settings import Settings

    typer.echo(make_development_token(Settings(), user=user, hours=hours, scope=scope))


class Hint(StrEnum):
    """How much the feedback gives away, from least to most."""

    NUDGE = "nudge"
    CONCEPT = "concept"
    PSEUDOCODE = "pseudocode"
    ANALOGUE = "analogue"


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="The code")],
    task: Annotated[
        str | None, typer.Option(help="Id of the task that it is to solve; none: feedback only")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Its language [by the file's suffix]")
    ] = None,
    facts: Annotated[
        bool, typer.Option("--facts", help="Analyzers and runs alone: no model, nothing stored")
    ] = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer")] = False,
    hint: Annotated[Hint | None, typer.Option(help="How much the feedback gives away")] = None,
    url: Annotated[str | None, typer.Option(help="A running service [this process]")] = None,
    token: Annotated[str | None, typer.Option(help="Who asks", envvar="GOALS_TOKEN")] = None,
    user: Annotated[
        str, typer.Option(help="Name of the learner who asks, without a token")
    ] = "developer",
) -> None:
    """Judge a file: exit code 0 if it passes, 1 if not or if nothing can be judged, 2 for errors.

    Without a task there is no verdict: 1 where the code cannot be parsed or holds something grave.
    """
    if sarif and as_json:
        raise typer.BadParameter("SARIF or JSON, not both", param_hint="--sarif")
    try:
        from api.service_client import Service
        from api.settings import Settings
        from api.validate import run_validate

        code = run_validate(
            Settings(),
            file,
            task_id=task,
            language=language,
            facts=facts,
            hint=hint,
            form="sarif" if sarif else "json" if as_json else "text",
            service=Service(url=url, token=token, user=user),
        )
    except Exception as error:
        _fail(error, exit_code=2)
    raise typer.Exit(code)


@app.command()
def erase(
    user: Annotated[str, typer.Option(help="Name or id of the learner")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Forget a learner: rows, events, Parquet files, checkpoints and dead letters."""
    from api.erase import run_erase
    from api.settings import Settings

    run_erase(Settings(), user=user, yes=yes)


@app.command()
def gc(
    older_than_days: Annotated[
        float, typer.Option(min=0, help="Age of what is kept of ended runs")
    ] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count")] = False,
) -> None:
    """Delete what nobody will read again: old checkpoints, events of runs, unanswered questions.

    A server and a worker do it once an hour; this is for cron, and for a look with --dry-run.
    """
    from datetime import timedelta

    from api.gc import run_gc
    from api.settings import Settings

    run_gc(Settings(), older_than=timedelta(days=older_than_days), dry_run=dry_run)


@app.command()
def demo() -> None:
    """Watch the agent do its whole job on a sample learner, on real parts."""
    from api.demo import run_demo
    from api.settings import Settings

    run_demo(Settings())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the database; what follows goes to psql."""
    from api.development import run_psql
    from api.settings import Settings

    raise typer.Exit(run_psql(Settings(), context.args))


@models.command()
def pull() -> None:
    """Fetch the local chat model (1.1 GB, once), and verify it."""
    from api.development import pull_with_progress
    from api.settings import Settings

    pull_with_progress(Settings().local_model)


@models.command()
def verify() -> None:
    """Check the local chat model's size and SHA-256."""
    from agent.model_files import verify_model
    from api.settings import Settings
    from tools.errors import SetupError

    path: Path = Settings().local_model
    if not verify_model(path):
        raise SetupError(f"{path} is missing or is not the default model: run `goals models pull`")
    typer.echo(f"{path} is the publisher's file")


def main() -> None:
    """Run the command; what the installation lacks becomes one line and exit code 1."""
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    try:
        app()
    except Exception as error:
        _fail(error, exit_code=1)


def _fail(error: Exception, *, exit_code: int) -> NoReturn:
    """End with a line on what a person can mend; raise any other error again."""
    sentence = _sentence(error)
    if sentence is None:
        raise error
    typer.echo(f"goals: {sentence}", err=True)
    sys.exit(exit_code)


def _sentence(error: Exception) -> str | None:
    from pydantic import ValidationError

    from tools.errors import GoalsError

    if isinstance(error, GoalsError):
        return error.detail
    if isinstance(error, ValidationError):
        names = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        return f"the settings are wrong: {names}"
    reason = _database_reason(error)
    return None if reason is None else f"the database does not answer: {reason}; see `goals doctor`"


def _database_reason(error: Exception) -> str | None:
    """Return the first line of a database driver's error, None for any other error."""
    sqlalchemy_error = sys.modules.get("sqlalchemy.exc")
    if sqlalchemy_error is None or not isinstance(error, sqlalchemy_error.OperationalError):
        return None
    return str(getattr(error, "orig", error)).strip().splitlines()[0]
