"""The learners of the planning suites: well formed, balanced, varied and rightly labelled."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from evals.breakdown.suite import FOLDER as BREAKDOWN
from evals.language import foreign_texts
from evals.learners import load_learners, seen_naively
from evals.lines import read_lines
from evals.suggestion.suite import FOLDER as SUGGESTION
from evals.suite import Case

SUGGESTIONS = load_learners(SUGGESTION)
BREAKDOWNS = load_learners(BREAKDOWN)
CASES = (*SUGGESTIONS, *BREAKDOWNS)
FOLDERS = pytest.mark.parametrize("folder", [SUGGESTION, BREAKDOWN], ids=lambda one: one.name)
FOREIGN_ON_PURPOSE = {"other_language", "injection", "typos", "unicode"}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("[cw]a*.jsonl")) for row in read_lines(path)]


def asked_of(case: Case) -> Mapping[str, Any]:
    request: Mapping[str, Any] = case.inputs["request"]
    return request


def names_of(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the rows that a row belongs to."""
    yield from (row[name] for name in ("course", "goal", "task") if row.get(name) is not None)


def words_of(case: Case) -> Iterator[str]:
    yield from (text for text in (asked_of(case).get("wish"),) if text)
    for row in case.inputs["rows"]:
        texts = (row.get("title"), row.get("description"), row.get("feedback"))
        yield from (text for text in (*texts, *row.get("criteria", ())) if text)


@FOLDERS
def test_every_line_follows_the_schema(folder: Path) -> None:
    schema = json.loads((folder / "cases.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    faults = [
        f"{row['id']}: {error.message}"
        for row in rows_of(folder)
        for error in validator.iter_errors(row)
    ]

    assert faults == []


def test_every_id_is_unique() -> None:
    counts = Counter(case.id for case in CASES)

    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("cases", [SUGGESTIONS, BREAKDOWNS], ids=["suggestions", "breakdowns"])
def test_there_are_forty_of_each_half_of_them_in_each_language(cases: tuple[Case, ...]) -> None:
    counts = Counter(case.language for case in cases)

    assert len(cases) >= 40
    assert counts["es"] == counts["en"]
    assert sum(case.hard for case in cases) >= 6


@FOLDERS
def test_learners_are_of_ten_kinds_at_least_and_every_trait_is_there(folder: Path) -> None:
    rows = rows_of(folder)
    traits = json.loads((folder / "cases.schema.json").read_text())["properties"]["traits"]

    assert len({row["learner"] for row in rows}) >= 10
    assert {trait for row in rows for trait in row["traits"]} == {*traits["items"]["enum"]}


@FOLDERS
def test_the_naive_way_sees_cases_of_the_suite_alone(folder: Path) -> None:
    assert seen_naively(folder) <= {case.id for case in load_learners(folder)}


def test_a_row_names_rows_that_were_made_before_it() -> None:
    unknown = []
    for case in CASES:
        made: set[str] = set()
        for row in case.inputs["rows"]:
            unknown += [f"{case.id}: {name}" for name in names_of(row) if name not in made]
            made.add(row["key"])
        asked = {asked_of(case).get("course"), asked_of(case).get("goal")} - {None}
        unknown += [f"{case.id}: {name}" for name in (asked | {*case.expected["relevant"]}) - made]
        assert len(made) == len(case.inputs["rows"]), f"{case.id} has a key twice"

    assert unknown == []


def test_goals_to_break_down_have_one_to_five_criteria() -> None:
    counts = {
        len(row["criteria"])
        for case in BREAKDOWNS
        for row in case.inputs["rows"]
        if row["key"] == asked_of(case)["goal"]
    }

    assert counts == {1, 2, 3, 4, 5}


def test_wishes_are_short_and_long_and_sometimes_missing() -> None:
    lengths = [len(asked_of(case)["wish"] or "") for case in SUGGESTIONS]

    assert min(lengths) == 0
    assert sum(0 < length <= 15 for length in lengths) >= 2
    assert sum(length >= 400 for length in lengths) >= 2


def test_one_to_five_goals_are_wished_for() -> None:
    assert {asked_of(case)["count"] for case in SUGGESTIONS} == {1, 2, 3, 4, 5}


def test_some_wishes_rest_on_no_row_and_the_others_leave_some_rows_out() -> None:
    without = {case.id for case in SUGGESTIONS if not case.expected["relevant"]}
    assert without == {case.id for case in SUGGESTIONS if "no_source" in case.slices}
    assert len(without) >= 3
    assert (
        sum(0 < len(case.expected["relevant"]) < len(case.inputs["rows"]) for case in SUGGESTIONS)
        >= 10
    )


def test_only_cases_that_say_so_have_words_of_another_language() -> None:
    foreign = {
        case.id: foreign_texts(words_of(case), case.language)
        for case in CASES
        if not FOREIGN_ON_PURPOSE & {*case.slices}
    }

    assert {name: texts for name, texts in foreign.items() if texts} == {}


def test_cases_of_another_language_have_words_of_it() -> None:
    without = [
        case.id
        for case in CASES
        if "other_language" in case.slices and not foreign_texts(words_of(case), case.language)
    ]

    assert without == []
