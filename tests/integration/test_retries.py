"""A transaction that PostgreSQL gives up is done again by the service, as a whole."""

import asyncio
from typing import Final

import psycopg
import pytest

from db.engine import conninfo
from tests.database import connect
from tests.service import Learner, Service

PATIENT: Final = "set deadlock_timeout = '10s'"
WAITS: Final = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
# A sequence counts on, whatever becomes of the transaction.
CONFLICTS: Final = """
create sequence attempts;
create function conflict() returns trigger language plpgsql security definer as $$
begin
    if nextval('attempts') <= {conflicts} then
        raise exception using errcode = 'serialization_failure';
    end if;
    return new;
end
$$;
create trigger conflict before insert on goals for each row execute function conflict();
"""


async def test_a_request_that_a_deadlock_has_ended_is_done_again(
    ana: Learner, database_url: str
) -> None:
    goal = await ana.make("goals", title="a")
    task = await ana.make("tasks", title="b", goal_id=goal["id"])
    url = conninfo(database_url)
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as watching,
        await psycopg.AsyncConnection.connect(url) as other,
    ):
        await other.execute(PATIENT)
        await other.execute("select from tasks where id = %s for update", [task["id"]])

        asked = asyncio.create_task(
            ana.client.patch(f"/v1/tasks/{task['id']}", json={"status": "in_progress"})
        )
        while (await (await watching.execute(WAITS)).fetchone()) != (1,):
            assert not asked.done()
        # The request holds the goal and waits for the task: only its end can let this one have it.
        await other.execute("select from goals where id = %s for update", [goal["id"]])
        assert not asked.done()
        await other.commit()
        answer = await asked

    assert (answer.status_code, answer.json()["status"]) == (200, "in_progress")
    assert (await ana.event_types()).count("task.started") == 1


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
@pytest.mark.parametrize(
    ("conflicts", "attempts", "status", "rows"), [(3, 4, 201, 1), (99, 4, 409, 0)]
)
async def test_a_conflict_is_met_by_three_more_attempts_of_the_whole_transaction(
    ana: Learner,
    service: Service,
    database_url: str,
    headers: dict[str, str],
    conflicts: int,
    attempts: int,
    status: int,
    rows: int,
) -> None:
    with connect(database_url) as connection:
        connection.execute(CONFLICTS.format(conflicts=conflicts).encode())

    answer = await ana.client.post("/v1/goals", json={"title": "a"}, headers=headers)

    assert answer.status_code == status
    assert status == 201 or answer.json()["code"] == "CONFLICT_VERSION"
    assert await service.count("select last_value from attempts") == attempts
    assert await service.count("select count(*) from goals") == rows
    assert await service.count("select count(*) from operations") == rows * len(headers)
    assert (await ana.event_types()).count("goal.created") == rows
