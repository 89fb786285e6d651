"""What became of the issues of the submission before."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checks.progress import Progress, compare
from agent.state import Json
from tools.analysis.fingerprints import fingerprint

CODE = "def media(xs):\n    total = 0\n    return total / len(xs)\n"


def fact(quote: str, *, rule: str = "ruff/F841", line: int = 1) -> Json:
    return {
        "kind": "fact",
        "source": "ruff",
        "rule": rule,
        "fingerprint": fingerprint(rule, quote),
        "start_line": line,
        "end_line": line,
        "problem": f"about {quote}",
        "quote": quote,
    }


def said(quote: str, *, kind: str = "essential", line: int = 3) -> Json:
    rule = f"review/{kind}"
    return {
        **fact(quote, rule=rule, line=line),
        "kind": kind,
        "source": "model",
    }


def run(expression: str, status: str, *, strength: str = "strong") -> Json:
    return {"expression": expression, "status": status, "origin": "task", "strength": strength}


def progress(previous: list[Any], current: list[Any], *, code: str = CODE) -> Progress:
    return compare(previous, current, previous_runs=[], current_runs=[], code=code)


def of_runs(before: list[Json], now: list[Json]) -> Progress:
    return compare([], [], previous_runs=before, current_runs=now, code=CODE)


def sizes(found: Progress) -> tuple[int, int, int, int]:
    return len(found.fixed), len(found.partly), len(found.open), len(found.new)


def test_an_issue_that_is_there_again_is_open_at_its_new_lines() -> None:
    found = progress([fact("x = 1", line=1)], [fact("x  =  1", line=7)])

    assert sizes(found) == (0, 0, 1, 0)
    assert (found.open[0].start_line, found.open[0].end_line) == (7, 7)
    assert found.open[0].rule == "ruff/F841"


def test_an_issue_that_is_gone_is_fixed_and_has_no_lines() -> None:
    found = progress([fact("x = 1")], [])

    assert sizes(found) == (1, 0, 0, 0)
    assert (found.fixed[0].start_line, found.fixed[0].problem) == (None, "about x = 1")


def test_an_issue_that_was_not_there_is_new() -> None:
    found = progress([], [fact("x = 1", line=4)])

    assert sizes(found) == (0, 0, 0, 1)
    assert found.new[0].start_line == 4


def test_an_issue_that_was_edited_in_place_is_partly_fixed() -> None:
    found = progress([fact("except Exception as e:")], [fact("except Exception as error:")])

    assert sizes(found) == (0, 1, 0, 0)
    assert found.partly[0].problem == "about except Exception as error:"


def test_a_similar_line_under_another_rule_is_another_issue() -> None:
    found = progress([fact("x = input()")], [fact("y = input()", rule="ruff/S101")])

    assert sizes(found) == (1, 0, 0, 1)


def test_one_issue_is_never_the_rest_of_two() -> None:
    found = progress([fact("x = input(1)"), fact("y = input(1)")], [fact("z = input(1)")])

    assert sizes(found) == (1, 1, 0, 0)


def test_of_equal_issues_that_became_fewer_all_are_partly_fixed() -> None:
    found = progress([fact("x = 1"), fact("x = 1", line=5)], [fact("x = 1", line=2)])

    assert sizes(found) == (0, 2, 0, 0)
    assert [entry.start_line for entry in found.partly] == [2, None]


def test_of_equal_issues_that_became_more_the_rest_is_new() -> None:
    found = progress([fact("x = 1")], [fact("x = 1"), fact("x = 1", line=5)])

    assert sizes(found) == (0, 0, 1, 1)


def test_a_finding_that_the_model_merely_does_not_repeat_is_open() -> None:
    found = progress([said("return total / len(xs)", line=9)], [])

    assert sizes(found) == (0, 0, 1, 0)
    assert found.open[0].start_line == 3


def test_a_finding_whose_line_was_changed_is_fixed() -> None:
    found = progress([said("return total / len(xs)")], [], code="return total / max(len(xs), 1)")

    assert sizes(found) == (1, 0, 0, 0)


def test_a_finding_that_passing_runs_refute_is_not_open() -> None:
    previous = [said("total = 0"), said("total = 0", kind="actionable")]

    found = compare(
        previous, [], previous_runs=[], current_runs=[run("media([1])", "pass")], code=CODE
    )

    assert [entry.rule for entry in found.fixed] == ["review/essential"]
    assert [entry.rule for entry in found.open] == ["review/actionable"]


def test_a_finding_that_comes_back_under_another_kind_is_the_same() -> None:
    found = progress([said("total = 0")], [said("total = 0", kind="actionable")])

    assert sizes(found) == (0, 0, 1, 0)


def test_praise_is_no_issue() -> None:
    praise = said("total = 0", kind="celebratory")

    assert progress([praise], [praise]) == Progress()


def test_issues_stored_without_rule_and_fingerprint_are_compared_by_their_quotes() -> None:
    old = {"kind": "essential", "source": "model", "problem": "p", "quote": "total  = 0"}
    older = {"line": 1, "text": "sin tipos"}

    found = progress([old, older, "nonsense", None], [said("total = 0")])

    assert [entry.problem for entry in found.open] == ["about total = 0"]
    assert [entry.problem for entry in found.fixed] == ["sin tipos"]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("fail", "pass", (1, 0, 0, 0)),
        ("timeout", "pass", (1, 0, 0, 0)),
        ("fail", "error", (0, 0, 1, 0)),
        ("error", "not_runnable", (0, 0, 1, 0)),
        ("pass", "fail", (0, 0, 0, 1)),
        ("not_runnable", "timeout", (0, 0, 0, 1)),
        ("pass", "pass", (0, 0, 0, 0)),
    ],
)
def test_a_failing_run_is_an_issue(
    before: str, now: str, expected: tuple[int, int, int, int]
) -> None:
    assert sizes(of_runs([run("f(1)", before)], [run("f(1)", now)])) == expected


def test_a_failing_run_that_was_not_repeated_is_open() -> None:
    found = of_runs([run("f(1)", "fail")], [])

    assert [(entry.rule, entry.problem) for entry in found.open] == [("run", "f(1)")]


def test_a_weak_run_alone_is_no_issue() -> None:
    weak = [run("f(1)", "fail", strength="weak")]

    assert of_runs(weak, weak) == Progress()


def test_the_lists_are_json() -> None:
    found = progress([fact("x = 1", line=2)], [fact("x = 1", line=2)])

    assert found.as_json() == {
        "fixed": [],
        "partly": [],
        "open": [
            {
                "fingerprint": fingerprint("ruff/F841", "x = 1"),
                "rule": "ruff/F841",
                "problem": "about x = 1",
                "start_line": 2,
                "end_line": 2,
            }
        ],
        "new": [],
    }


QUOTES = st.sampled_from(["total = 0", "total = 1", "return total", "x", "", "for x in xs:"])
ISSUES = st.lists(
    st.one_of(
        st.builds(
            fact, QUOTES, rule=st.sampled_from(["ruff/F841", "claims"]), line=st.integers(1, 9)
        ),
        st.builds(said, QUOTES, kind=st.sampled_from(["essential", "actionable", "celebratory"])),
        st.fixed_dictionaries({"kind": st.just("essential"), "quote": QUOTES}),
    ),
    max_size=8,
)
RUNS = st.lists(
    st.builds(
        run,
        st.sampled_from(["f(1)", "f(2)", "f(3)"]),
        st.sampled_from(["pass", "fail", "error", "timeout", "not_runnable"]),
        strength=st.sampled_from(["strong", "weak"]),
    ),
    max_size=5,
)


def counted(issues: list[Json]) -> int:
    return sum(issue["kind"] != "celebratory" for issue in issues)


def failing(runs: list[Json]) -> set[str]:
    failed = {"fail", "error", "timeout"}
    return {
        one["expression"] for one in runs if one["status"] in failed and one["strength"] == "strong"
    }


@given(previous=ISSUES, current=ISSUES, before=RUNS, now=RUNS)
def test_every_issue_of_before_is_in_one_list_and_every_one_of_now_at_most_in_one(
    previous: list[Json], current: list[Json], before: list[Json], now: list[Json]
) -> None:
    found = compare(previous, current, previous_runs=before, current_runs=now, code=CODE)

    fixed, partly, still, new = sizes(found)
    assert fixed + partly + still == counted(previous) + len(failing(before))
    assert new <= counted(current) + len(failing(now) - failing(before))
    assert counted(current) <= partly + still + new


@given(issues=ISSUES, runs=RUNS)
def test_of_two_equal_submissions_all_is_open(issues: list[Json], runs: list[Json]) -> None:
    found = compare(issues, issues, previous_runs=runs, current_runs=runs, code=CODE)

    assert sizes(found) == (0, 0, counted(issues) + len(failing(runs)), 0)
