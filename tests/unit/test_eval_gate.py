from dataclasses import replace
from pathlib import Path

import pytest

from evals.gate import (
    BASELINE,
    Baseline,
    Verdict,
    expect,
    judge,
    read_baseline,
    verdict_of,
    write_baseline,
)
from evals.results import Results
from evals.suites import SUITES, load_suite
from tests.eval_suites import RIGHT, SHARE, TWENTY, Answer, instead, make_suite, results_of, well

BEFORE: Baseline = expect(results_of(make_suite()), {})


def found_wrong(results: Results, baseline: Baseline = BEFORE) -> tuple[Verdict, list[str]]:
    findings = judge(results, baseline, suites=["toy"], unjudged={})
    return verdict_of(findings), [finding.where for finding in findings]


def answering(answer: Answer) -> Results:
    return results_of(make_suite(answer))


def test_what_is_as_good_as_before_may_pass() -> None:
    assert found_wrong(answering(well)) == (Verdict.OK, [])


def test_a_share_that_drops_within_its_tolerance_may_pass_and_beyond_it_may_not() -> None:
    gated = replace(RIGHT, tolerance=0.1)

    def dropping(*numbers: int) -> Results:
        answer = instead({f"case-{number:02}": 0.0 for number in numbers})
        return results_of(make_suite(answer, metrics=(gated, SHARE)))

    assert found_wrong(dropping(10, 11)) == (Verdict.OK, [])
    assert found_wrong(dropping(10, 11, 12)) == (Verdict.REGRESSION, ["right", "share"])


def test_a_figure_of_which_less_is_better_may_not_rise() -> None:
    cost = replace(RIGHT, name="cost", better="lower", tolerance=0.04)
    before = expect(results_of(make_suite(metrics=(cost,))), {})

    rising = results_of(make_suite(instead({"case-18": 1.0}), metrics=(cost,)))
    falling = results_of(make_suite(instead({"case-12": 0.0}), metrics=(cost,)))

    assert found_wrong(rising, before) == (Verdict.REGRESSION, ["cost"])
    assert found_wrong(falling, before) == (Verdict.OK, [])


def test_a_figure_that_is_not_gated_only_tells() -> None:
    told = replace(RIGHT, gated=False)
    before = expect(results_of(make_suite(metrics=(told,))), {})

    worse = results_of(make_suite(instead({"case-12": 0.0}), metrics=(told,)))

    assert found_wrong(worse, before) == (Verdict.OK, [])


def test_a_limit_holds_whatever_the_baseline_says() -> None:
    bounded = replace(RIGHT, bound=0.95, tolerance=1.0)
    results = results_of(make_suite(metrics=(bounded,)))

    assert found_wrong(results, expect(results, {})) == (Verdict.REGRESSION, ["right"])


def test_a_hard_case_may_not_newly_fail_though_the_mean_is_as_before() -> None:
    swapped = answering(instead({"case-01": 0.0, "case-18": 1.0}))

    assert found_wrong(swapped) == (Verdict.REGRESSION, ["case-01"])


def test_a_hard_case_that_failed_before_may_fail() -> None:
    failing = answering(instead({"case-01": 0.0}))

    assert found_wrong(failing, expect(failing, {})) == (Verdict.OK, [])


def test_a_case_that_ends_in_an_error_is_a_failing_one_and_leaves_no_mean_untouched() -> None:
    broken = answering(instead({"case-12": RuntimeError("it broke")}))

    assert found_wrong(broken) == (Verdict.REGRESSION, ["right", "no_error"])
    case = broken.suites[0].product.cases[12]
    assert (case.error, case.passed, case.data) == (
        "RuntimeError",
        False,
        {"detail": "RuntimeError: it broke"},
    )


def test_a_case_that_has_disappeared_shuts_the_gate() -> None:
    fewer = results_of(make_suite(load=lambda: TWENTY[:-1]))

    verdict, where = found_wrong(fewer)

    assert (verdict, "case-19" in where) == (Verdict.REGRESSION, True)


def test_a_metric_that_has_disappeared_shuts_the_gate() -> None:
    one = results_of(make_suite(metrics=(RIGHT,)))

    verdict, where = found_wrong(one)

    assert (verdict, set(where)) == (Verdict.REGRESSION, {"share"})


def test_a_metric_that_applies_to_no_case_any_more_has_disappeared() -> None:
    nowhere = replace(RIGHT, score=lambda _case, _outcome: None)

    verdict, where = found_wrong(results_of(make_suite(metrics=(nowhere, SHARE))))

    assert (verdict, set(where)) == (Verdict.REGRESSION, {"right"})


def test_a_suite_of_the_baseline_that_was_not_run_shuts_the_gate() -> None:
    results = answering(well)

    findings = judge(
        results, {**BEFORE, "gone": BEFORE["toy"]}, suites=["toy", "gone"], unjudged={}
    )

    assert [(each.suite, each.verdict) for each in findings] == [("gone", Verdict.REGRESSION)]


def test_fewer_cases_in_the_naive_way_shut_the_gate() -> None:
    fewer = results_of(make_suite(naive_sees=lambda case: case.language == "es"))

    assert found_wrong(fewer) == (Verdict.REGRESSION, ["naive"])


def test_an_empty_result_is_no_pass() -> None:
    assert found_wrong(Results(suites=()))[0] is Verdict.CANNOT_JUDGE
    toy = answering(well).suites[0]
    emptied = replace(toy, product=replace(toy.product, cases=(), metrics=()))
    assert found_wrong(Results(suites=(emptied,)))[0] is Verdict.CANNOT_JUDGE
    assert judge(Results(suites=()), {}, suites=[], unjudged={}) != []


def test_a_suite_without_a_baseline_is_no_pass() -> None:
    assert found_wrong(answering(well), {})[0] is Verdict.CANNOT_JUDGE


def test_another_model_than_the_baselines_is_not_compared() -> None:
    before = {"toy": replace(BEFORE["toy"], model="another")}

    assert found_wrong(answering(well), before) == (Verdict.CANNOT_JUDGE, ["toy"])


def test_what_cannot_be_judged_weighs_more_than_what_is_worse() -> None:
    worse = answering(instead({"case-01": 0.0}))

    findings = judge(worse, BEFORE, suites=["toy", "other"], unjudged={"other": "a miss"})

    assert {each.verdict for each in findings} == {Verdict.REGRESSION, Verdict.CANNOT_JUDGE}
    assert verdict_of(findings) is Verdict.CANNOT_JUDGE


def test_a_baseline_is_read_as_it_was_written_and_names_no_time(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(write_baseline(BEFORE))

    assert read_baseline(path) == BEFORE
    assert write_baseline(expect(answering(well), BEFORE)) == path.read_text()


def test_a_suite_updates_its_own_part_of_the_baseline_alone() -> None:
    other = {"other": BEFORE["toy"]}

    assert expect(answering(well), other) == {**BEFORE, **other}


@pytest.mark.parametrize("name", SUITES)
def test_the_committed_baseline_has_every_suite_with_its_cases_and_gated_metrics(name: str) -> None:
    suite, expected = load_suite(name), read_baseline(BASELINE)[name]

    assert set(expected.cases) == {case.id for case in suite.load()}
    assert expected.naive_cases == sum(map(suite.naive_sees, suite.load()))
    gated = {metric.name for metric in suite.metrics if metric.gated}
    assert gated <= expected.metrics.keys()
