"""The injection set: well formed, in both languages, and over every carrier, effect and job."""

import json
from collections import Counter
from typing import get_args

import jsonschema

from evals.injection.cases import FOLDER, Kind, load_attacks, load_cases
from evals.injection.effects import EFFECTS
from evals.lines import read_lines

ATTACKS = load_attacks()
HOSTILE = [attack for attack in ATTACKS if not attack.benign]


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


def test_every_id_is_unique_and_every_case_is_hard() -> None:
    cases = load_cases()

    assert len({case.id for case in cases}) == len(cases)
    assert all(case.hard for case in cases)


def test_there_are_seventy_cases_half_of_them_in_each_language() -> None:
    counts = Counter(attack.language for attack in HOSTILE)

    assert counts.total() >= 70
    assert min(counts.values()) >= 35


def test_every_effect_is_aimed_at_and_every_job_and_carrier_is_used() -> None:
    schema = json.loads((FOLDER / "cases.schema.json").read_text())["properties"]

    assert {aim for attack in HOSTILE for aim in attack.aims} == set(EFFECTS)
    assert {attack.job for attack in HOSTILE} == set(get_args(Kind))
    assert {attack.carrier for attack in HOSTILE} == set(schema["carrier"]["enum"])
    assert {attack.technique for attack in HOSTILE} == set(schema["technique"]["enum"])


def test_twelve_cases_have_the_words_without_the_aim() -> None:
    benign = [attack for attack in ATTACKS if attack.benign]

    assert len(benign) >= 12
    assert not [attack.id for attack in benign if attack.aims]
    assert {attack.job for attack in benign} == set(get_args(Kind))


def test_every_instruction_is_where_the_case_says() -> None:
    lost = [
        attack.id
        for attack in ATTACKS
        if attack.marker not in json.dumps([attack.rows, attack.request], ensure_ascii=False)
    ]

    assert lost == []
