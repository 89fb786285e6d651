"""The retrieval set: well formed, as large and as varied as it claims to be."""

import json
from collections import Counter
from typing import Any

import jsonschema
import pytest

from evals.lines import read_lines
from evals.retrieval.cases import FOLDER, MAIN, OTHER, load_retrieval_set
from evals.retrieval.ranking import EXACT
from tools.analysis.facts.secrets import redact

CASES = load_retrieval_set()
MAINS = [document for document in CASES.documents if document.owner == MAIN]
BY_ID = {document.id: document for document in CASES.documents}
ANSWERABLE = [query for query in CASES.queries if query.relevant]


@pytest.mark.parametrize("name", ["documents", "queries"])
def test_every_line_follows_the_schema(name: str) -> None:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    faults = [
        f"{row.get('id')}: {error.message}"
        for row in read_lines(FOLDER / f"{name}.jsonl")
        for error in validator.iter_errors(row)
    ]

    assert faults == []


@pytest.mark.parametrize("name", ["documents", "queries"])
def test_every_id_is_unique(name: str) -> None:
    counts = Counter(row["id"] for row in read_lines(FOLDER / f"{name}.jsonl"))

    assert [key for key, count in counts.items() if count > 1] == []


def test_no_text_is_there_twice() -> None:
    def words(text: str) -> str:
        return " ".join(text.lower().split())

    documents = Counter(words(document.text) for document in CASES.documents)
    queries = Counter(words(query.text) for query in CASES.queries)

    assert [text for text, count in (documents + queries).items() if count > 1] == []


def test_a_documents_id_tells_its_type_and_its_topic() -> None:
    prefixes = {"goal": "gol", "task": "tsk", "course": "crs", "code_snapshot": "cs"}

    wrong = [
        document.id
        for document in CASES.documents
        if not document.id.startswith(f"{prefixes.get(document.type, 'fbk')}-{document.topic}-")
    ]

    assert wrong == []


def test_every_judged_document_exists_and_belongs_to_who_asks() -> None:
    judged = {name for query in CASES.queries for name in query.relevant}

    assert [name for name in judged if name not in BY_ID or BY_ID[name].owner != MAIN] == []


def test_every_query_has_an_exact_answer_or_none_at_all() -> None:
    assert [query.id for query in ANSWERABLE if EXACT not in query.relevant.values()] == []


def test_there_are_enough_documents_of_every_type() -> None:
    counts = Counter(document.type for document in MAINS)
    wanted = {"goal": 140, "task": 230, "course": 50, "code_snapshot": 130, "ai_feedback": 60}

    assert {kind: counts[kind] for kind in wanted if counts[kind] < wanted[kind]} == {}
    assert counts.total() >= 620


def test_there_are_enough_documents_of_another_learner_on_the_same_topics() -> None:
    others = [document for document in CASES.documents if document.owner == OTHER]

    assert len(others) >= 40


def test_half_of_the_documents_are_spanish_and_half_english() -> None:
    counts = Counter(document.language for document in MAINS)

    assert 0.45 <= counts["es"] / len(MAINS) <= 0.55
    assert 0.45 <= counts["en"] / len(MAINS) <= 0.55
    assert counts["mixed"] >= 5


def test_code_is_in_at_least_eight_programming_languages() -> None:
    rows = read_lines(FOLDER / "documents.jsonl")
    counts = Counter(row.get("programming_language") for row in rows)
    counts.pop(None)

    assert len([name for name, count in counts.items() if count >= 3]) >= 8


def test_documents_are_from_one_to_twenty_five_lines_long() -> None:
    lengths = {document.id: document.text.count("\n") + 1 for document in CASES.documents}

    assert {name: lines for name, lines in lengths.items() if lines > 25} == {}


def test_no_code_holds_what_would_be_hidden_from_the_index() -> None:
    rows: list[dict[str, Any]] = read_lines(FOLDER / "documents.jsonl")

    assert [row["id"] for row in rows if redact(row.get("code", "")).found] == []


def test_half_of_the_queries_are_spanish_and_half_english() -> None:
    counts = Counter(query.language for query in CASES.queries)

    assert counts.total() >= 160
    assert 0.45 <= counts["es"] / counts.total() <= 0.55


def test_every_slice_has_its_queries() -> None:
    counts = Counter(query.slice for query in CASES.queries)
    wanted = {
        "title": 30,
        "symptom": 40,
        "identifier": 30,
        "code": 20,
        "paraphrase": 40,
        "typo": 10,
        "none": 12,
    }

    assert {name: counts[name] for name in wanted if counts[name] < wanted[name]} == {}


def test_at_least_thirty_queries_find_their_answer_in_the_other_language() -> None:
    crossing = [query for query in CASES.queries if CASES.crosses_languages(query)]

    assert len(crossing) >= 30
    assert min(Counter(query.language for query in crossing).values()) >= 15


def test_most_topics_are_searched() -> None:
    searched = {BY_ID[name].topic for query in ANSWERABLE for name in query.relevant}

    assert {document.topic for document in MAINS} - searched == set()
