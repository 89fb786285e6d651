"""Transactions that began early and commit late: their events have smaller ids than others'.

A relay or a sink that remembers how far it came, instead of what it has done, loses these.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from db.base import utc_now
from db.engine import make_engine, make_sessions
from db.enums import EventType
from db.outbox import record
from tests.event_path import count, wait_until
from tests.event_samples import record_events, sample, samples
from tests.faults.carriers import Carrying, Role
from tests.faults.healing import carry_meanwhile
from tests.lake_oracle import assert_lake_holds_every_event_once


@pytest.mark.parametrize("roles", [("worker",), ("relay", "consumer")])
def test_an_event_that_commits_after_later_ones_were_carried_away_is_not_left(
    roles: tuple[Role, ...],
    database_url: str,
    outbox: Engine,
    amqp_url: str,
    channel: Any,
    tmp_path: Path,
) -> None:
    carrying = Carrying(database_url=database_url, amqp_url=amqp_url, lake=tmp_path)

    with carry_meanwhile(outbox, carrying, *roles):
        asyncio.run(commit_late(database_url, outbox))
        wait_until(lambda: count(outbox, "processed_at is null") == 0)

    with outbox.connect() as connection:
        ids = text("select id from events where event_type = 'task.failed'")
        late = connection.execute(ids).scalar_one()
        first = connection.execute(text("select min(id) from events")).scalar_one()
    assert late == first
    assert_lake_holds_every_event_once(outbox, tmp_path)


async def commit_late(database_url: str, outbox: Engine) -> None:
    """Record an event, and commit it when forty that came after it are in the lake."""
    engine = make_engine(database_url)
    async with make_sessions(engine).begin() as session:
        event = sample(EventType.TASK_FAILED)
        async with session.begin_nested():
            record(session, event, user_id=None, source="test", at=utc_now())
        others = [each for each in samples(43) if each.type is not EventType.TASK_FAILED]
        await asyncio.to_thread(record_events, database_url, others)
        await asyncio.to_thread(
            wait_until, lambda: count(outbox, "processed_at is not null") == len(others)
        )
    await engine.dispose()
