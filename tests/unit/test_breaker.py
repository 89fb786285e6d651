"""The circuit breaker: a state machine with a clock of the test's."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tools.breaker import Breaker


@dataclass
class Clock:
    """Time that goes when the test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def make_breaker(clock: Clock, *, jitter: float = 1.0) -> Breaker:
    return Breaker(failures=3, shortest=1.0, longest=8.0, clock=clock, jitter=lambda: jitter)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert breaker.admit()
        breaker.failed()


def test_it_opens_after_so_many_failures_in_a_row_and_not_before() -> None:
    breaker = make_breaker(Clock())

    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    before = breaker.state
    fail(breaker, 1)

    assert (before, breaker.state, breaker.admit()) == ("closed", "open", False)
    assert breaker.seconds_left == 1.0


def test_one_may_try_when_its_time_is_over_and_closes_it() -> None:
    clock = Clock()
    breaker = make_breaker(clock)
    fail(breaker, 3)

    clock.now = 1.0
    admitted = [breaker.admit() for _ in range(3)]
    breaker.succeeded()

    assert admitted == [True, False, False]
    assert (breaker.state, breaker.admit()) == ("closed", True)


def test_it_stays_open_twice_as_long_each_time_up_to_a_bound_and_begins_anew() -> None:
    clock = Clock()
    breaker = make_breaker(clock)
    fail(breaker, 3)

    pauses = []
    for _ in range(5):
        pauses.append(breaker.seconds_left)
        clock.now += breaker.seconds_left
        fail(breaker, 1)
    clock.now += breaker.seconds_left
    assert breaker.admit()
    breaker.succeeded()
    fail(breaker, 3)

    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert breaker.seconds_left == 1.0


def test_jitter_shortens_the_pause_by_half_at_most() -> None:
    breaker = make_breaker(Clock(), jitter=0.0)

    fail(breaker, 3)

    assert breaker.seconds_left == 0.5


def test_what_was_begun_before_it_opened_does_not_close_it() -> None:
    breaker = make_breaker(Clock())
    assert breaker.admit()
    fail(breaker, 3)

    breaker.succeeded()

    assert breaker.state == "open"


@given(st.lists(st.sampled_from(["ask", "work", "fail", "wait"]), max_size=60))
def test_whatever_happens_one_at_most_is_admitted_while_it_is_half_open(steps: list[str]) -> None:
    clock = Clock()
    breaker = make_breaker(clock)

    for step in steps:
        was = breaker.state
        if step == "ask":
            admitted = breaker.admit()
            assert not (admitted and was == "half_open")
        elif step == "wait":
            clock.now += 0.7
        else:
            getattr(breaker, "succeeded" if step == "work" else "failed")()
        assert 0.0 <= breaker.seconds_left <= 8.0
