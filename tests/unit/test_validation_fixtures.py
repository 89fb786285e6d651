"""The validation set: well formed, balanced, as varied as it claims to be, and rightly labelled."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import jsonschema
import pytest

from evals.lines import read_lines
from evals.validation.cases import (
    FOLDER,
    CallCheck,
    Submission,
    load_checks,
    load_submissions,
    load_tasks,
)
from tools.analysis.examples.finder import find_examples
from tools.analysis.facts.secrets import redact

TASKS = {task.id: task for task in load_tasks()}
SUBMISSIONS = load_submissions()
CHECKS = load_checks()
PYTHON = [task for task in TASKS.values() if task.programming_language == "python"]
WEB = {"javascript", "typescript"}

SAMPLE = (
    "py-anagrams", "py-cuenta-bancaria", "py-merge-bookings", "py-subir-notas", "py-visit-counter",
)  # fmt: skip
RUN = """
import json, sys
job = json.load(sys.stdin)
def holds(check):
    names = {"__name__": "submission"}
    try:
        exec(job["code"], names)
        return eval(check["call"], names) == eval(check["expected"] or "...")
    except Exception as error:
        return type(error).__name__ == check["raises"]
print(json.dumps([holds(check) for check in job["checks"]]))
"""


@pytest.mark.parametrize("name", ["tasks", "submissions", "checks", "runs"])
def test_every_line_follows_the_schema(name: str) -> None:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    faults = [
        f"{row.get('id') or row.get('task_id') or row['key']}: {error.message}"
        for row in read_lines(FOLDER / f"{name}.jsonl")
        for error in validator.iter_errors(row)
    ]

    assert faults == []


@pytest.mark.parametrize(
    ("name", "key"),
    [("tasks", "id"), ("submissions", "id"), ("checks", "task_id"), ("runs", "key")],
)
def test_every_id_is_unique(name: str, key: str) -> None:
    counts = Counter(row[key] for row in read_lines(FOLDER / f"{name}.jsonl"))

    assert [value for value, count in counts.items() if count > 1] == []


def test_every_task_has_one_right_and_one_wrong_submission_and_its_checks() -> None:
    labels = sorted((submission.task_id, submission.correct) for submission in SUBMISSIONS)

    assert labels == [(name, label) for name in sorted(TASKS) for label in (False, True)]
    assert CHECKS.keys() == TASKS.keys()


def test_a_submissions_id_is_its_tasks_and_does_not_tell_the_label() -> None:
    foreign = [s.id for s in SUBMISSIONS if s.id[:-2] != s.task_id]
    right = Counter(submission.id[-1] for submission in SUBMISSIONS if submission.correct)

    assert foreign == []
    assert 0.4 <= right["a"] / right.total() <= 0.6


def test_no_program_is_there_twice() -> None:
    counts = Counter("".join(submission.code.split()) for submission in SUBMISSIONS)

    assert [code for code, count in counts.items() if count > 1] == []


def test_there_are_enough_submissions_in_every_programming_language() -> None:
    counts = Counter(TASKS[submission.task_id].programming_language for submission in SUBMISSIONS)
    others = {name: count for name, count in counts.items() if name not in {"python", *WEB}}

    assert counts["python"] >= 88
    assert sum(counts[name] for name in WEB) >= 24
    assert min(counts[name] for name in WEB) >= 8
    assert sum(others.values()) >= 24
    assert len(others) >= 6


@pytest.mark.parametrize("languages", [{"python"}, WEB, None])
def test_half_of_the_tasks_have_examples_and_half_are_in_spanish(
    languages: set[str] | None,
) -> None:
    tasks = [
        task
        for task in TASKS.values()
        if (task.programming_language in languages if languages else True)
    ]

    assert 0.45 <= sum(task.examples for task in tasks) / len(tasks) <= 0.55
    assert 0.4 <= sum(task.language == "es" for task in tasks) / len(tasks) <= 0.6


def test_the_bugs_are_of_every_kind() -> None:
    counts = Counter(submission.bug for submission in SUBMISSIONS if not submission.correct)
    schema = json.loads((FOLDER / "submissions.schema.json").read_text())
    kinds = [kind for kind in schema["properties"]["bug"]["enum"] if kind is not None]

    assert {kind: counts[kind] for kind in kinds if counts[kind] < 3} == {}
    assert counts["syntax"] <= 4
    assert max(counts.values()) / counts.total() <= 0.2


def test_a_third_of_the_right_programs_are_unusual() -> None:
    right = [submission for submission in SUBMISSIONS if submission.correct]

    assert sum(submission.why is not None for submission in right) >= len(right) / 3


def test_a_witness_is_one_of_the_tasks_checks() -> None:
    known = {
        (name, check.call if isinstance(check, CallCheck) else check.stdin)
        for name, checks in CHECKS.items()
        for check in checks
    }

    assert [
        submission.id
        for submission in SUBMISSIONS
        if (witness := submission.witness) is not None
        and (submission.task_id, witness.call or witness.stdin) not in known
    ] == []


def test_no_program_holds_what_would_be_hidden_from_the_model() -> None:
    assert [submission.id for submission in SUBMISSIONS if redact(submission.code).found] == []


def test_no_example_is_found_where_a_task_has_none() -> None:
    assert [
        (task.id, found)
        for task in TASKS.values()
        if not task.examples and (found := find_examples(*task.texts))
    ] == []


def test_examples_are_found_in_most_python_tasks_that_have_some() -> None:
    tasks = [task for task in PYTHON if task.examples]

    found = [task.id for task in tasks if find_examples(*task.texts)]

    assert len(found) / len(tasks) >= 0.8


@pytest.mark.parametrize(
    "submission",
    [submission for submission in SUBMISSIONS if submission.task_id in SAMPLE],
    ids=lambda submission: submission.id,
)
def test_the_label_is_what_the_checks_say(submission: Submission, tmp_path: Path) -> None:
    checks = [asdict(check) for check in CHECKS[submission.task_id]]

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RUN],
        input=json.dumps({"code": submission.code, "checks": checks}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert all(json.loads(done.stdout)) == submission.correct
