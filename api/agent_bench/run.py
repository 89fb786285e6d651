"""One run: PostgreSQL, the stub, the service and its peer, then round by round."""

import asyncio
import os
import platform
import resource
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from api.agent_bench.children import started
from api.agent_bench.client import Client
from api.agent_bench.crud import Party, measure_crud
from api.agent_bench.goals import LABELS
from api.agent_bench.imports import IMPORTED, time_import
from api.agent_bench.learners import (
    Learner,
    add_learners,
    fill_pages,
    forget_answers,
    forget_goals,
)
from api.agent_bench.plan import MODEL, Plan, Site
from api.agent_bench.rounds import (
    Addresses,
    Figures,
    Parties,
    measure_first_token,
    measure_suggest,
    measure_throughput,
    measure_validate,
    open_parties,
)
from api.agent_bench.streams import measure_streams
from api.agent_bench.yardstick import measure_yardstick
from api.auth import JwtConfig
from api.migrations import migrate
from api.settings import APPLICATION
from db.embedded import as_app, open_embedded
from events.bench.figures import Figure

DATABASE: Final = "goals_bench_api"
PEER_DATABASE: Final = "goals_bench_peer"
WARM_UP: Final = 8
FILES_A_STREAM: Final = 2
FILES: Final = 1_000
CHAT: Final = frozenset({"stream", "streams"})
IN_MS: Final = frozenset({"suggest", "validate", "stream"})
"""Sections whose goals are milliseconds, and depend on how fast the machine is."""
LIBRARIES: Final = ("fastapi", "langgraph", "langchain-openai", "openai", "psycopg", "sqlalchemy")


@dataclass(frozen=True)
class Stage:
    """What the rounds are played on; `chat_model` is None where the service has no chat."""

    addresses: Addresses
    database_url: str
    peer_database_url: str
    learners: list[Learner]
    chat_model: str | None


@dataclass(frozen=True)
class Measured:
    """Figures, what they depend on, and why a section that was wanted has none."""

    figures: list[Figure]
    environment: dict[str, Any]
    unmeasured: dict[str, str]


def measure(site: Site, plan: Plan) -> Measured:
    """Measure what `plan` has. Raises BenchFailed where a measurement cannot be made."""
    environment = _describe()
    found: dict[str, list[float]] = {}
    unmeasured: dict[str, str] = {}
    with ExitStack() as stack:
        stage = _open_stage(site, plan, stack) if plan.needs_service else None
        if stage is not None and stage.chat_model is None:
            why = "the service has no GET /v1/models: it does not speak this protocol"
            unmeasured = dict.fromkeys(sorted(CHAT & plan.sections), why)
        for number in range(plan.rounds):
            for name, values in _round(stage, plan, site, number=number):
                found.setdefault(name, []).append(values)
    figures = [
        Figure(name=name, what=what, unit=unit, values=tuple(found[name]))
        for name, (what, unit) in LABELS.items()
        if name in found
    ]
    environment["load_after"] = round(os.getloadavg()[0], 2)
    return Measured(figures, environment, unmeasured)


def _open_stage(site: Site, plan: Plan, stack: ExitStack) -> Stage:
    site.announce("starting PostgreSQL")
    postgres = site.folder / "postgres"
    database_url = stack.enter_context(open_embedded(postgres, database=DATABASE))
    migrate(database_url)
    secret = secrets.token_urlsafe(48)
    jwt = JwtConfig(secret=secret.encode(), issuer=APPLICATION, audience=APPLICATION)
    site.announce(f"making {plan.learners} learners")
    learners = asyncio.run(add_learners(database_url, jwt, count=plan.learners))

    site.announce("starting the stub, the service and its peer")
    _allow_files(FILES + FILES_A_STREAM * plan.streams)
    stub = stack.enter_context(started("api.agent_bench.stub", {}))
    asks_stub = {"OPENAI_BASE_URL": f"{stub}/v1", "OPENAI_API_KEY": "none"}
    service = {
        **asks_stub,
        "DATABASE_URL": database_url,
        "DATABASE_APP_URL": as_app(database_url),
        "GOALS_HOME": str(site.folder / "home"),
        "GOALS_JWT_SECRET": secret,
        "GOALS_CHAT_MODEL": MODEL,
        **dict.fromkeys(("GOALS_RATE_REQUESTS", "GOALS_RATE_MODELS"), "1000000/minute"),
    }
    service_url = stack.enter_context(started("api.agent_bench.server", service))
    peer_url = None
    peer_database = stack.enter_context(open_embedded(postgres, database=PEER_DATABASE))
    if "throughput" in plan.sections:
        peer = {**asks_stub, "DATABASE_URL": peer_database}
        peer_url = stack.enter_context(started("api.agent_bench.peer", peer))
    bare_url = None
    if "crud" in plan.sections:
        asyncio.run(fill_pages(database_url))
        bare = {"DATABASE_URL": as_app(database_url)}
        bare_url = stack.enter_context(started("api.agent_bench.crud_peer", bare))
    addresses = Addresses(service=service_url, stub=stub, peer=peer_url, bare=bare_url)
    chat_model = asyncio.run(_find_chat_model(service_url, learners[0]))
    return Stage(addresses, database_url, peer_database, learners, chat_model)


