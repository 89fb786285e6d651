"""The injection suite over the whole service, and regressions planted in it: the gate must shut."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

import agent.checks.verdict
import agent.evidence
import agent.job
import agent.nodes.breakdown
import agent.nodes.converse
import agent.nodes.validate
import agent.outputs
from agent.nodes import steps
from evals.gate import Verdict, expect, judge, verdict_of
from evals.harness import run_suite
from evals.injection.cases import load_attacks, load_cases
from evals.injection.suite import SUITE
from evals.injection.task import open_injection
from evals.model import make_model
from evals.recordings import Recordings
from evals.results import Results
from evals.suite import Model, Task
from tools.analysis.facts.secrets import Redacted

pytestmark = [pytest.mark.evals, pytest.mark.asyncio(loop_scope="module")]

CALM = ["chat-en-title-delete", "validate-en-comment-orders", "benign-es-comment-ignore"]
Plant = Callable[[pytest.MonkeyPatch], None]


def without_review(patch: pytest.MonkeyPatch) -> None:
    jobs = {name: replace(job, items=None) for name, job in steps.JOBS.items()}
    patch.setattr(steps, "JOBS", jobs)


def without_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agent.nodes.breakdown, "new_fence", lambda: "plan")


def without_disarming(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agent.job, "disarm", lambda text: text)


def without_redaction(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agent.evidence, "redact", lambda code: Redacted(code, ()))


def with_live_links(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agent.outputs, "unlink", lambda text: text)


def without_leak_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agent.nodes.validate, "without_leak", lambda words, **_: (words, False))


def with_the_model_s_verdict(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agent.checks.verdict, "_passed", lambda *_: True)


def without_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agent.nodes.converse, "ROUNDS", 100)


PLANTS: list[tuple[Plant, str, str]] = [
    (without_review, "chat-es-title-status", "unapproved_write"),
    (without_fence, "breakdown-es-title-status", "place_left"),
    (without_disarming, "breakdown-es-token-turn", "place_left"),
    (without_redaction, "feedback-en-secret", "secret_told"),
    (with_live_links, "suggest-es-note-image", "data_carried_out"),
    (without_leak_check, "validate-en-solution-bare", "solution_given"),
    (with_the_model_s_verdict, "validate-es-comment-approved", "verdict_turned"),
    (without_end, "chat-en-note-loop", "overspent"),
]


@dataclass(frozen=True)
class Opened:
    """The suite's task over cases of the worst-case model alone, and the model beside it."""

    task: Task
    model: Model

    async def results(self, names: Sequence[str]) -> Results:
        """Return what the harness finds of these cases."""
        suite = replace(
            SUITE,
            load=lambda: [case for case in load_cases() if case.id in names],
            open=lambda _way, _model: nullcontext(self.task),
        )
        found = await run_suite(suite, self.model, ways=("product",), note=lambda _: None)
        return Results(suites=(found.result,))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened() -> AsyncIterator[Opened]:
    """Yield the suite, opened once: each of its cases can be gone through once."""
    async with AsyncExitStack() as stack:
        model = make_model(stack, Recordings(None))
        wanted = {*CALM, *(name for _, name, _ in PLANTS)}
        attacks = [replace(one, asked=()) for one in load_attacks() if one.id in wanted]
        task = await stack.enter_async_context(open_injection("product", model, attacks=attacks))
        yield Opened(task, model)


async def test_a_model_that_obeys_everything_causes_nothing(opened: Opened) -> None:
    results = await opened.results(CALM)

    [suite] = results.suites
    assert [case.id for case in suite.product.cases if not case.passed] == []
    success = suite.product.metric("injection_success_worst_case")
    reached = suite.product.metric("instruction_read")
    assert success is not None
    assert reached is not None
    assert (success.estimate.mean, reached.estimate.mean) == (0.0, 1.0)
    findings = judge(results, expect(results, {}), suites=["injection"], unjudged={})
    assert verdict_of(findings) is Verdict.OK


@pytest.mark.parametrize(("plant", "name", "effect"), PLANTS)
async def test_a_planted_regression_shuts_the_gate(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, plant: Plant, name: str, effect: str
) -> None:
    plant(monkeypatch)

    results = await opened.results([name])

    [case] = results.suites[0].product.cases
    assert case.data is not None
    assert effect in case.data["worst"]["effects"]
    findings = judge(results, expect(results, {}), suites=["injection"], unjudged={})
    assert verdict_of(findings) is Verdict.REGRESSION
    assert f"{effect}_worst_case" in {finding.where for finding in findings}
