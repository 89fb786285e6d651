"""`/v1/activity`: one's own days and verdicts, out of a lake that holds everybody's."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine

import api.routes.activity
from db.base import utc_now
from db.events import TaskValidated
from db.outbox import record
from events.activity import as_verdict, read_activity
from events.lake import open_lake
from events.lake_folder import FolderLake
from events.sink import flush
from tests.service import Learner, Service

JUDGED: Final = {"title": "Contar pares", "code_snapshot_id": "cs_1", "validation_score": 1.0}


async def carry(service: Service, engine: Engine) -> FolderLake:
    """Carry what was recorded to the service's lake, and return it."""
    lake = open_lake(service.services.settings.lake_location)
    await asyncio.to_thread(flush, engine, lake)
    assert isinstance(lake, FolderLake)
    return lake


async def judge(service: Service, learner: Learner, *, at: datetime, **said: Any) -> None:
    """Record that code of a learner was judged."""
    event = TaskValidated(**{**JUDGED, "task_id": "tsk_1", "passed": True, **said})
    async with service.services.system.begin() as session:
        record(session, event, user_id=learner.id, source="tests", at=at)


async def test_a_learner_sees_their_own_days_and_verdicts(
    service: Service, outbox: Engine, ana: Learner
) -> None:
    today = utc_now()
    await ana.make("goals", title="Probar mi API")
    await judge(service, ana, at=today - timedelta(days=2), passed=False, validation_score=0.25)
    await judge(service, ana, at=today, passed=None, validation_score=None, task_id="tsk_2")
    await carry(service, outbox)

    found = await ana.read("/v1/activity", days=7)

    day = {back: str((today - timedelta(days=back)).date()) for back in (0, 2, 6)}
    assert (found["since"], found["until"]) == (day[6], day[0])
    assert found["days"] == [
        {"day": day[2], "family": "task", "events": 1},
        {"day": day[0], "family": "goal", "events": 1},
        {"day": day[0], "family": "task", "events": 1},
        {"day": day[0], "family": "user", "events": 1},
    ]
    assert [(one["task_id"], one["passed"], one["score"]) for one in found["verdicts"]] == [
        ("tsk_1", False, 0.25),
        ("tsk_2", None, None),
    ]
    assert found["verdicts"][0]["title"] == "Contar pares"


async def test_nobody_sees_anothers_days(
    service: Service, outbox: Engine, ana: Learner, bruno: Learner
) -> None:
    await ana.make("goals", title="Secreta")
    await judge(service, ana, at=utc_now(), validation_score=1.0)
    lake = await carry(service, outbox)
    since = utc_now().date()
    wishes = ["%", "' or '1' = '1", f"{ana.id}' --", "", "null"]

    seen = await bruno.read("/v1/activity")
    tricks = [read_activity(lake, user_id=wish, since=since) for wish in wishes]

    assert [(one["family"], one["events"]) for one in seen["days"]] == [("user", 1)]
    assert seen["verdicts"] == []
    assert [(one.days, one.verdicts) for one in tricks] == [((), ())] * len(wishes)
    assert len(read_activity(lake, user_id=ana.id, since=since).days) == 3


async def test_days_before_the_first_are_left_out_in_whatever_month_they_are(
    service: Service, outbox: Engine, ana: Learner
) -> None:
    now = datetime(2026, 1, 2, 0, 30, tzinfo=UTC)
    for back in (0, 2, 3, 40):
        await judge(service, ana, at=now - timedelta(days=back), task_id=f"tsk_{back}")
    lake = await carry(service, outbox)

    found = read_activity(lake, user_id=ana.id, since=(now - timedelta(days=2)).date())

    assert [one.task_id for one in found.verdicts] == ["tsk_2", "tsk_0"]


async def test_an_empty_lake_is_an_empty_answer(ana: Learner) -> None:
    found = await ana.read("/v1/activity")

    assert (found["days"], found["verdicts"]) == ([], [])


@pytest.mark.parametrize("harm", ["no folder", "no Parquet"])
async def test_a_lake_that_cannot_be_read_is_a_503_and_everything_else_goes_on(
    service: Service, ana: Learner, harm: str
) -> None:
    place = Path(service.services.settings.lake_location)
    if harm == "no Parquet":
        place = place / "events/year=2026/month=11/task_events-bat_1.parquet"
        place.parent.mkdir(parents=True)
    place.write_text("this is no Parquet")

    answer = await ana.client.get("/v1/activity")

    assert (answer.status_code, answer.json()["code"]) == (503, "LAKE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert str(place.parent) not in answer.text
    assert (await ana.client.get("/v1/goals")).status_code == 200


async def test_who_waits_too_long_for_a_place_is_told_to_come_back(
    service: Service, ana: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.routes.activity, "PATIENCE_SECONDS", 0.05)
    readers: api.routes.activity.LakeReaders = service.app.state.lake_readers
    leave = threading.Event()
    busy = [
        asyncio.create_task(readers.read(lambda _lake: leave.wait(20)))
        for _ in range(api.routes.activity.AT_ONCE)
    ]
    await asyncio.sleep(0)

    answer = await ana.client.get("/v1/activity")
    leave.set()
    await asyncio.gather(*busy)

    assert (answer.status_code, answer.json()["code"]) == (503, "OVERLOADED")
    assert (await ana.client.get("/v1/activity")).status_code == 200


@pytest.mark.parametrize("payload", ["{}", "[]", "null", '{"task_id": 1, "title": "t"}'])
def test_an_event_that_is_no_verdict_of_ours_is_left_out(payload: str) -> None:
    assert as_verdict(0, payload) is None


def test_odd_values_of_a_verdict_are_nothing_that_was_judged() -> None:
    odd = '{"task_id": "t", "title": "t", "code_snapshot_id": "c", "passed": "yes"}'

    found = as_verdict(0, odd[:-1] + ', "validation_score": "1"}')

    assert found is not None
    assert (found.passed, found.score) == (None, None)
