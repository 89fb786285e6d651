"""`/v1/activity`: what you did, by day, out of the lake."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict

from api.deps import CurrentUser, find_services, make_router
from api.problems import problems
from tools.errors import LakeAway, Overloaded

if TYPE_CHECKING:
    from events.lake import Lake

AT_ONCE: Final = 2
PATIENCE_SECONDS: Final = 5.0
CODES: Final = {503: "LAKE_UNAVAILABLE: everything but this goes on; or as everywhere"}
Days = Annotated[int, Query(ge=1, le=366, description="UTC days, today among them")]
T = TypeVar("T")

router = make_router("/v1/activity", tag="activity")


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class FamilyDayOut(_Out):
    """How many events of a family there were on a UTC day."""

    day: date
    family: str
    events: int


class JudgedTaskOut(_Out):
    """A verdict on code for a task; the score is 0 to 1, `passed` null where nobody could tell."""

    at: datetime
    task_id: str
    title: str
    snapshot_id: str
    passed: bool | None
    score: float | None


class ActivityOut(_Out):
    """Days with events in their order; the newest 500 verdicts, oldest first."""

    since: date
    until: date
    days: list[FamilyDayOut]
    verdicts: list[JudgedTaskOut]


class LakeReaders:
    """Reads the lake in threads, two at a time: it is a scan, and this process has other work."""

    def __init__(self, location: str) -> None:
        """Keep where the lake is; nothing is opened."""
        self._location = location
        self._places = asyncio.Semaphore(AT_ONCE)

    async def read(self, question: "Callable[[Lake], T]") -> T:
        """Return what `question` finds. Raises LakeAway, and Overloaded after five seconds."""
        from events.lake import LakeUnavailable, open_lake

        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise Overloaded("others ask the lake at this moment") from error
        try:
            return await asyncio.to_thread(lambda: question(open_lake(self._location)))
        except LakeUnavailable as error:
            raise LakeAway("the lake cannot be read at the moment") from error
        finally:
            self._places.release()


def find_readers(request: Request) -> LakeReaders:
    """Return what reads the lake in this process."""
    readers: LakeReaders = request.app.state.lake_readers
    return readers


@router.get("", responses=problems(503, codes=CODES))
async def read_activity(
    user_id: CurrentUser,
    request: Request,
    readers: Annotated[LakeReaders, Depends(find_readers)],
    days: Days = 90,
) -> ActivityOut:
    """Read what you did, by day and family of events, and how your code was judged.

    It comes from the lake, which an event reaches about a minute after it was recorded.
    """
    from events import activity

    until = find_services(request).now().date()
    since = until - timedelta(days=days - 1)
    found = await readers.read(
        lambda lake: activity.read_activity(lake, user_id=user_id, since=since)
    )
    return ActivityOut.model_validate(
        {"since": since, "until": until, "days": found.days, "verdicts": found.verdicts}
    )
