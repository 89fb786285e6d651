"""The planning set: well formed, balanced, as varied as it claims to be, and rightly labelled."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema

from evals.lines import read_lines
from evals.planning_cases import FOLDER, Case, load_cases
from evals.planning_language import foreign_texts

CASES = load_cases()
TRAITS = json.loads((FOLDER / "cases.schema.json").read_text())["properties"]["traits"]
FOREIGN_ON_PURPOSE = {"other_language", "injection", "typos"}


def names_of(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the rows that a row belongs to."""
    yield from (row[name] for name in ("course", "goal", "task") if row.get(name) is not None)


def words_of(case: Case) -> Iterator[str]:
    yield from (text for text in (case.request.get("wish"),) if text)
    for row in case.rows:
        texts = (row.get("title"), row.get("description"), row.get("feedback"))
        yield from (text for text in (*texts, *row.get("criteria", ())) if text)


def test_every_line_follows_the_schema() -> None:
    schema = json.loads((FOLDER / "cases.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    faults = [
        f"{row['id']}: {error.message}"
        for row in read_lines(FOLDER / "cases.jsonl")
        for error in validator.iter_errors(row)
    ]

    assert faults == []


def test_every_id_is_unique() -> None:
    counts = Counter(case.id for case in CASES)

    assert [name for name, count in counts.items() if count > 1] == []


def test_half_of_each_job_is_in_each_language() -> None:
    counts = Counter((case.job, case.language) for case in CASES)

    assert len(counts) == 4
    assert min(counts.values()) >= 12
    assert max(counts.values()) == min(counts.values())


def test_learners_are_of_ten_kinds_at_least_and_every_trait_is_there() -> None:
    assert len({case.learner for case in CASES}) >= 10
    assert {trait for case in CASES for trait in case.traits} == {*TRAITS["items"]["enum"]}


def test_a_row_names_rows_that_were_made_before_it() -> None:
    unknown = []
    for case in CASES:
        made: set[str] = set()
        for row in case.rows:
            unknown += [f"{case.id}: {name}" for name in names_of(row) if name not in made]
            made.add(row["key"])
        asked = {case.request.get("course"), case.request.get("goal")} - {None}
        unknown += [f"{case.id}: {name}" for name in (asked | case.relevant) - made]
        assert len(made) == len(case.rows), f"{case.id} has a key twice"

    assert unknown == []


def test_goals_to_break_down_have_two_to_five_criteria() -> None:
    counts = {
        len(row["criteria"])
        for case in CASES
        for row in case.rows
        if row["key"] == case.request.get("goal")
    }

    assert counts == {2, 3, 4, 5}


def test_wishes_are_short_and_long_and_sometimes_missing() -> None:
    lengths = [len(case.request["wish"] or "") for case in CASES if "wish" in case.request]

    assert min(lengths) == 0
    assert sum(0 < length <= 15 for length in lengths) >= 2
    assert sum(length >= 400 for length in lengths) >= 2


def test_some_wishes_rest_on_no_row_and_the_others_leave_some_rows_out() -> None:
    suggestions = [case for case in CASES if case.job == "suggest_goals"]

    without = {case.id for case in suggestions if not case.relevant}
    assert without == {case.id for case in suggestions if "no_source" in case.traits}
    assert len(without) >= 3
    assert sum(0 < len(case.relevant) < len(case.rows) for case in suggestions) >= 10


def test_only_cases_that_say_so_have_words_of_another_language() -> None:
    foreign = {
        case.id: foreign_texts(words_of(case), case.language)
        for case in CASES
        if not FOREIGN_ON_PURPOSE & {*case.traits}
    }

    assert {name: texts for name, texts in foreign.items() if texts} == {}


def test_cases_of_another_language_have_words_of_it() -> None:
    without = [
        case.id
        for case in CASES
        if "other_language" in case.traits and not foreign_texts(words_of(case), case.language)
    ]

    assert without == []
