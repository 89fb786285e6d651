"""Planted faults turn the gates of plans red; answers to another prompt are not taken."""

from dataclasses import replace
from string import Template

import pytest

from agent import prompts
from agent.checks import plan_draft, suggestions
from evals.breakdown import suite as breakdown
from evals.gate import expect, judge
from evals.harness import CannotJudge, run_suite
from evals.model import open_model
from evals.results import Results
from evals.suggestion import suite as suggestion
from evals.suite import Suite

pytestmark = pytest.mark.evals

GOALS = ("suggest-es-functions", "suggest-en-todo-accessible", "suggest-en-ci-overlap")
PLANS = ("breakdown-es-jwt-api", "breakdown-es-spam-classifier", "breakdown-en-guessing-game")


def few(suite: Suite, *ids: str) -> Suite:
    """Return the suite with some of its cases."""
    cases = [case for case in suite.load() if case.id in ids]
    assert len(cases) == len(ids)
    return replace(suite, load=lambda: cases)


async def found_by(suite: Suite) -> Results:
    """Return what the product's way finds with the recorded answers."""
    async with open_model(suite.fixtures) as model:
        found = await run_suite(suite, model, ways=["product"], note=lambda _: None)
    return Results(suites=(found.result,))


@pytest.fixture
def another_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every prompt end with a careless sentence."""
    load = prompts.load_prompt

    def careless(name: str, language: str) -> prompts.Prompt:
        prompt = load(name, language)
        return replace(prompt, system=Template(prompt.system.template + "\nBe quick."))

    monkeypatch.setattr("agent.job.load_prompt", careless)


@pytest.mark.parametrize(
    "suite",
    [few(suggestion.SUITE, GOALS[0]), few(breakdown.SUITE, PLANS[0])],
    ids=lambda suite: suite.name,
)
@pytest.mark.usefixtures("another_prompt")
async def test_answers_to_another_prompt_are_not_taken(suite: Suite) -> None:
    with pytest.raises(CannotJudge, match=r"(?s)not recorded.*\+Be quick\."):
        await found_by(suite)


async def test_goals_that_nobody_compares_shut_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = few(suggestion.SUITE, *GOALS)
    before = expect(await found_by(suite), {})
    assert judge(await found_by(suite), before, suites=["suggestion"], unjudged={}) == []

    monkeypatch.setattr(suggestions, "find_overlaps", lambda *_, **__: [])
    findings = judge(await found_by(suite), before, suites=["suggestion"], unjudged={})

    assert "no_duplicate_goal" in {finding.where for finding in findings}


async def test_criteria_that_nobody_covers_shut_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = few(breakdown.SUITE, *PLANS)
    before = expect(await found_by(suite), {})
    assert judge(await found_by(suite), before, suites=["breakdown"], unjudged={}) == []

    monkeypatch.setattr(plan_draft, "cover", lambda plan, *_, **__: plan)
    findings = judge(await found_by(suite), before, suites=["breakdown"], unjudged={})

    assert "criteria_covered" in {finding.where for finding in findings}
