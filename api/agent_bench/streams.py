"""Many readers at once: the stub sends chunk by chunk as it is told, and every reader must get all.

A step is one chunk in each stream. The next is sent when all readers have the one before, or have
been waited for long enough: what is lost is counted, and never holds the bench up.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from api.agent_bench.client import Client
from api.agent_bench.learners import Learner
from api.agent_bench.rounds import COMPLETIONS, Addresses, Figures, chat_request, content_of
from events.bench.figures import BenchFailed, percentile

OPEN_SECONDS: Final = 60.0
STEP_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.05


@dataclass
class Reader:
    """What one stream has brought: the whole text, and when each chunk was there."""

    text: str = ""
    at: list[float] = field(default_factory=list)
    failed: str | None = None


async def measure_streams(
    addresses: Addresses, learners: list[Learner], *, streams: int, steps: int, model: str
) -> Figures:
    """Return how many streams were open at once, what they lost, and how late chunks came."""
    readers = [Reader() for _ in range(streams)]
    arrived = asyncio.Condition()
    control = Client(addresses.stub)
    await control.post("/hold", {"steps": steps})
    tasks = [
        asyncio.create_task(
            _read(addresses, reader, arrived, token=learners[n % len(learners)].token, model=model)
        )
        for n, reader in enumerate(readers)
    ]
    try:
        opened = await _wait_until_held(control, streams)
        gaps: list[float] = []
        for step in range(1, steps + 1):
            sent = time.perf_counter()
            await control.post("/step", {})
            await _wait_for_step(arrived, readers, step)
            gaps += [reader.at[step - 1] - sent for reader in readers if len(reader.at) >= step]
        await control.post("/free", {})
        await asyncio.wait(tasks, timeout=STEP_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await control.close()
    if not gaps:
        failures = {reader.failed for reader in readers} - {None}
        raise BenchFailed(f"no stream has brought a chunk: {'; '.join(map(str, failures))}")
    return {
        "streams.open": opened,
        "streams.lost": sum(count_lost(reader.text, steps) for reader in readers),
        "streams.gap.p95": percentile(gaps, 0.95) * 1e3,
    }


def count_lost(text: str, steps: int) -> int:
    """Return how many of the chunks "1 ", "2 " … are missing, doubled or out of order in `text`."""
    expected = [str(step) for step in range(1, steps + 1)]
    got = text.split()
    if got == expected:
        return 0
    in_place = sum(one == other for one, other in zip(got, expected, strict=False))
    return max(len(got), steps) - in_place


async def _read(
    addresses: Addresses, reader: Reader, arrived: asyncio.Condition, *, token: str, model: str
) -> None:
    client = Client(addresses.service)
    try:
        async for chunk in client.stream(COMPLETIONS, chat_request(model), token=token):
            text = content_of(chunk)
            if not text:
                continue
            reader.text += text
            reader.at += [time.perf_counter()] * len(text.split())
            async with arrived:
                arrived.notify_all()
    except (BenchFailed, OSError, EOFError, TimeoutError) as error:
        reader.failed = str(error) or type(error).__name__
    finally:
        await client.close()


async def _wait_until_held(control: Client, streams: int) -> int:
    """Return how many streams the stub holds once it has all, or no more come in time."""
    deadline = time.perf_counter() + OPEN_SECONDS
    while True:
        held = int((await control.get("/held")).json()["held"])
        if held >= streams or time.perf_counter() > deadline:
            return held
        await asyncio.sleep(POLL_SECONDS)


async def _wait_for_step(arrived: asyncio.Condition, readers: list[Reader], step: int) -> None:
    try:
        async with asyncio.timeout(STEP_SECONDS), arrived:
            await arrived.wait_for(
                lambda: all(reader.failed or len(reader.at) >= step for reader in readers)
            )
    except TimeoutError:
        return
