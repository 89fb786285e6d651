"""A database that ends its connections, or takes no writes after a failover."""

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from tests.database import connect
from tests.service import Learner

OTHERS = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


def end_connections(connection: psycopg.Connection) -> None:
    connection.execute(f"select pg_terminate_backend(pid, 5000) {OTHERS}")


async def test_a_request_after_all_connections_have_died_is_answered(
    ana: Learner, database_url: str
) -> None:
    await ana.make("goals", title="antes")
    with connect(database_url) as connection:
        end_connections(connection)

    written = await ana.client.post("/v1/goals", json={"title": "después"})

    assert written.status_code == 201
    assert len((await ana.read("/v1/goals"))["items"]) == 2


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_a_database_that_takes_no_writes_is_503_and_heals_by_itself(
    ana: Learner, database_url: str, method: str
) -> None:
    goal = await ana.make("goals", title="antes")
    path = "/v1/goals" if method == "POST" else f"/v1/goals/{goal['id']}"
    body = None if method == "DELETE" else {"title": "después"}
    name = sql.Identifier(str(make_url(database_url).database))
    with connect(database_url) as connection:
        read_only = "alter database {} set default_transaction_read_only = on"
        connection.execute(sql.SQL(read_only).format(name))
        end_connections(connection)

        refused = await ana.client.request(method, path, json=body)
        read = await ana.client.get("/v1/goals")
        connection.execute("set default_transaction_read_only = off")
        reset = "alter database {} reset default_transaction_read_only"
        connection.execute(sql.SQL(reset).format(name))
        end_connections(connection)
        healed = await ana.client.request(method, path, json=body)

    assert (refused.status_code, refused.json()["code"]) == (503, "DB_UNAVAILABLE")
    assert int(refused.headers["retry-after"]) > 0
    assert [one["title"] for one in read.json()["items"]] == ["antes"]
    assert healed.status_code in {200, 201, 204}
