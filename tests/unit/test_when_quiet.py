"""What need not be done before an answer: together, when it is quiet, and none is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.bounds import NOT_FOR_EVER
from tools import when_quiet
from tools.when_quiet import WhenQuiet


class Doer:
    def __init__(self) -> None:
        self.done: list[tuple[int, ...]] = []
        self.fails = False
        self.worked = asyncio.Event()

    async def __call__(self, given: Sequence[int]) -> None:
        if self.fails:
            raise ValueError(given)
        self.done.append(tuple(given))
        self.worked.set()


@pytest.fixture
def doer() -> Doer:
    return Doer()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only `finish` end the waiting."""
    monkeypatch.setattr(when_quiet, "QUIET_SECONDS", NOT_FOR_EVER)
    monkeypatch.setattr(when_quiet, "LONGEST_SECONDS", NOT_FOR_EVER)


@pytest.mark.usefixtures("patient")
async def test_what_came_meanwhile_is_done_together_and_in_order(doer: Doer) -> None:
    later = WhenQuiet(doer, "test")
    for one in range(3):
        later.add(one)
        await asyncio.sleep(0)
    before = list(doer.done)

    await later.finish()
    later.add(3)
    await later.finish()

    assert before == []
    assert doer.done == [(0, 1, 2), (3,)]


@pytest.mark.usefixtures("patient")
async def test_who_fails_loses_only_what_was_given_then(doer: Doer) -> None:
    later = WhenQuiet(doer, "test")
    doer.fails = True
    later.add(1)
    await later.finish()

    doer.fails = False
    later.add(2)
    await later.finish()

    assert doer.done == [(2,)]


@pytest.mark.usefixtures("patient")
async def test_no_more_wait_than_may(doer: Doer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(when_quiet, "MOST_WAITING", 2)
    later = WhenQuiet(doer, "test")

    taken = [later.add(one) for one in range(3)]
    await later.finish()

    assert taken == [True, True, False]
    assert doer.done == [(0, 1)]


@pytest.mark.parametrize(("quiet", "longest"), [(0.01, NOT_FOR_EVER), (NOT_FOR_EVER, 0.01)])
async def test_it_is_done_when_it_is_quiet_and_at_the_latest_after_a_while(
    doer: Doer, monkeypatch: pytest.MonkeyPatch, quiet: float, longest: float
) -> None:
    monkeypatch.setattr(when_quiet, "QUIET_SECONDS", quiet)
    monkeypatch.setattr(when_quiet, "LONGEST_SECONDS", longest)
    later = WhenQuiet(doer, "test")
    later.add(1)

    async with asyncio.timeout(NOT_FOR_EVER / 2):
        await doer.worked.wait()

    assert doer.done == [(1,)]