def _round(
    stage: Stage | None, plan: Plan, site: Site, *, number: int
) -> Iterator[tuple[str, float]]:
    of = f"round {number + 1} of {plan.rounds}"
    if stage is not None:
        yield from asyncio.run(_serve_round(stage, plan, site, number=number)).items()
    if "imports" in plan.sections:
        site.announce(f"{of}: imports")
        for name, modules in IMPORTED.items():
            yield name, min(time_import(modules) for _ in range(plan.imports))


async def _serve_round(stage: Stage, plan: Plan, site: Site, *, number: int) -> Figures:
    """Return the figures of one round; before it, whatever the one before has stored is gone."""
    of = f"round {number + 1} of {plan.rounds}"
    figures: Figures = {}
    await forget_answers(stage.database_url)
    async with open_parties(stage.addresses, stage.learners) as parties:
        if number == 0:
            site.announce("warming")
            await _one_round(stage, plan, parties, requests=WARM_UP, burst=WARM_UP)
        site.announce(of)
        figures |= await _one_round(
            stage, plan, parties, requests=plan.requests, burst=plan.burst, number=number
        )
    if IN_MS & plan.sections:
        figures |= await measure_yardstick(
            model_url=f"{stage.addresses.stub}/v1", database_url=stage.peer_database_url
        )
    if stage.addresses.bare is not None:
        site.announce(f"{of}: reads and writes")
        figures |= await _reads_and_writes(stage, plan, stage.addresses.bare, number=number)
    if "streams" in plan.sections and stage.chat_model is not None:
        site.announce(f"{of}: {plan.streams} streams")
        figures |= await measure_streams(
            stage.addresses,
            stage.learners,
            streams=plan.streams,
            steps=plan.steps,
            model=stage.chat_model,
        )
    return figures


async def _reads_and_writes(stage: Stage, plan: Plan, bare_url: str, *, number: int) -> Figures:
    """Return what plain reads and writes take, ours first in every other round."""
    ours = Party("ours", stage.addresses.service, "/v1", is_bare=False)
    parties = [ours, Party("bare", bare_url, "", is_bare=True)]
    if number % 2:
        parties.reverse()
    figures = await measure_crud(parties, stage.learners, requests=plan.crud)
    await forget_goals(stage.database_url)
    return figures


async def _one_round(
    stage: Stage, plan: Plan, parties: Parties, *, requests: int, burst: int, number: int = 0
) -> Figures:
    """Return the figures of a round: one request at a time first, for a burst works on behind."""
    figures: Figures = {}
    if "suggest" in plan.sections:
        figures |= await measure_suggest(parties, requests=requests)
    if "validate" in plan.sections:
        figures |= await measure_validate(parties, requests=requests)
    if "stream" in plan.sections and stage.chat_model is not None:
        figures |= await measure_first_token(parties, requests=requests, model=stage.chat_model)
    if "throughput" in plan.sections:
        figures |= await measure_throughput(parties, burst=burst, peer_first=number % 2 == 1)
    return figures


async def _find_chat_model(service_url: str, learner: Learner) -> str | None:
    """Return the name under which the service offers its chat, None where it has none."""
    client = Client(service_url)
    try:
        answer = await client.get("/v1/models", token=learner.token)
    finally:
        await client.close()
    if answer.status != 200:
        return None
    name: str = answer.json()["data"][0]["id"]
    return name


def _allow_files(wanted: int) -> None:
    """Let this process and its children have `wanted` files open, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _describe() -> dict[str, Any]:
    """Return what a figure depends on: the machine and the libraries."""
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }
