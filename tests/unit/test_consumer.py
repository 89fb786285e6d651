"""How long a delivery may wait for its neighbours."""

from datetime import timedelta

import pytest

from events.consumer import head_start
from tests.event_samples import NOON


@pytest.mark.parametrize(
    ("age", "seconds"),
    [
        pytest.param(timedelta(milliseconds=40), 0.04, id="the usual way is counted"),
        pytest.param(timedelta(hours=1), 0.25, id="a backlog is not: its files would be tiny"),
        pytest.param(timedelta(seconds=-5), 0.0, id="a clock that is ahead delays nothing"),
    ],
)
def test_a_delivery_is_due_by_its_age_as_far_as_it_counts(age: timedelta, seconds: float) -> None:
    assert head_start(NOON - age, now=NOON) == seconds
