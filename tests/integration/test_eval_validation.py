"""The suite of verdicts: planted faults turn its gate red, and every machine asks the same."""

from dataclasses import replace

import pytest

from agent.checks import verdict
from agent.prompts import Prompt, load_prompt
from evals.gate import expect, judge
from evals.harness import CannotJudge, run_suite
from evals.model import open_model
from evals.results import Results
from evals.suite import Suite
from evals.validation.suite import SUITE
from tools.analysis.runs import boxes, cpython
from tools.analysis.runs.native import registry

pytestmark = pytest.mark.evals

FEW = (
    "py-anagrams", "py-cuenta-bancaria", "js-en-ambas", "java-", "c-", "sql-", "py-aparcamiento",
)  # fmt: skip


def few(*tasks: str) -> Suite:
    """Return the suite with the programs of tasks whose names begin so."""
    cases = [case for case in SUITE.load() if case.inputs["task"].startswith(tasks)]
    assert cases
    return replace(SUITE, load=lambda: cases)


async def found_by(suite: Suite) -> Results:
    """Return what the product's way finds with the recorded answers."""
    async with open_model(suite.fixtures) as model:
        found = await run_suite(suite, model, ways=["product"], note=lambda _: None)
    return Results(suites=(found.result,))


async def test_a_machine_without_boxes_and_compilers_finds_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suite = few("c-", "java-", "sql-", "py-turnos")
    here = await found_by(suite)

    monkeypatch.setattr(cpython, "find_box", lambda: None)
    monkeypatch.setattr(registry, "find_box", lambda: None)
    elsewhere = await found_by(suite)

    assert elsewhere == here
    assert isinstance(boxes.boxes(), boxes.OwnBoxes), "the stand-in went with the suite"


async def test_failed_runs_that_count_for_nothing_shut_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suite = few("py-anagrams", "js-en-ambas", "py-cuenta-bancaria")
    before = expect(await found_by(suite), {})
    assert judge(await found_by(suite), before, suites=["validation"], unjudged={}) == []

    monkeypatch.setattr(verdict, "FAILED", frozenset[str]())
    findings = judge(await found_by(suite), before, suites=["validation"], unjudged={})

    assert "balanced_accuracy" in {finding.where for finding in findings}


async def test_answers_to_another_prompt_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_rules(name: str, language: str) -> Prompt:
        prompt = load_prompt(name, language)
        return replace(prompt, system=prompt.user)

    monkeypatch.setattr("agent.proposals.load_prompt", without_rules)

    with pytest.raises(CannotJudge, match="not recorded"):
        await found_by(few("py-turnos"))
