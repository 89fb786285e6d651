"""`goals erase`: what is left of a user, looked for by a canary wherever data goes."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any, Final

import pyarrow.parquet as pq
import pytest
import respx
from psycopg import sql
from sqlalchemy import Engine

from api.erase import run_erase
from api.settings import Settings
from db.base import utc_now
from events.lake import QUARANTINE
from events.lake_folder import FolderLake
from events.relay import run_relay
from events.sink import flush
from events.topology import DEAD_LETTER_EXCHANGE, LAKE_QUEUE
from tests.agents import COMPLETIONS
from tests.conversations import converse
from tests.database import connect
from tests.event_path import all_published, take_all
from tests.integration.test_poison import consume_the_rest
from tests.lake_oracle import assert_lake_holds_every_event_once, read_lake
from tests.service import Service
from tools.errors import InputError, SetupError

CANARY: Final = "canary7f3a"
PATIENCE_SECONDS: Final = 60
CONVERSATIONS: Final = {
    *{"threads", "messages", "runs", "run_events", "interrupts", "usage_records", "usage_days"},
    *{"checkpoints", "checkpoint_blobs", "checkpoint_writes"},
}
TABLES: Final = "select tablename from pg_tables where schemaname = 'public'"


def settings_for(database_url: str, lake: FolderLake, amqp_url: str | None = None) -> Settings:
    """Return the settings of a service with these parts."""
    return Settings(
        _env_file=None, DATABASE_URL=database_url, GOALS_LAKE=str(lake.root), AMQP_URL=amqp_url
    )


def tables_with(database_url: str, *needles: str) -> list[str]:
    """Return the tables that hold one of `needles` in any column, also as bytes."""
    found = []
    patterns = [f"%{form}%" for each in needles for form in (each, each.encode().hex())]
    with connect(database_url) as connection:
        for (table,) in connection.execute(TABLES).fetchall():
            query = sql.SQL("select count(*) from {} as t where t::text like any(%s)")
            row = connection.execute(query.format(sql.Identifier(table)), [patterns]).fetchone()
            if row is not None and row[0]:
                found.append(str(table))
    return sorted(found)


def files_with(lake: FolderLake, *needles: str) -> list[str]:
    """Return the files below the lake, hidden ones too, that hold one of `needles`."""
    found = []
    for path in sorted(each for each in lake.root.glob("**/*") if each.is_file()):
        content = path.read_bytes().decode(errors="replace")
        if path.suffix == ".parquet":
            content += repr(pq.read_table(path, partitioning=None).to_pylist())
        if any(needle in content for needle in needles):
            found.append(path.name)
    return found


def bury(channel: Any, body: bytes, *, message_id: str | None = None) -> None:
    """Publish a dead letter."""
    import pika

    properties = pika.BasicProperties(message_id=message_id, headers={"x-first-death": "rejected"})
    channel.basic_publish(DEAD_LETTER_EXCHANGE, "task.completed", body, properties)


async def test_an_erased_user_is_nowhere_and_another_one_keeps_everything(
    scripted: Service,
    remote: Service,
    respx_mock: respx.MockRouter,
    outbox: Engine,
    database_url: str,
    amqp_url: str,
    channel: Any,
    lake: FolderLake,
) -> None:
    ana, bruno = await scripted.sign_in("ana"), await scripted.sign_in("bruno")
    wish = {"wish": f"Quiero {CANARY}", "count": 2}
    other_wish = {"wish": "Quiero pintar", "count": 2}
    keys = {"Idempotency-Key": "k1"}
    await ana.client.post("/v1/goals/suggest", json=wish, headers=keys)
    await bruno.client.post("/v1/goals/suggest", json=other_wish, headers=keys)
    respx_mock.post(COMPLETIONS).respond(500)
    failing = await remote.sign_in("ana")
    await failing.client.post("/v1/goals/suggest", json=wish)
    await asyncio.to_thread(flush, outbox, lake)
    await ana.make("goals", title=f"Más {CANARY}", criteria=["Se ve"])
    for learner, about in ((ana, CANARY), (bruno, "Pintar")):
        await converse(scripted.services.system, learner.id, about=about, at=utc_now())
    await asyncio.to_thread(run_relay, outbox, amqp_url, stop=all_published(outbox))
    waiting = [json.loads(body) for _, body in take_all(channel, LAKE_QUEUE)]
    for message in waiting:
        channel.basic_publish("goals.events", message["type"], json.dumps(message).encode())
    [of_bruno] = [row for row in read_lake(lake.root) if row["event_type"] == "user.created"][1:]
    kept = json.dumps({"id": of_bruno["id"], "userid": bruno.id, "data": 1}).encode()
    bury(channel, kept, message_id=of_bruno["id"])
    bury(channel, json.dumps(waiting[0] | {"id": "evt_nobody_knows"}).encode())
    bury(channel, json.dumps({"id": waiting[0]["id"], "data": CANARY}).encode())
    bury(channel, f"no JSON, but {CANARY}".encode())
    quarantined = lake.root / QUARANTINE / "x.parquet.1.quarantined"
    quarantined.parent.mkdir(parents=True)
    quarantined.write_text(CANARY)
    traces = [CANARY, ana.id]
    before = tables_with(database_url, *traces)

    settings = settings_for(database_url, lake, amqp_url)
    await asyncio.to_thread(run_erase, settings, user="ana", yes=True)
    dead = await asyncio.to_thread(consume_the_rest, outbox, amqp_url, channel, lake=lake, dead=1)

    assert {"checkpoint_blobs", "embeddings", "events", "operations"} <= set(before)
    assert set(before) >= CONVERSATIONS
    assert tables_with(database_url, *traces) == []
    assert files_with(lake, *traces) == []
    assert dead == [kept]
    assert len(await bruno.event_types()) == 4
    assert set(tables_with(database_url, bruno.id, "Pintar")) >= CONVERSATIONS
    assert_lake_holds_every_event_once(outbox, lake.root)


async def test_checkpoints_of_runs_that_failed_before_they_wrote_are_found(
    remote: Service, respx_mock: respx.MockRouter, database_url: str, lake: FolderLake
) -> None:
    respx_mock.post(COMPLETIONS).respond(500)
    ana, bruno = await remote.sign_in("ana"), await remote.sign_in("bruno")
    for learner in (ana, bruno):
        await learner.client.post("/v1/goals/suggest", json={"wish": f"Quiero {CANARY}"})
    assert remote.services.agent is not None
    saver: Any = remote.services.agent.graph.checkpointer
    await saver.asettle()

    await asyncio.to_thread(run_erase, settings_for(database_url, lake), user="ana", yes=True)

    assert await remote.count("select count(distinct thread_id) from checkpoints") == 1


def add_user(database_url: str, user_id: str, username: str) -> None:
    """Make a user with one event."""
    with connect(database_url) as connection:
        connection.execute(
            "insert into users (id, email, username, hashed_password) values (%s, %s, %s, '')",
            [user_id, user_id, username],
        )
        connection.execute(
            "insert into events (id, event_type, user_id, payload, metadata)"
            " values (%s, 'user.login', %s, '{}', '{}')",
            [user_id.replace("usr", "evt"), user_id],
        )


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_the_command_asks_before_it_erases(
    answer: str, left: int, database_url: str, lake: FolderLake
) -> None:
    add_user(database_url, "usr_a", "ana")
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in {"AMQP_URL"} and not name.startswith("GOALS_")
    }

    ended = subprocess.run(
        [sys.executable, "-m", "api", "erase", "--user", "ana"],
        env=clean | {"DATABASE_URL": database_url, "GOALS_LAKE": str(lake.root)},
        input=answer,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert "ana is usr_a, with 1 events." in ended.stdout
    assert ended.returncode == left, ended.stderr
    with connect(database_url) as connection:
        assert connection.execute("select count(*) from users").fetchone() == (left,)


def test_an_unknown_name_is_refused_and_an_id_of_nobody_is_what_a_cut_erasure_left(
    database_url: str, lake: FolderLake, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_for(database_url, lake)

    with pytest.raises(InputError, match="there is no user ana"):
        run_erase(settings, user="ana", yes=True)
    run_erase(settings, user="usr_gone", yes=True)

    assert "0 events erased, 0 files rewritten, 0 checkpoints removed." in capsys.readouterr().out


def test_without_its_broker_nobody_is_erased(database_url: str, lake: FolderLake) -> None:
    add_user(database_url, "usr_a", "ana")
    settings = settings_for(database_url, lake, "amqp://127.0.0.1:1/")

    with pytest.raises(SetupError, match="run `goals erase --user usr_a` again"):
        run_erase(settings, user="ana", yes=True)

    assert tables_with(database_url, "usr_a") == ["events", "users"]
