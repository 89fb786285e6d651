"""The kinds of value that come from outside, where no schema's test meets them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tools.texts import MAX_TITLE, Line, Title


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u200b", " \u2060 ", "\u00a0"])
def test_a_line_of_which_nothing_can_be_seen_is_refused(blank: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Line).validate_python(blank)


def test_a_line_loses_the_space_around_it() -> None:
    assert TypeAdapter(Line).validate_python(" a b\n") == "a b"


def test_a_limit_counts_what_was_sent_with_the_space_around_it() -> None:
    title = TypeAdapter(Title)

    assert title.validate_python(" " + "a" * (MAX_TITLE - 1)) == "a" * (MAX_TITLE - 1)
    with pytest.raises(ValidationError):
        title.validate_python("a" * (MAX_TITLE - 1) + "  ")
