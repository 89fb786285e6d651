"""The statuses' tables: whole, without a dead end, and what the agent does is in them."""

import itertools
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.enums import CourseStatus, GoalStatus, TaskStatus
from tools.errors import StateConflict
from tools.transitions import (
    BY_VERDICT,
    COURSES,
    GOALS,
    TASKS,
    allowed_after,
    require_transition,
)
from tools.verdicts import VERDICT_STATUS

Table = Mapping[Any, frozenset[Any]]
TABLES: list[tuple[type[StrEnum], Table]] = [
    (CourseStatus, COURSES),
    (GoalStatus, GOALS),
    (TaskStatus, TASKS),
]


@pytest.mark.parametrize(("statuses", "table"), TABLES)
def test_each_status_has_its_line_and_none_follows_itself(
    statuses: type[StrEnum], table: Table
) -> None:
    assert set(table) == set(statuses)
    assert all(status not in following for status, following in table.items())


@pytest.mark.parametrize(("statuses", "table"), TABLES)
def test_every_status_can_be_reached_from_every_other(
    statuses: type[StrEnum], table: Table
) -> None:
    for start in statuses:
        reached = {start}
        while more := {after for before in reached for after in table[before]} - reached:
            reached |= more
        assert reached == set(statuses)


@given(
    st.sampled_from(
        [pair for statuses, _ in TABLES for pair in itertools.product(statuses, repeat=2)]
    )
)
def test_what_is_not_in_the_table_is_refused_and_says_what_is_allowed(pair: Any) -> None:
    before, after = pair
    table = dict(TABLES)[type(before)]

    if before is after or after in table[before]:
        require_transition(before, after)
        return

    with pytest.raises(StateConflict) as refused:
        require_transition(before, after)
    assert (refused.value.code, refused.value.status) == ("CONFLICT_STATE", 409)
    said = refused.value.detail
    assert f"that is {before} cannot become {after}" in said
    assert said.endswith(", ".join(allowed_after(before)))


def test_a_verdict_makes_of_a_task_what_its_table_says() -> None:
    assert set(VERDICT_STATUS.values()) == BY_VERDICT
    open_tasks = (TaskStatus.TODO, TaskStatus.IN_PROGRESS, TaskStatus.FAILED)
    assert all(BY_VERDICT - {before} <= TASKS[before] for before in open_tasks)
