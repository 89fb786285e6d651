"""A copy of all that is stored about a user, and an account that is closed and forgotten."""

import asyncio
import io
import json
import threading
import zipfile
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Engine

from api import erasures
from api.erasures import forget_waiting
from api.settings import Settings
from api.workers import carried
from db.base import Base, utc_now
from db.exports import LEFT_OUT, TABLES, WITHOUT
from events.lake_folder import FolderLake
from events.sink import flush
from events.topology import BrokerUnavailable
from tests.conversations import converse
from tests.database import connect
from tests.integration.test_erase_command import (
    PATIENCE_SECONDS,
    files_with,
    settings_for,
    tables_with,
)
from tests.service import Learner, Service
from tools.privacy import write_export

CANARY: Final = "canary5d1c"
WITH_CANARY: Final = {"goals", "tasks", "courses", "code_snapshots", "embeddings", "events"}


async def fill_account(service: Service, learner: Learner, about: str) -> None:
    """Give the learner a row of most kinds, each with `about` in it."""
    course = await learner.make("courses", title=f"Curso de {about}")
    goal = await learner.make("goals", title=f"Aprender {about}", course_id=course["id"])
    task = await learner.make("tasks", title=f"Leer de {about}", goal_id=goal["id"])
    await learner.make(
        "snapshots",
        task_id=task["id"],
        file_path=f"{about}.py",
        language="python",
        code=f"x = '{about}'",
    )
    await converse(service.services.system, learner.id, about=about, at=utc_now())


async def download(learner: Learner) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of an export by table; `manifest` is its one object."""
    response = await learner.client.get("/v1/users/me/export")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/zip"
    assert int(response.headers["content-length"]) == len(response.content)
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        return {
            name.partition(".")[0]: [json.loads(line) for line in archive.read(name).splitlines()]
            if name.endswith(".jsonl")
            else [json.loads(archive.read(name))]
            for name in archive.namelist()
        }


async def test_an_export_has_every_row_of_its_user_and_none_of_another(
    service: Service, ana: Learner, bruno: Learner
) -> None:
    await fill_account(service, ana, CANARY)
    await fill_account(service, bruno, "otherone")

    rows = await download(ana)

    assert {name for name, each in rows.items() if CANARY in json.dumps(each)} >= WITH_CANARY
    assert all(rows[name] for name in ("threads", "messages", "runs", "run_events", "usage_days"))
    assert "otherone" not in json.dumps(rows)
    assert bruno.id not in json.dumps(rows)
    [manifest] = rows.pop("manifest")
    assert manifest["rows"] == {name: len(each) for name, each in rows.items()}
    assert manifest["user_id"] == ana.id


async def test_an_export_has_moments_in_utc_and_no_secret(service: Service, ana: Learner) -> None:
    rows = await download(ana)

    [account] = rows["users"]
    assert account["created_at"].endswith("Z")
    assert "hashed_password" not in account


async def test_an_export_is_of_one_moment(
    service: Service, ana: Learner, database_url: str
) -> None:
    class Meddler(io.BytesIO):
        """Has a goal stored between the reading of two tables."""

        done = False

        def write(self, data: Any) -> int:
            if not self.done and b"courses.jsonl" in bytes(data):
                self.done = True
                with connect(database_url) as connection:
                    connection.execute(
                        "insert into goals (id, user_id, title) values ('gol_late', %s, 'late')",
                        [ana.id],
                    )
            return super().write(data)

    target = Meddler()
    async with service.services.open_tools(ana.id) as tools:
        counts = await write_export(tools, target)

    assert target.done
    assert counts["goals"] == 0


def test_every_table_with_a_users_rows_is_exported_or_says_why_not() -> None:
    owned = {
        name
        for name, table in Base.metadata.tables.items()
        if name == "users" or "user_id" in table.columns
    }

    assert owned == set(TABLES) | set(LEFT_OUT)
    assert all(
        columns <= set(Base.metadata.tables[name].c.keys()) for name, columns in WITHOUT.items()
    )


async def test_a_user_who_asks_is_out_at_once_and_forgotten_by_a_worker(
    service: Service, ana: Learner, bruno: Learner, outbox: Engine, lake: FolderLake
) -> None:
    await fill_account(service, ana, CANARY)
    await fill_account(service, bruno, "otherone")
    await asyncio.to_thread(flush, outbox, lake)
    settings = settings_for(service.services.database_url, lake)
    assert files_with(lake, CANARY)

    asked = await ana.client.delete("/v1/users/me")
    after = await ana.client.get("/v1/goals")
    forgotten = await asyncio.to_thread(forget_waiting, outbox, settings)

    assert asked.status_code == 202
    assert asked.json()["state"] == "accepted"
    assert after.status_code == 401
    assert forgotten == 1
    assert tables_with(service.services.database_url, CANARY, ana.id) == []
    assert files_with(lake, CANARY, ana.id) == []
    assert (await bruno.read("/v1/goals"))["items"][0]["title"] == "Aprender otherone"
    assert await asyncio.to_thread(forget_waiting, outbox, settings) == 0


async def test_a_worker_forgets_without_being_told(
    service: Service, ana: Learner, lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, forgotten, stop = service.services.database_url, threading.Event(), threading.Event()

    def forget(engine: Engine, settings: Settings) -> int:
        users = forget_waiting(engine, settings)
        if users:
            forgotten.set()
        return users

    monkeypatch.setattr(erasures, "EVERY", timedelta(milliseconds=10))
    monkeypatch.setattr(erasures, "forget_waiting", forget)
    await ana.client.delete("/v1/users/me")

    with carried(erasures.erase_waiting, url, settings_for(url, lake), stop=stop):
        done = await asyncio.to_thread(forgotten.wait, PATIENCE_SECONDS)

    assert done
    assert tables_with(url, ana.id) == []


async def test_who_cannot_be_forgotten_now_waits_and_loses_nothing_by_halves(
    service: Service, ana: Learner, outbox: Engine, lake: FolderLake
) -> None:
    await ana.client.delete("/v1/users/me")
    url = service.services.database_url
    away = settings_for(url, lake, "amqp://127.0.0.1:1/")

    with pytest.raises(BrokerUnavailable):
        await asyncio.to_thread(forget_waiting, outbox, away)

    assert {"erasures", "users"} <= set(tables_with(url, ana.id))
    assert await asyncio.to_thread(forget_waiting, outbox, settings_for(url, lake)) == 1
    assert tables_with(url, ana.id) == []
