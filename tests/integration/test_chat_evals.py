"""The chat suite through the product's own HTTP, with a model that plays by rule."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from agent.nodes import steps
from agent.state import AgentState
from evals.chat.cases import load_cases
from evals.chat.suite import SUITE
from evals.chat.task import open_stage
from evals.gate import Verdict, expect, judge, verdict_of
from evals.harness import Found, run_suite
from evals.model import make_model
from evals.recordings import Recordings
from evals.results import Results
from evals.suite import Json, Model, Task, Way
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings

pytestmark = pytest.mark.evals

CASES = {case.id: case for case in load_cases()}
CHOSEN = (
    "es-accept-all",
    "es-edit-title",
    "es-yes-in-words",
    "es-edit-refused",
    "en-decide-twice",
    "en-accept-after-cancel",
    "en-made-up-question",
)
GOALS = {
    "es": ("Publicar el panel con sus pruebas", "Pasan las pruebas", "Es lo siguiente para ti"),
    "en": ("Publish the charts with their tests", "The tests pass", "It is the next step for you"),
}


async def play(request: Json) -> Json:
    """Answer as a model that proposes whenever a goal is spoken of, and else lies."""
    answer: Json = {"text": "", "tool_calls": [], "finish_reason": "stop"}
    answer |= {"input_tokens": 10, "output_tokens": 5}
    first, last = (str(request["messages"][place]["content"]) for place in (0, -1))
    if "response_format" in request:
        title, criterion, why = GOALS["en" if "Write everything in English" in first else "es"]
        goal = {
            "based_on": ["S1"],
            "title": title,
            "description": why,
            "why": why,
            "priority": "medium",
            "criteria": [criterion, title],
        }
        return {**answer, "text": json.dumps({"goals": [goal]}, ensure_ascii=False)}
    said = last.rpartition(">\n\n")[2]
    if "meta" not in said and "goal" not in said:
        return {**answer, "text": "He guardado lo que dices."}
    call = {"name": "propose_goals", "arguments": json.dumps({"wish": said, "count": 1})}
    return {**answer, "tool_calls": [call], "finish_reason": "tool_calls"}


Measure = Callable[[Sequence[str]], Awaitable[Found]]


@pytest.fixture
def measure(database_url: str, app_url: str) -> Measure:
    """Return what measures talks, by their ids, on this test's database."""

    @asynccontextmanager
    async def opened(way: Way, model: Model) -> AsyncIterator[Task]:
        async with open_stage(database_url, app_url, model) as stage:
            yield stage.go_through

    async def measured(chosen: Sequence[str]) -> Found:
        suite = replace(SUITE, load=lambda: [CASES[name] for name in chosen], open=opened)
        async with AsyncExitStack() as stack:
            made = make_model(stack, Recordings(None, live=play))
            model = replace(made, embedder=Embedder(SCRIPTED_MODEL, ScriptedEmbeddings()))
            return await run_suite(suite, model, ways=("product",), note=lambda _way: None)

    return measured


def figures(found: Found) -> dict[str, float]:
    return {metric.name: metric.estimate.mean for metric in found.result.product.metrics}


async def test_talks_are_judged_by_what_is_written(measure: Measure) -> None:
    found = await measure(CHOSEN)

    told = figures(found)
    kept = ("nothing_written_unapproved", "approved_written_exactly", "stale_decision_refused")
    assert {name: told[name] for name in kept} == dict.fromkeys(kept, 1.0)
    assert (told["run_ended_typed"], told["events_in_order"], told["proposal_made"]) == (1, 1, 1)
    liars = [case.id for case in found.result.product.cases if "no_false_claim" in case.failed]
    assert liars == ["es-yes-in-words"]


async def test_a_product_that_writes_without_a_review_shuts_the_gate(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreviewed(state: AgentState) -> str:
        return state["job"] if state.get("complaint") else "persist"

    monkeypatch.setattr(steps, "after_check", unreviewed)

    worse = Results(suites=((await measure(CHOSEN[:2])).result,))

    findings = judge(worse, expect(worse, {}), suites=["chat"], unjudged={})
    assert verdict_of(findings) is Verdict.REGRESSION
    assert {finding.where for finding in findings} == {"nothing_written_unapproved"}
    wrote = {
        case.id
        for case in worse.suites[0].product.cases
        if "nothing_written_unapproved" in case.failed
    }
    assert wrote == set(CHOSEN[:2])
