"""Counting a request at the edge: who waits for whom."""

import asyncio
from typing import Any

from fastapi import Request

from api.rate_headers import count_request


class MeetingRates:
    """Limits of which each is answered when two have been asked."""

    def __init__(self) -> None:
        self.both = asyncio.Barrier(2)

    def must_ask(self, _name: str, _who: str) -> bool:
        return True

    async def take(self, _name: str, _who: str) -> None:
        await self.both.wait()


async def test_two_limits_are_asked_for_at_the_same_time() -> None:
    rates: Any = MeetingRates()

    async with asyncio.timeout(5):
        await count_request(Request({"type": "http"}), rates, "requests", "models", who="ana")

    assert not rates.both.broken
