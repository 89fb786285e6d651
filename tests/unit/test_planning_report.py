"""The gate of the planning suite: met by good runs, missed by each single thing that is wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evals.planning import UNRECORDED, Planned
from evals.planning_cases import Case, Job
from evals.planning_report import PlanningReport, make_markdown, measure, write_report
from evals.planning_shares import Share, share

GATE: dict[str, dict[str, Any]] = {
    "stored after at most one repair": {"error": "MODEL_BAD_OUTPUT"},
    "in the learner's language": {"foreign": ("Build the thing",)},
    "breakdowns that are a plan": {"faults": ("no task serves criterion 1",)},
    "suggestions that rest on a relevant row": {"cited": (("g2",), ())},
    "rows stored that repeat another": {"repeated": ("“A” and “B” (0.91)",)},
    "learners' own rows touched": {"touched": ("t1",)},
    "more goals than asked for": {"titles": ("A", "B", "C")},
    "goals without 2 to 5 criteria": {"criteria": (2, 1)},
    "cases without a recorded answer": {"error": UNRECORDED},
}


def case(job: Job) -> Case:
    return Case(
        id=job,
        job=job,
        learner="a tester",
        language="es",
        preference="es",
        traits=("course",),
        rows=(),
        request={"wish": "x", "count": 2, "course": None},
        relevant=frozenset({"g1"}),
        origin="evals",
    )


def goals(**changed: Any) -> Planned:
    good = Planned(
        case=case("suggest_goals"),
        found=("g1", "g2"),
        cited=(("g2",), ("g1",)),
        titles=("A", "B"),
        criteria=(2, 3),
        calls=1,
    )
    return replace(good, **changed)


def tasks(**changed: Any) -> Planned:
    good = Planned(case=case("break_down_goal"), titles=("A", "B", "C"), calls=2)
    return replace(good, **changed)


def report(*planned: Planned) -> PlanningReport:
    return PlanningReport(model="a model", planned=planned)


def missed(of: PlanningReport) -> set[str]:
    return {check.name for check in of.checks() if not check.met}


def test_good_runs_meet_the_gate() -> None:
    assert missed(report(goals(), tasks())) == set()


@pytest.mark.parametrize(("name", "wrong"), GATE.items())
def test_each_thing_that_is_wrong_misses_its_bound(name: str, wrong: dict[str, Any]) -> None:
    bad = tasks(**wrong) if name == "breakdowns that are a plan" else goals(**wrong)

    assert missed(report(goals(), tasks(), bad)) == {name}


def test_every_bound_of_the_gate_is_tried_here() -> None:
    assert {check.name for check in report(goals()).checks()} == GATE.keys()


def test_nothing_answered_meets_no_share() -> None:
    nothing = report(goals(error=UNRECORDED), tasks(error=UNRECORDED))

    assert len(missed(nothing)) == 5


def test_citations_count_among_runs_whose_search_found_a_relevant_row() -> None:
    unfound = goals(found=("g2",), cited=(("g2",), ()))

    figures = measure([goals(), unfound])

    assert figures.cites == Share(1, 1)
    assert figures.finds == figures.grounded == Share(1, 2)


def test_a_citation_of_what_was_not_retrieved_does_not_count() -> None:
    figures = measure([goals(found=("g1",), cited=(("g2",), ("t9",)))])

    assert figures.cites == Share(0, 1)


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (81, 263, 0.2553, 0.3662), (0, 0, 0.0, 1.0)],
)
def test_the_interval_is_wilsons(right: int, total: int, low: float, high: float) -> None:
    assert list(Share(right, total).interval) == pytest.approx([low, high], abs=1e-4)


def test_a_share_counts_what_holds() -> None:
    assert share([True, False, True]) == Share(2, 3)
    assert str(Share(1, 2)) == "1/2 = 50.0% [9.5%, 90.5%]"


def test_the_report_names_what_somebody_has_to_look_at() -> None:
    shown = make_markdown(report(goals(**GATE["in the learner's language"]), tasks()))

    assert "- suggest_goals: Build the thing" in shown
    assert "| in the learner's language | 0.5 | ≥ 0.98 | **no** |" in shown


def test_the_report_is_written_as_json_markdown_and_a_picture(tmp_path: Path) -> None:
    paths = write_report(report(goals(), tasks()), tmp_path / "new")

    assert [path.name for path in paths] == ["planning.json", "planning.md", "planning.png"]
    assert json.loads(paths[0].read_text())["groups"]["all"]["stored"]["right"] == 2
    assert paths[2].read_bytes().startswith(b"\x89PNG")
