"""What Prometheus reads of requests, runs, model calls, budgets, connections and streams."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import respx
from prometheus_client import CollectorRegistry

from api.app import create_app
from api.metrics import make_registry
from tests.agents import COMPLETIONS, completion, opened, said, suggested
from tests.scrapes import Scrape, scrape
from tests.service import Learner, Service
from tests.talkers import Turn, played

WISH = {"wish": "Quiero probar mi API", "count": 1}


def registry_of(service: Service) -> CollectorRegistry:
    registry: CollectorRegistry = service.app.state.metrics
    return registry


def grown(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    key = name, frozenset(labels.items())
    return after.samples.get(key, 0.0) - before.samples.get(key, 0.0)


async def test_requests_are_counted_by_template_method_and_class(
    service: Service, ana: Learner
) -> None:
    before = scrape(registry_of(service))

    goal = await ana.make("goals", title="Una meta")
    for _ in range(3):
        await ana.read(f"/v1/goals/{goal['id']}")
    await ana.client.get("/v1/goals/gol_nobody_has")

    after = scrape(registry_of(service))
    route = {"method": "GET", "route": "/v1/goals/{goal_id}"}
    counted = "goals_http_requests_total"
    assert grown(before, after, counted, **route, status="2xx") == 3
    assert grown(before, after, counted, **route, status="4xx") == 1
    assert grown(before, after, "goals_http_request_seconds_count", **route, status="2xx") == 3
    assert 0 < grown(before, after, "goals_http_request_seconds_sum", **route, status="2xx") < 10
    assert after.value("goals_http_requests_in_progress") == 0


async def test_model_calls_are_counted_with_their_tokens_and_the_codes_of_their_errors(
    remote: Service, httpx2_mock: respx.MockRouter
) -> None:
    learner = await remote.sign_in("ana")
    before = scrape(registry_of(remote))

    async with learner.client:
        httpx2_mock.post(COMPLETIONS).mock(return_value=said(suggested("Probar")))
        await learner.client.post("/v1/goals/suggest", json=WISH)
        httpx2_mock.post(COMPLETIONS).respond(json=completion("", finish="length"))
        await learner.client.post("/v1/goals/suggest", json=WISH)

    after = scrape(registry_of(remote))
    calls, runs = "goals_model_calls_total", "goals_runs_total"
    assert grown(before, after, calls, model="m", code="OK") == 1
    assert grown(before, after, calls, model="m", code="LLM_TRUNCATED") == 1
    assert grown(before, after, "goals_model_call_seconds_count", model="m") == 2
    tokens = "goals_model_tokens_total"
    assert grown(before, after, tokens, model="m", direction="input") == 11
    assert grown(before, after, tokens, model="m", direction="output") == 7
    assert grown(before, after, runs, kind="suggest_goals", state="finished") == 1
    assert grown(before, after, runs, kind="suggest_goals", state="failed") == 1


async def test_a_talk_is_a_run_that_is_active_and_then_finished_and_its_stream_is_open(
    service: Service,
) -> None:
    wait = asyncio.Event()
    turn = Turn(text=["Hola", " a todos"], wait=wait)

    async with opened(service.services, played(turn)) as complete:
        learner = await complete.sign_in("ana")
        registry = registry_of(complete)
        before = scrape(registry)
        async with learner.client:
            begun = await learner.client.post("/v1/runs", json={"message": "Hola"})
            listening = asyncio.create_task(
                learner.client.get(f"/v1/runs/{begun.json()['id']}/events")
            )
            await turn.begun.wait()
            during = scrape(registry)
            while not during.value("goals_http_streams_open"):
                await asyncio.sleep(0)
                during = scrape(registry)
            wait.set()
            await listening
        after = scrape(registry)

    [kind] = {
        dict(labels)["kind"]
        for (name, labels), value in during.samples.items()
        if name == "goals_runs_active" and value
    }
    assert during.value("goals_runs_active", kind=kind) == 1
    assert during.value("goals_http_streams_open") == 1
    assert after.value("goals_runs_active", kind=kind) == 0
    assert after.value("goals_http_streams_open") == 0
    assert grown(before, after, "goals_runs_total", kind=kind, state="finished") == 1


async def test_a_day_that_is_used_up_is_a_refusal(scripted: Service) -> None:
    settings = scripted.services.settings.model_copy(
        update={"day_tokens": 1, "input_price": Decimal(1)}
    )
    poor = replace(scripted.services, settings=settings)
    service = Service(create_app(poor), poor)
    learner = await service.sign_in("ana")
    before = scrape(registry_of(service))

    async with learner.client:
        refused = await learner.client.post("/v1/goals/suggest", json=WISH)

    after = scrape(registry_of(service))
    assert refused.status_code == 429
    assert grown(before, after, "goals_budget_refusals_total", budget="day") == 1


async def test_connections_in_use_and_who_waits_for_one_are_shown(service: Service) -> None:
    registry = make_registry(service.services.database_url, services=service.services)
    engine = service.services.sessions.kw["bind"]
    size = engine.sync_engine.pool.size()
    taken = [await engine.connect() for _ in range(size)]
    waiting = asyncio.create_task(engine.connect().__aenter__())
    for _ in range(100):
        await asyncio.sleep(0)

    busy = scrape(registry)
    for connection in taken:
        await connection.close()
    await (await waiting).close()
    idle = scrape(registry)

    pool = {"pool": "sessions"}
    assert busy.value("goals_database_connections_in_use", **pool) == size
    assert busy.value("goals_database_connections_max", **pool) == size
    assert busy.value("goals_database_connection_waiters", **pool) == 1
    assert idle.value("goals_database_connections_in_use", **pool) == 0
    assert idle.value("goals_database_connection_waiters", **pool) == 0


async def test_of_several_processes_none_answers_for_the_others(service: Service) -> None:
    service.app.state.metrics = None

    async with service.client() as client:
        answer = await client.get("/metrics")

    assert answer.status_code == 404
    assert "GOALS_METRICS_PORT" in answer.json()["detail"]
