"""Which task comes next, whatever a goal's tasks depend on."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from db.enums import TaskStatus
from db.tasks import PlanRow
from tools.next_task import DONE, TO_DO, blocked, choose

START = datetime(2026, 1, 1, tzinfo=UTC)
IDS = [f"tsk_{number}" for number in range(6)]
EDGES = st.one_of(
    st.none(),
    st.text(max_size=3),
    st.lists(st.one_of(st.sampled_from([*IDS, "tsk_gone", "tsk_else"]), st.integers()), max_size=4),
)
ELSEWHERE = {"tsk_else": TaskStatus.TODO}


def row(
    number: int, *, status: str = "todo", priority: int = 100, depends_on: Any = None
) -> PlanRow:
    at = START + timedelta(seconds=number)
    return PlanRow(IDS[number], TaskStatus(status), priority, at, depends_on)


@st.composite
def rows(draw: st.DrawFn) -> list[PlanRow]:
    return [
        row(
            number,
            status=draw(st.sampled_from([status.value for status in TaskStatus])),
            priority=draw(st.sampled_from([10, 20])),
            depends_on=draw(EDGES),
        )
        for number in range(draw(st.integers(0, len(IDS))))
    ]


@given(rows())
def test_what_comes_next_can_be_done_and_is_there_whenever_something_can(
    found: list[PlanRow],
) -> None:
    chosen = choose(found, ELSEWHERE)

    unfinished = {one.id for one in found if one.status not in DONE} | ELSEWHERE.keys()
    free = [
        one
        for one in found
        if one.status in TO_DO and not unfinished & set(filter_texts(one.depends_on))
    ]
    assert (chosen is None) == (free == [])
    if chosen is not None:
        mine = next(one for one in free if one.id == chosen)
        assert mine.priority == min(one.priority for one in free)


def filter_texts(stored: Any) -> list[str]:
    return [one for one in stored if isinstance(one, str)] if isinstance(stored, list) else []


@given(rows())
def test_a_finished_task_neither_comes_next_nor_waits(found: list[PlanRow]) -> None:
    finished = {one.id for one in found if one.status in DONE}

    assert choose(found, ELSEWHERE) not in finished
    assert not finished & blocked(found, ELSEWHERE).keys()


def test_a_lower_priority_number_comes_first() -> None:
    assert choose([row(0, priority=20), row(1, priority=10)], {}) == IDS[1]


def test_of_equal_ones_that_which_the_fewest_wait_for_comes_first() -> None:
    tasks = [row(0), row(1), row(2, depends_on=[IDS[0]]), row(3, depends_on=[IDS[0]])]

    assert choose(tasks, {}) == IDS[1]


def test_of_equal_ones_the_oldest_comes_first() -> None:
    assert choose([row(1), row(0)], {}) == IDS[0]


def test_a_task_waits_for_what_is_not_done_and_for_nothing_else() -> None:
    tasks = [
        row(0, status="completed"),
        row(1, status="skipped"),
        row(2, status="in_review"),
        row(3, depends_on=[IDS[0], IDS[1], "tsk_gone"]),
        row(4, depends_on=[IDS[2], IDS[0]]),
    ]

    assert blocked(tasks, {}) == {IDS[4]: (IDS[2],)}


def test_tasks_in_a_circle_have_no_next_one() -> None:
    tasks = [row(0, depends_on=[IDS[1]]), row(1, depends_on=[IDS[0]])]

    assert choose(tasks, {}) is None
