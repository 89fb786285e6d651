"""Versions: what an ETag stands for, how the headers are read, how `jsonb` writes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.requests import Request

from api.representations import if_match, represent
from tools.errors import InputError, VersionConflict
from tools.versions import ANY_VERSION, IfMatch, as_json, as_read, as_stored, make_etag


class Thing(BaseModel):
    id: str = "t"
    metadata: dict[str, Any] = {}


def asked(method: str = "GET", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "headers": raw})


def etag_of(thing: Thing) -> str:
    return make_etag(as_json(thing))


def test_an_etag_is_strong_and_stands_for_the_very_bytes() -> None:
    answer = represent(asked(), Thing())

    assert answer.headers["etag"] == make_etag(bytes(answer.body)) == etag_of(Thing())
    assert answer.headers["etag"][0] == answer.headers["etag"][-1] == '"'
    assert etag_of(Thing(id="u")) != etag_of(Thing())


@pytest.mark.parametrize(
    "header", ["{}", "W/{}", '"other", {}', '"a" ,W/{} , "b"', "*", ' "x",,{}']
)
def test_who_has_this_version_gets_304_without_a_body(header: str) -> None:
    answer = represent(asked(if_none_match=header.format(etag_of(Thing()))), Thing())

    assert (answer.status_code, answer.body) == (304, b"")
    assert answer.headers["etag"] == etag_of(Thing())


def test_who_has_another_version_gets_this_one() -> None:
    answer = represent(asked(if_none_match='"other"'), Thing())

    assert (answer.status_code, answer.body) == (200, as_json(Thing()))


def test_if_match_takes_lists_and_any_and_compares_strongly() -> None:
    mine = etag_of(Thing())

    if_match(asked("PATCH", if_match=f'"a", {mine}')).require(Thing())
    assert if_match(asked("PATCH", if_match="*")) == ANY_VERSION
    assert if_match(asked("PATCH")) == ANY_VERSION
    with pytest.raises(VersionConflict) as refused:
        if_match(asked("PATCH", if_match=f"W/{mine}")).require(Thing())
    assert (refused.value.code, refused.value.status) == ("CONFLICT_VERSION", 412)
    with pytest.raises(VersionConflict):
        IfMatch(frozenset()).require(Thing())


@pytest.mark.parametrize("header", ["abc", '"a" "b"', '"', "*, *", '"a";q=1', ""])
def test_what_is_no_list_of_entity_tags_is_refused(header: str) -> None:
    with pytest.raises(InputError):
        if_match(asked("PATCH", if_match=header))


@given(st.text(st.characters(max_codepoint=255, exclude_categories=["Cs"]), max_size=40))
def test_no_header_breaks_the_reader(header: str) -> None:
    scope = {"type": "http", "method": "PATCH", "headers": [(b"if-match", header.encode("latin1"))]}
    try:
        if_match(Request(scope))
    except InputError:
        return


def test_a_stored_object_has_short_keys_first_and_whole_numbers_without_exponent() -> None:
    stored = as_stored({"bb": 1, "a": [{"z": -0.0, "ñ": 1e16}], "c": 0.1})

    assert list(stored) == ["a", "c", "bb"]
    assert list(stored["a"][0]) == ["z", "ñ"]
    assert str(stored["a"][0]["z"]) == "0.0"
    assert stored["a"][0]["ñ"] == 10_000_000_000_000_000
    assert as_json(as_read(Thing(metadata={"bb": 1, "a": 2}))) == as_json(
        Thing(metadata={"a": 2, "bb": 1})
    )
