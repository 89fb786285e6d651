"""`goals demo`: the agent's whole job on a sample learner, told as it happens."""

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table

from agent.run import StepDone, begin, stream_steps
from agent.state import JobName
from api.bootstrap import Services, open_services
from api.logs import configure_logging
from api.sample import QUESTIONS, RIGHT_CODE, WISH, WRONG_CODE, Sample, make_sample
from api.settings import Settings
from db.counts import count_rows
from tools.backfill import Filler, filling
from tools.search import search_everything

STEP_NAMES: Final = {
    "retrieve": "retrieve: rows, language, search by one embedding",
    "suggest_goals": "ask the model for goals, check them",
    "break_down_goal": "ask the model for tasks, check the plan",
    "validate_code": "ask the model about the code, decide",
    "persist": "write rows and events",
}
VERDICT_MARKS: Final = {True: "[bold green]passes[/]", False: "[bold red]does not pass[/]"}


@dataclass
class Story:
    """Where the demo is told, and what it cost so far."""

    console: Console
    timings: dict[str, float] = field(default_factory=dict)
    tokens_in: int = 0
    tokens_out: int = 0

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Head a chapter, and keep the time that it takes."""
        self.console.print()
        self.console.print(Rule(f"[bold]{escape(title)}[/]", align="left", style="cyan"))
        began = time.perf_counter()
        yield
        self.timings[title] = time.perf_counter() - began


def run_demo(settings: Settings) -> None:
    """Tell the whole story once. Raises SetupError and the errors of the agent."""
    configure_logging(level=logging.WARNING)
    console = Console(highlight=False, soft_wrap=False)
    console.print(
        Panel.fit(
            "[bold]AI Goals Tracker: the agent service[/]\n"
            "A sample learner, real parts: PostgreSQL with pgvector, a language model, "
            "embeddings, Parquet.",
            border_style="cyan",
        )
    )
    if settings.chat_provider == "local" and not settings.local_model.is_file():
        from api.development import pull_with_progress

        console.print("There is no OPENAI_API_KEY: fetching the local model, once (1.1 GB).")
        pull_with_progress(settings.local_model)
    asyncio.run(_tell(Story(console), settings))


async def _tell(story: Story, settings: Settings) -> None:
    username = f"demo-{secrets.token_hex(3)}"
    async with AsyncExitStack() as stack:
        with story.chapter("Start the database, load the models, make a sample learner"):
            with story.console.status("starting …"):
                services = await stack.enter_async_context(open_services(settings))
                sample = await make_sample(services, username=username)
                filler = Filler(services.system, services.embedder)
                await filler.fill()
                await stack.enter_async_context(filling(filler))
            _introduce(story, services)
            story.console.print(
                f" Lucía ([cyan]{username}[/]) follows «FastAPI desde cero». She has a goal, a\n"
                " finished task and an earlier submission; their texts are in the vector index."
            )
        with story.chapter("Suggest goals"):
            goal_id = await _suggest(story, services, sample)
        if goal_id is not None:
            with story.chapter("Break the first goal down"):
                await _break_down(story, services, sample, goal_id)
        with story.chapter("Validate a wrong solution"):
            await _validate(story, services, sample, code=WRONG_CODE)
        with story.chapter("Validate a right solution"):
            await _validate(story, services, sample, code=RIGHT_CODE)
        with story.chapter("Search, across languages"):
            await _search(story, services, sample)
        with story.chapter("Carry the events to Parquet, and read them back with DuckDB"):
            await _carry_away(story, services, sample)
        await _look_around(story, services, sample, username=username)


def _introduce(story: Story, services: Services) -> None:
    assert services.agent is not None
    table = Table.grid(padding=(0, 2))
    database = "embedded" if services.settings.database_url is None else "DATABASE_URL"
    table.add_row("database", f"PostgreSQL with pgvector ({database})")
    table.add_row("chat model", escape(services.agent.chat.name))
    table.add_row("embeddings", escape(services.embedder.model))
    story.console.print(table)


async def _suggest(story: Story, services: Services, sample: Sample) -> str | None:
    story.console.print(f"She writes: [italic]«{WISH}»[/]")
    answer = await _run(
        story,
        services,
        sample,
        job="suggest_goals",
        request={"wish": WISH, "course_id": sample.course_id, "count": 3, "language": None},
    )
    for suggestion in answer["suggestions"]:
        goal = suggestion["goal"]
        about = f"[dim]({goal['priority']}, {goal['id']})[/]"
        story.console.print(f"\n [bold green]+ {escape(goal['title'])}[/] {about}")
        story.console.print(f"   {escape(goal['description'])}")
        for criterion in goal["criteria"]:
            story.console.print(f"   ☐ {escape(criterion['text'])}")
        story.console.print(f"   [dim]why: {escape(suggestion['why'])}[/]")
        _show_ids(story, "rests on", suggestion["based_on"])
    for dropped in answer["dropped"]:
        why = dropped["reason"]
        if dropped["repeats"]:
            why += f" with «{escape(dropped['repeats'])}», similarity {dropped['similarity']}"
        title = escape(dropped["title"])
        story.console.print(f"\n [yellow]- left out:[/] {title} [dim]({why})[/]")
    if not answer["suggestions"]:
        return None
    first: str = answer["suggestions"][0]["goal"]["id"]
    return first


async def _break_down(story: Story, services: Services, sample: Sample, goal_id: str) -> None:
    answer = await _run(
        story,
        services,
        sample,
        job="break_down_goal",
        request={"goal_id": goal_id, "count": 3, "language": None},
    )
    numbers = {task["id"]: number for number, task in enumerate(answer["tasks"], start=1)}
    table = Table(box=None, padding=(0, 1), show_edge=False)
    for column in ("", "task", "type", "hours", "needs", "serves"):
        table.add_column(column, header_style="dim")
    for task in answer["tasks"]:
        meta, estimate = task["metadata"], task["metadata"]["estimate"]
        mark = "[bold]●[/]" if task["id"] in answer["critical_path"] else "○"
        needs = ", ".join(str(numbers[one]) for one in meta["depends_on"] if one in numbers)
        table.add_row(
            f"{mark} {numbers[task['id']]}",
            escape(task["title"]),
            task["task_type"],
            f"{estimate['low']:g}-{estimate['likely']:g}-{estimate['high']:g}",
            needs or "-",
            f"{len(meta['serves'])} crit.",
        )
    story.console.print(table)
    story.console.print("[dim]● on the critical path; hours are low, likely, high[/]")
    for repair in answer["repairs"]:
        told = f"{repair['kind']}, {repair['task']}: {repair['detail']}"
        story.console.print(f" [yellow]mended:[/] {escape(told)}")


async def _validate(story: Story, services: Services, sample: Sample, *, code: str) -> None:
    for line_number, line in enumerate(code.rstrip().splitlines(), start=1):
        story.console.print(f" [dim]{line_number}[/] {escape(line)}")
    answer = await _run(
        story,
        services,
        sample,
        job="validate_code",
        request={
            "task_id": sample.task_id,
            "file_path": "metas/progreso.py",
            "programming_language": "python",
            "code": code,
            "document_version": None,
            "language": None,
        },
    )
    verdict = VERDICT_MARKS.get(answer["passed"], "[bold yellow]cannot be judged[/]")
    story.console.print(
        f"\n It {verdict}, score {answer['score']}; the task is now "
        f"[bold]{answer['task']['status']}[/] [dim]({answer['code_snapshot_id']})[/]"
    )
    story.console.print(Panel(escape(answer["feedback"]), border_style="dim", width=98))
    for issue in answer["issues"]:
        lines = f"{issue['start_line']}-{issue['end_line']}"
        story.console.print(f"  [red]lines {lines}[/] {escape(issue['problem'])}")
    if answer["hidden_findings"]:
        story.console.print(
            f"  [dim]{answer['hidden_findings']} claim(s) of the model were hidden: "
            "no such line, or the runs contradict them[/]"
        )


async def _search(story: Story, services: Services, sample: Sample) -> None:
    for question in QUESTIONS:
        async with services.open_tools(sample.user_id, "demo") as tools:
            found = await search_everything(tools, question, limit=3)
        story.console.print(f" [italic]{escape(question)}[/]")
        for hit in found.hits:
            story.console.print(
                f"   {hit.score:.2f}  {hit.entity_type:13} {escape(hit.title)[:80]}"
            )


async def _carry_away(story: Story, services: Services, sample: Sample) -> None:
    from db.engine import make_sync_engine
    from events.lake import open_lake
    from events.query import count_by_type
    from events.sink import flush

    lake = open_lake(services.settings.lake_location)
    engine = make_sync_engine(services.database_url)
    try:
        await asyncio.to_thread(flush, engine, lake)
    finally:
        engine.dispose()
    counts = await asyncio.to_thread(count_by_type, lake, user_id=sample.user_id)
    table = Table.grid(padding=(0, 2))
    for kind, count in counts:
        style = "bold cyan" if kind.startswith("ai.") else ""
        table.add_row(f" {count:3}", f"[{style}]{kind}[/]" if style else kind)
    story.console.print(table)


async def _look_around(story: Story, services: Services, sample: Sample, *, username: str) -> None:
    console = story.console
    console.print()
    console.print(Rule("[bold]What it took, and where it is[/]", align="left", style="cyan"))
    table = Table.grid(padding=(0, 2))
    for name, seconds in story.timings.items():
        table.add_row(f" {seconds:6.1f} s", escape(name))
    total = sum(story.timings.values())
    tokens = f"{story.tokens_in} tokens read, {story.tokens_out} written"
    table.add_row(f" [bold]{total:6.1f} s[/]", f"[bold]in all[/]; {tokens}")
    console.print(table)

    async with services.open_tools(sample.user_id, "demo") as tools:
        rows = await count_rows(tools.session, sample.user_id)
    console.print("\n rows   " + ", ".join(f"{count} {name}" for name, count in rows.items()))
    console.print(f" files  {services.settings.lake_location}/events", soft_wrap=True)
    program = Path(sys.argv[0]).name
    for command in (
        "psql -c 'select event_type, count(*) from events group by 1'",
        f"token --user {username}",
        "serve    # then http://127.0.0.1:8000/docs",
    ):
        console.print(f" [cyan].venv/bin/{program} {command}[/]", soft_wrap=True)


async def _run(
    story: Story, services: Services, sample: Sample, *, job: JobName, request: dict[str, Any]
) -> dict[str, Any]:
    assert services.agent is not None
    context = services.agent_context(sample.user_id, "demo")
    result: dict[str, Any] = {}
    began = time.perf_counter()
    with story.console.status("load rows …") as status:
        state = begin(sample.user_id, job=job, request=request)
        async for step in stream_steps(services.agent.graph, context, state):
            assert isinstance(step, StepDone), "nobody listens"
            seconds = time.perf_counter() - began
            name = STEP_NAMES[step.node]
            change: dict[str, Any] = {**step.change}
            story.console.print(f"   [dim]{seconds:6.2f} s  {name}{_told(change)}[/]")
            result = change.get("result") or result
            status.update("the model writes …" if step.node == "retrieve" else "…")
            began = time.perf_counter()
    story.tokens_in += result["tokens"]["input"]
    story.tokens_out += result["tokens"]["output"]
    return result


def _told(change: dict[str, Any]) -> str:
    """Return what a step changed, in a few words."""
    if change.get("complaint"):
        return f": sent back for repair ({escape(str(change['complaint'])[:60])})"
    if change.get("sources"):
        best = change["sources"][0]
        found = f": {len(change['sources'])} rows, best {best['score']:.2f}"
        return escape(f"{found} «{best['title'][:40]}»")
    if "tokens" in change and change["tokens"]["calls"]:
        return f": {change['tokens']['input']} tokens in, {change['tokens']['output']} out"
    return ""


def _show_ids(story: Story, what: str, ids: list[str]) -> None:
    if ids:
        story.console.print(f"   [dim]{what}: {', '.join(ids)}[/]")
