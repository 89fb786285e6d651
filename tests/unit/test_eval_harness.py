import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from evals.comparison import compare_results
from evals.harness import CannotJudge, run_suite
from evals.model import make_model
from evals.recordings import Recordings
from evals.results import Results, read_results
from evals.suite import Case, Json, Scored
from tests.eval_suites import (
    RIGHT,
    SHARE,
    TWENTY,
    echo,
    instead,
    make_suite,
    make_toy_model,
    results_of,
    talking,
)
from tools.errors import NotFound


def in_groups(results: Results, name: str) -> dict[str, tuple[float, int]]:
    metric = results.suites[0].product.metric(name)
    assert metric is not None
    return {group: (each.mean, each.count) for group, each in metric.groups.items()}


def test_each_metric_has_a_figure_with_an_interval_by_language_and_by_slice() -> None:
    results = results_of(make_suite())

    right = results.suites[0].product.metric("right")
    assert right is not None
    assert (right.estimate.mean, right.estimate.count) == (0.9, 20)
    assert right.estimate.low < 0.9 < right.estimate.high
    assert in_groups(results, "right") == {
        "language: en": (0.9, 10),
        "language: es": (0.9, 10),
        "slice: long": (1.0, 4),
        "slice: short": (0.875, 16),
    }


def test_the_product_is_compared_with_the_naive_way_on_the_cases_that_both_have_seen() -> None:
    results = results_of(make_suite(naive_sees=lambda case: case.language == "es"))

    suite = results.suites[0]
    right = suite.product.metric("right")
    assert right is not None
    assert right.minus_naive is not None
    assert (right.minus_naive.mean, right.minus_naive.count) == (0.5, 10)
    assert right.minus_naive.low > 0
    assert suite.naive is not None
    assert {case.language for case in suite.naive.cases} == {"es"}


def test_a_figure_that_is_no_mean_is_gathered_from_each_resample() -> None:
    def balanced(scored: Sequence[Scored]) -> float:
        by_language = [
            [score for case, _, score in scored if case.language == language]
            for language in ("es", "en")
        ]
        return sum(sum(scores) / len(scores) for scores in by_language) / 2

    results = results_of(make_suite(metrics=(replace(RIGHT, gather=balanced),)))

    right = results.suites[0].product.metric("right")
    assert right is not None
    assert right.estimate.mean == 0.9
    assert right.estimate.low < 0.9 < right.estimate.high
    assert in_groups(results, "right").keys() == {"slice: long", "slice: short"}


def test_two_runs_differ_in_their_times_alone() -> None:
    def told() -> Json:
        read: Json = json.loads(results_of(make_suite()).as_json())
        assert read.pop("times").keys() == {"toy/product", "toy/naive"}
        return read

    assert told() == told()


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = results_of(make_suite(instead({"case-04": NotFound("no such goal")})))
    path = tmp_path / "results.json"
    path.write_text(results.as_json())

    assert read_results(path) == results


def test_a_failing_case_tells_what_was_asked_and_answered_and_a_passing_one_does_not() -> None:
    passing, failing = results_of(make_suite()).suites[0].product.cases[17:19]

    assert (passing.passed, passing.inputs, passing.exchanges) == (True, None, ())
    assert failing.failed == ("right",)
    assert failing.inputs == {"number": 18}
    assert failing.data == {"score": 0.0}
    assert [each.answer for each in failing.exchanges] == ["It is 0."]


def test_an_error_of_ours_is_told_by_its_code() -> None:
    results = results_of(make_suite(instead({"case-04": NotFound("no such goal")})))

    assert results.suites[0].product.cases[4].error == NotFound("").code


@pytest.mark.parametrize("cases", [(), (TWENTY[0], TWENTY[0])], ids=["none", "one id twice"])
def test_a_suite_without_cases_or_with_an_id_twice_cannot_be_judged(cases: tuple[Case]) -> None:
    with pytest.raises(CannotJudge):
        results_of(make_suite(load=lambda: cases))


def test_a_metric_that_raises_is_no_score() -> None:
    broken = replace(SHARE, score=lambda _case, outcome: outcome.data["no such field"])

    with pytest.raises(CannotJudge, match="a metric raises KeyError"):
        results_of(make_suite(metrics=(RIGHT, broken)))


def run_talking(path: Path, *, record: bool) -> Results:
    async def run() -> Results:
        async with AsyncExitStack() as stack:
            recordings = Recordings(path, live=echo if record else None)
            model = make_model(stack, recordings)
            suite = make_suite(open=talking)
            found = await run_suite(suite, model, ways=("product", "naive"), note=lambda way: None)
            return Results(suites=(found.result,))

    return asyncio.run(run())


def test_a_suite_on_recordings_says_the_same_and_counts_what_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "recordings.jsonl"

    recorded = run_talking(path, record=True)
    repeated = run_talking(path, record=False)

    assert repeated == recorded
    assert {(case.calls, case.tokens) for case in repeated.suites[0].product.cases} == {(1, 5)}
    assert path.read_text().count("\n") == 40


def test_an_answer_that_is_not_recorded_is_no_judgement_though_the_product_goes_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "recordings.jsonl"
    run_talking(path, record=True)
    path.write_text(path.read_text().replace("case-07, product?", "case-07, product!"))
    lines = [line for line in path.read_text().splitlines() if "case-07, product!" not in line]
    path.write_text("\n".join(lines) + "\n")

    with pytest.raises(CannotJudge, match="product/case-07 asks the model what is not recorded"):
        run_talking(path, record=False)


def test_two_runs_are_compared_case_by_case() -> None:
    before = results_of(make_suite())
    after = results_of(make_suite(instead({"case-12": 0.0, "case-13": 0.0, "case-18": 1.0})))

    [change] = compare_results(before, after)

    assert [(each.id, each.before, each.after) for each in change.cases] == [
        ("case-12", "passes", "fails (right 0)"),
        ("case-13", "passes", "fails (right 0)"),
        ("case-18", "fails (right 0)", "passes"),
    ]
    right = change.metrics[0]
    assert (right.before, right.after, right.is_worse, right.is_sure) == (0.9, 0.85, True, False)
    assert right.difference is not None
    assert right.difference.mean == -0.05
    assert right.difference.low < 0 < right.difference.high


def test_runs_without_a_suite_in_common_are_not_compared() -> None:
    ours, theirs = results_of(make_suite()), results_of(make_suite(name="another"))

    with pytest.raises(ValueError, match="no suite in common"):
        compare_results(ours, theirs)


def test_the_toy_model_is_named_in_the_result() -> None:
    suite = make_suite(measures="embeddings")

    assert results_of(make_suite()).suites[0].model == "toy-1"
    assert results_of(suite).suites[0].model == make_toy_model().embedder.model
