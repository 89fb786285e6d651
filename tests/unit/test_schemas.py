"""What may come in: strict text, finite numbers, strict JSON."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.limits import MAX_DEPTH, parse_json
from db.keyset import Position
from tools.criteria import read_criteria, write_criteria
from tools.cursors import decode_cursor, encode_cursor
from tools.errors import InputError
from tools.metadata import merge_patch
from tools.schemas import CourseIn, GoalIn, GoalPatch, SnapshotIn, TaskIn, TaskPatch, UserOut
from tools.texts import TEXT_ERRORS, is_storable


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\udfff!", "\ud83d"])
def test_text_that_postgresql_cannot_store_is_refused_everywhere(text: str) -> None:
    fields: list[dict[str, Any]] = [
        {"title": text},
        {"title": "ok", "description": text},
        {"title": "ok", "criteria": [text]},
    ]

    assert not is_storable(text)
    for given_fields in fields:
        with pytest.raises(ValidationError) as caught:
            GoalIn(**given_fields)
        assert {error["type"] for error in caught.value.errors()} & TEXT_ERRORS
    metadata: list[dict[str, Any]] = [
        {text: 1},
        {"a": text},
        {"a": [{"b": [text]}]},
        {"a": {text: 1}},
    ]
    for value in metadata:
        with pytest.raises(ValidationError):
            CourseIn(title="ok", metadata=value)


@pytest.mark.parametrize("title", ["", "   ", "\n\t", "\u200b", "\u202e\u2066", "x" * 501])
def test_a_title_that_nobody_can_read_is_refused(title: str) -> None:
    with pytest.raises(ValidationError):
        GoalIn(title=title)


def test_a_title_is_stripped_and_the_rest_of_a_text_is_kept_as_it_is() -> None:
    goal = GoalIn(title="  Aprender SQL \n", description=" \u202eal revés\u200b 🙂\r\n")

    assert goal.title == "Aprender SQL"
    assert goal.description == " \u202eal revés\u200b 🙂\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        {"estimated_hours": float("inf")},
        {"estimated_hours": float("nan")},
        {"estimated_hours": 0},
        {"estimated_hours": 10_001},
        {"estimated_hours": "2"},
        {"estimated_hours": True},
        {"priority": 10**30},
        {"priority": -1},
        {"priority": 1.5},
        {"priority": True},
        {"task_type": "sleep"},
        {"goal_id": "gol_'; drop table goals"},
        {"goal_id": "g" * 37},
        {"description": "x" * 20_001},
    ],
)
def test_a_value_out_of_bounds_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TaskIn.model_validate({"title": "ok", **fields})


@pytest.mark.parametrize(
    "moment",
    ["2027-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", 10**30, "x"],
)
def test_a_moment_without_a_zone_or_out_of_range_is_refused(moment: object) -> None:
    with pytest.raises(ValidationError):
        GoalIn.model_validate({"title": "ok", "due_date": moment})


@pytest.mark.parametrize(
    "field", ["id", "user_id", "created_at", "processed_at", "ai_generated", "progress_percentage"]
)
def test_what_the_server_owns_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        GoalIn.model_validate({"title": "ok", field: 1})
    with pytest.raises(ValidationError, match="extra_forbidden"):
        GoalPatch.model_validate({field: 1})


@pytest.mark.parametrize("field", ["title", "status", "priority", "criteria"])
def test_null_cannot_empty_what_must_be_there(field: str) -> None:
    with pytest.raises(ValidationError):
        GoalPatch.model_validate({field: None})


def test_a_patch_knows_what_was_given() -> None:
    patch = TaskPatch.model_validate({"description": None, "priority": 3})

    assert patch.given() == {"description": None, "priority": 3}
    assert "default" not in json.dumps(TaskPatch.model_json_schema())


def test_code_is_not_touched() -> None:
    code = "\ufeffx = 1\r\n\t\u202e \x0b\x1b"

    assert SnapshotIn(file_path="a.py", language="Python", code=code).code == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a": NaN}', "VALIDATION"),
        (b'{"a": Infinity}', "VALIDATION"),
        (b'{"a": -Infinity}', "VALIDATION"),
        (b'{"a": 1e400}', "VALIDATION"),
        (b'{"a": -1e400}', "VALIDATION"),
        (b'{"a": 1' + b"0" * 30 + b"}", "VALIDATION"),
        (b'{"a": 1' + b"0" * 5_000 + b"}", "VALIDATION"),
        (b'{"a": 1, "a": 2}', "VALIDATION"),
        (b'{"a": {"b": 1, "b": 1}}', "VALIDATION"),
        (b'{"a": 1', "VALIDATION"),
        (b'{"a": "\x01"}', "VALIDATION"),
        (b"\xef\xbb\xbf{}", "VALIDATION"),
        (b'{"a": "\\u0000"}', "TEXT_INVALID"),
        (b'{"\\u0000": 1}', "TEXT_INVALID"),
        (b'{"a": ["\\ud800"]}', "TEXT_INVALID"),
        (b'{"\\udc00": 1}', "TEXT_INVALID"),
        (b'{"a": "\xff"}', "TEXT_INVALID"),
        (b'{"a": "\xed\xa0\x80"}', "TEXT_INVALID"),
        ('{"a": 1}'.encode("utf-16"), "TEXT_INVALID"),
        (b"[" * 100_000 + b"]" * 100_000, "TOO_DEEP"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "TOO_DEEP"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "TOO_DEEP"),
    ],
)
def test_json_that_is_trouble_is_refused_with_its_code(body: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_json(body)

    assert caught.value.code == code


def test_json_at_the_limit_is_read() -> None:
    body = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    assert json.dumps(parse_json(body)).encode() == body


_trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner
        )
    ),
    max_leaves=20,
)


@given(_trees)
def test_json_without_trouble_is_read_as_json_reads_it(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=50))
def test_bytes_end_in_a_value_or_an_input_error(body: bytes) -> None:
    try:
        parse_json(body)
    except InputError as error:
        assert error.status == 422


@given(
    st.datetimes(timezones=st.just(UTC)), st.from_regex(r"[a-z]{2,3}_[0-9a-f]{32}", fullmatch=True)
)
def test_a_cursor_is_read_as_it_was_written(created_at: datetime, row_id: str) -> None:
    position = Position(created_at=created_at, id=row_id)

    assert decode_cursor(encode_cursor(position)) == position


@given(st.text(max_size=60))
def test_any_word_is_a_cursor_or_an_input_error(word: str) -> None:
    try:
        decode_cursor(word)
    except InputError as error:
        assert error.code == "VALIDATION"


def test_criteria_without_ids_get_the_same_ones_each_time() -> None:
    stored = {"criteria": ["Login", "Login", "Tokens"]}

    first, second = read_criteria(stored), read_criteria(stored)

    assert first == second
    assert len({criterion.id for criterion in first}) == 3


def test_equal_criteria_keep_an_id_each() -> None:
    previous = read_criteria(write_criteria(["Login", "Login"], previous=()))

    rewritten = read_criteria(write_criteria(["Login", "Login", "Login"], previous=previous))

    assert rewritten[:2] == previous
    assert len({criterion.id for criterion in rewritten}) == 3


def test_no_criteria_are_stored_as_null() -> None:
    assert write_criteria([], previous=()) is None
    assert read_criteria(None) == []


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1, "b": 1}, {"a": None}, {"b": 1}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ({"a": {"b": 1}}, {"a": {"c": 2, "b": None}}, {"a": {"c": 2}}),
        ({"a": 1}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
    ],
)
def test_metadata_merge_as_rfc_7396_says(
    target: dict[str, Any], patch: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge_patch(target, patch) == merged


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"preferences": {"language": "es"}}, "es"),
        ({"preferences": {"language": "en"}}, "en"),
        ({"preferences": {"language": "fr"}}, None),
        ({"preferences": ["es"]}, None),
        ({}, None),
    ],
)
def test_a_users_language_is_one_of_ours_or_unknown(
    metadata: dict[str, Any], language: str | None
) -> None:
    user = UserOut(
        id="usr_1",
        email="a@example.com",
        username="a",
        full_name=None,
        is_active=True,
        metadata=metadata,
        created_at=datetime.now(UTC),
    )

    assert user.language == language
