"""SARIF: whatever the answer, the log is valid by the schema, and says the same."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from api.sarif import prefers_sarif, to_sarif

SCHEMA = Path(__file__).parents[1] / "schemas" / "sarif-2.1.0-rtm.5.json"
VALIDATOR = Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))

ISSUE: dict[str, Any] = {
    "start_line": 2,
    "end_line": 3,
    "kind": "fact",
    "source": "ruff",
    "rule": "ruff/F841",
    "fingerprint": "dd7b3d555931dc1b",
    "severity": "low",
    "problem": "`x` is never used",
    "quote": "x = 1",
    "trigger": None,
}
RUN: dict[str, Any] = {
    "expression": "doble(4)",
    "status": "fail",
    "expected": "8",
    "got": "5",
    "detail": None,
    "strength": "strong",
}

texts = st.text(max_size=40)
issues = st.fixed_dictionaries(
    {
        "start_line": st.integers(-2, 10_000),
        "end_line": st.integers(-2, 10_000),
        "source": st.sampled_from(["syntax", "ruff", "secrets", "model"]) | texts,
        "rule": st.sampled_from(["syntax", "ruff/F841", "review/essential"]) | texts,
        "fingerprint": texts,
        "severity": st.sampled_from(["low", "medium", "high"]) | texts,
        "problem": texts,
        "trigger": st.none() | texts,
    }
)
runs = st.fixed_dictionaries(
    {
        "expression": texts,
        "status": st.sampled_from(["pass", "fail", "error", "timeout", "not_runnable"]),
        "expected": st.none() | texts,
        "got": st.none() | texts,
        "detail": st.none() | texts,
        "strength": st.sampled_from(["strong", "weak"]),
    }
)
answers = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["full", "facts"]),
        "passed": st.none() | st.booleans(),
        "score": st.none() | st.floats(0, 1),
        "document_version": st.none() | st.integers(0, 2**53),
        "sha256": st.from_regex("[0-9a-f]{64}", fullmatch=True),
        "issues": st.lists(issues, max_size=5),
        "runs": st.lists(runs, max_size=5),
        "unavailable": st.lists(
            st.fixed_dictionaries({"analyzer": texts, "reason": texts}), max_size=3
        ),
    }
)


def answer(**more: Any) -> dict[str, Any]:
    return {
        "mode": "facts",
        "passed": False,
        "score": 0.0,
        "document_version": 7,
        "sha256": "ab" * 32,
        "issues": [],
        "runs": [],
        "unavailable": [],
        **more,
    }


def run_of(log: dict[str, Any]) -> dict[str, Any]:
    [run] = log["runs"]
    assert isinstance(run, dict)
    return run


def results(**more: Any) -> list[dict[str, Any]]:
    log = to_sarif(answer(**more), file_path="doble.py", version="1")
    found: list[dict[str, Any]] = run_of(log)["results"]
    return found


@given(answers, texts)
def test_any_answer_gives_valid_sarif(some: dict[str, Any], file_path: str) -> None:
    log = to_sarif(some, file_path=file_path, version="0.1.0")

    assert [error.message for error in VALIDATOR.iter_errors(log)] == []
    run = run_of(log)
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert [rules[each["ruleIndex"]] for each in run["results"]] == [
        each["ruleId"] for each in run["results"]
    ]


def test_an_issue_keeps_its_lines_its_rule_and_its_fingerprint() -> None:
    log = to_sarif(answer(issues=[ISSUE]), file_path="src/doble.py", version="0.1.0")

    run = run_of(log)
    assert run["tool"]["driver"]["rules"] == [
        {
            "id": "ruff/F841",
            "shortDescription": {"text": "A rule of ruff, the Python linter: F841."},
        }
    ]
    assert run["results"] == [
        {
            "ruleId": "ruff/F841",
            "ruleIndex": 0,
            "level": "note",
            "message": {"text": "`x` is never used"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "src/doble.py", "index": 0},
                        "region": {"startLine": 2, "endLine": 3},
                    }
                }
            ],
            "partialFingerprints": {"goalsFingerprint/v1": "dd7b3d555931dc1b"},
        }
    ]
    assert run["artifacts"] == [
        {"location": {"uri": "src/doble.py"}, "hashes": {"sha-256": "ab" * 32}}
    ]
    assert run["properties"] == {
        "passed": False,
        "score": 0.0,
        "documentVersion": 7,
        "mode": "facts",
    }


@pytest.mark.parametrize(
    ("severity", "level"), [("high", "error"), ("medium", "warning"), ("low", "note")]
)
def test_the_severity_gives_the_level(severity: str, level: str) -> None:
    [result] = results(issues=[{**ISSUE, "severity": severity}])

    assert result["level"] == level


def test_a_failed_example_is_a_result_without_lines_and_a_passed_one_is_none() -> None:
    [result] = results(runs=[RUN, {**RUN, "status": "pass"}, {**RUN, "status": "not_runnable"}])

    assert (result["ruleId"], result["level"]) == ("run/fail", "error")
    assert result["message"]["text"] == "doble(4): expected 8, got 5"
    assert "region" not in result["locations"][0]["physicalLocation"]


def test_a_weak_example_that_fails_is_no_error() -> None:
    [result] = results(runs=[{**RUN, "strength": "weak", "status": "timeout"}])

    assert (result["ruleId"], result["level"]) == ("run/timeout", "note")


def test_an_analyzer_that_gave_no_answer_is_a_notification() -> None:
    missing = {"analyzer": "ruff", "reason": "took longer than 1 s"}

    log = to_sarif(answer(unavailable=[missing]), file_path="a.py", version="1")

    [invocation] = run_of(log)["invocations"]
    assert invocation["executionSuccessful"] is True
    assert [each["message"]["text"] for each in invocation["toolExecutionNotifications"]] == [
        "No answer from ruff: took longer than 1 s"
    ]


def test_a_text_cannot_become_a_link_or_a_placeholder() -> None:
    [result] = results(issues=[{**ISSUE, "problem": "[here](http://e.vil) {0}"}])

    assert result["message"]["text"] == "[here] (http://e.vil) {{0}}"


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("src/doble.py", "src/doble.py"),
        ("mi año/100%.py", "mi%20a%C3%B1o/100%25.py"),
        ("c:odd.py", "c%3Aodd.py"),
        ("/home/ana/a b.py", "file:///home/ana/a%20b.py"),
        ("C:\\casa\\a b.py", "file:///C:/casa/a%20b.py"),
    ],
)
def test_a_path_becomes_a_uri(path: str, uri: str) -> None:
    log = to_sarif(answer(), file_path=path, version="1")

    assert run_of(log)["artifacts"][0]["location"]["uri"] == uri


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_a_relative_path_comes_back_from_its_uri(path: str) -> None:
    relative = "ab" + path

    uri = run_of(to_sarif(answer(), file_path=relative, version="1"))["artifacts"][0]["location"]

    parts = urlsplit(uri["uri"])
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert uri["uri"].isascii()
    assert unquote(parts.path) == relative


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", False),
        ("text/html, */*;q=0.8", False),
        ("application/sarif+json", True),
        ("Application/SARIF+JSON ; version=2.1.0", True),
        ("application/sarif+json, application/json;q=0.9, */*;q=0.1", True),
        ("application/json, application/sarif+json", True),
        ("application/json, application/sarif+json;q=0.5", False),
        ("application/sarif+json;q=0", False),
        ("application/sarif+json;q=much", False),
        (";;,,=", False),
    ],
)
def test_the_accept_header_asks_for_sarif_by_its_name(accept: str | None, *, wanted: bool) -> None:
    assert prefers_sarif(accept) == wanted
