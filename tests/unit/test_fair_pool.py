"""The pool's queue: nobody who waits is passed, and nothing that was handed over is lost."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.util.concurrency import greenlet_spawn
from sqlalchemy.util.queue import Empty

from db.fair_pool import FairQueue


async def get(queue: FairQueue, *, seconds: float | None = None) -> Any:
    return await greenlet_spawn(queue.get, True, seconds)


async def waiting(queue: FairQueue, *, seconds: float | None = None) -> "asyncio.Task[Any]":
    """Return a task that waits for what comes."""
    task = asyncio.create_task(get(queue, seconds=seconds))
    await asyncio.sleep(0)
    assert queue.waiting
    return task


async def test_who_puts_and_asks_again_comes_after_those_who_wait() -> None:
    queue = FairQueue(maxsize=1)
    first = await waiting(queue)

    queue.put("connection", block=False)

    with pytest.raises(Empty):
        queue.get(block=False)
    assert await first == "connection"
    assert queue.qsize() == 0


async def test_nothing_is_lost_with_one_who_goes_at_the_moment_it_comes() -> None:
    queue = FairQueue(maxsize=1)
    first = await waiting(queue)

    queue.put("connection", block=False)
    first.cancel()
    await asyncio.wait([first])

    assert first.cancelled()
    assert queue.get(block=False) == "connection"


async def test_who_has_gone_is_passed_over() -> None:
    queue = FairQueue(maxsize=1)
    first = await waiting(queue)
    first.cancel()
    await asyncio.wait([first])

    queue.put("connection", block=False)

    assert await get(queue) == "connection"


async def test_waiting_ends() -> None:
    queue = FairQueue(maxsize=1)

    with pytest.raises(Empty):
        await get(queue, seconds=0.001)

    assert queue.waiting == 0
