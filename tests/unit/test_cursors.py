"""Cursors: they come back as they went out, and what is none of ours is refused."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.routes import courses, goals, tasks
from db import courses as stored_courses
from db import goals as stored_goals
from db import tasks as stored_tasks
from db.enums import GoalPriority
from db.ordering import Place
from tools.cursors import decode_place, encode_place
from tools.errors import InputError

SORTS = stored_goals.SORTS
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=500)
VALUES = {
    "created_at": MOMENTS,
    "due_date": st.none() | MOMENTS,
    "priority": st.sampled_from(GoalPriority),
    "title": TEXTS,
    "progress_percentage": st.floats(0, 100),
}


@given(st.data(), st.sampled_from(sorted(VALUES)), st.sampled_from(["", "-"]))
def test_a_place_comes_back_as_it_went_out(data: st.DataObject, name: str, minus: str) -> None:
    place = Place(value=data.draw(VALUES[name]), id="gol_1")

    word = encode_place(minus + name, place)

    assert decode_place(word, sort=minus + name, columns=SORTS) == place
    assert word.replace("-", "").replace("_", "").isalnum()
    assert len(word) <= 4_000


def test_a_cursor_of_another_order_is_refused() -> None:
    word = encode_place("title", Place(value="a", id="gol_1"))

    with pytest.raises(InputError, match="another order"):
        decode_place(word, sort="-title", columns=SORTS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(SORTS)), JSON, JSON)
def test_whatever_is_in_a_forged_cursor_is_a_place_or_refused(
    name: str, value: Any, row_id: Any
) -> None:
    forged = base64.urlsafe_b64encode(json.dumps([name, value, row_id]).encode()).decode()

    try:
        place = decode_place(forged.rstrip("="), sort=name, columns=SORTS)
    except InputError:
        return

    assert place is not None
    assert isinstance(place.id, str)
    assert "\0" not in place.id


@given(st.text(max_size=60))
def test_no_word_breaks_the_reader(word: str) -> None:
    try:
        decode_place(word, sort="-created_at", columns=SORTS)
    except InputError:
        return


@pytest.mark.parametrize(
    ("offered", "columns"),
    [
        (goals.Sort, stored_goals.SORTS),
        (tasks.Sort, stored_tasks.SORTS),
        (courses.Sort, stored_courses.SORTS),
    ],
)
def test_each_column_is_offered_in_both_directions(offered: Any, columns: dict[str, Any]) -> None:
    assert set(get_args(offered)) == {minus + name for name in columns for minus in ("", "-")}
