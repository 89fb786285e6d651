"""People at the page, in headless Chromium; `make test-page` installs what is needed."""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine

from api.auth import make_token
from events.lake import open_lake
from events.sink import flush
from tests.agents import opened
from tests.service import JWT, Learner, Service
from tests.talkers import Turn, listening, played
from tools.schemas import SnapshotIn, Verdict
from tools.snapshots import record_snapshot

FOLDER: Final = Path(__file__).parent
BROWSER: Final = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SECONDS: Final = 400
BYTES_AT_MOST: Final = 150_000
PROPOSE: Final = Turn(calls=[("propose_goals", {"wish": "test my API", "count": 2})])
HELLO: Final = ("One ", "moment, ", "here it is.")
WRONG_CODE: Final = "def even(xs):\n    unused = 1\n    return len(xs)\n"

At = Callable[[], object]


class Line:
    """A TCP proxy before the service, whose connections a test can cut."""

    def __init__(self, url: str) -> None:
        self._port = int(url.rpartition(":")[2])
        self._ends: set[asyncio.StreamWriter] = set()
        self.is_cut = False

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Yield the address that leads through the line."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """Reset all connections, and every new one until `mend`."""
        self.is_cut = True
        for end in list(self._ends):
            end.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self.is_cut = False

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends |= {writer, back}
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        finally:
            self._ends -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        writer.close()


@pytest.fixture(autouse=True)
def browser() -> None:
    """Skip where there is no browser, or no program to lead it."""
    if shutil.which("node") is None or not (FOLDER / "node_modules").exists():
        pytest.skip("node, or what `make test-page` installs for it, is not there")
    if not Path(BROWSER).exists():
        pytest.skip("there is no Chromium: apt install chromium, or name one in CHROMIUM")


async def visit(url: str, scenario: str, *, at: dict[str, At] | None = None, **given: Any) -> Any:
    """Return what a person sees; where they are at a moment of `at`, call what it names."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(FOLDER / "browser.mjs"),
        url,
        scenario,
        json.dumps(given),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    moments = dict(at or {})
    try:
        async with asyncio.timeout(SECONDS):
            async for line in process.stdout:
                said = json.loads(line)
                if "done" in said:
                    assert not moments, f"never came to {list(moments)}"
                    return said["done"]
                act = moments.pop(said["at"])()
                if asyncio.iscoroutine(act):
                    await act
                process.stdin.write(b"\n")
                await process.stdin.drain()
            raise AssertionError((await process.stderr.read()).decode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def held() -> Turn:
    """Return a turn that stops before its last words until it is told to go on."""
    return Turn(text=HELLO, wait=asyncio.Event())


def release(turn: Turn) -> At:
    assert turn.wait is not None
    return turn.wait.set


async def test_a_newcomer_plans_a_goal_and_its_tasks_by_chat_and_sees_them(
    scripted: Service,
) -> None:
    async with listening(scripted.app) as url:
        seen = await visit(url, "plan")

    assert (seen["lang"], seen["tool"], seen["early"]) == ("es", False, True)
    goal = seen["goal"]
    assert goal["title"] == "Mi propio título"
    assert (goal["nodes"], goal["edges"], goal["rows"]) == (3, 2, 3)
    assert goal["path"] == "Ruta crítica: 3 tareas, 6 h. Menos no puede durar."
    assert seen["task"].startswith("Paso 1")
    assert await scripted.rows("select title from goals") == ["Mi propio título"]
    assert await scripted.count("select count(*) from tasks") == 3


async def test_an_answer_goes_on_where_the_connection_was_cut(service: Service) -> None:
    turn = held()
    async with (
        opened(service.services, played(turn)) as complete,
        listening(complete.app) as direct,
    ):
        line = Line(direct)
        ana = await complete.sign_in("ana")

        def mend() -> None:
            release(turn)()
            line.mend()

        async with line.open() as url, ana.client:
            seen = await visit(url, "cut", at={"streaming": line.cut, "cut": mend}, token=ana.token)

        assert seen["during"] == ["One moment,"]
        assert seen["after"] == seen["reloaded"] == ["One moment, here it is."]
        assert seen["asked"] == 1
        assert await complete.count("select count(*) from runs") == 1


async def test_two_tabs_show_one_answer_and_decide_once(service: Service) -> None:
    turn = held()
    async with (
        opened(service.services, played(turn, PROPOSE)) as complete,
        listening(complete.app) as url,
    ):
        ana = await complete.sign_in("ana")
        async with ana.client:
            seen = await visit(url, "tabs", at={"both listen": release(turn)}, token=ana.token)

        assert seen["joined"] == ["One moment,"]
        assert seen["stale"].startswith("This was decided already, perhaps in another tab.")
        assert await complete.count("select count(*) from goals") == 2
        assert await complete.count("select count(*) from runs") == 3


async def test_a_conversation_that_answers_elsewhere_is_not_talked_into(service: Service) -> None:
    turn = held()
    earlier = Turn(text=["Earlier words"])
    async with (
        opened(service.services, played(earlier, turn)) as complete,
        listening(complete.app) as url,
    ):
        ana = await complete.sign_in("ana")
        async with ana.client:
            thread = await talk(ana, "Hi")

            async def talk_elsewhere() -> None:
                body = {"message": "Hi again", "thread_id": thread}
                begun = await ana.client.post("/v1/runs", json=body)
                assert begun.status_code == 202, begun.text
                await turn.begun.wait()

            seen = await visit(
                url,
                "active",
                at={"open": talk_elsewhere, "shown": release(turn)},
                token=ana.token,
                thread=thread,
            )

        assert "still answering in this conversation" in seen["told"]
        assert seen["kept"] == "Me too"


async def talk(learner: Learner, message: str) -> str:
    """Say something in a new thread, wait for the end, and return the thread's id."""
    begun = await learner.client.post("/v1/runs", json={"message": message})
    run: dict[str, Any] = begun.json()
    await learner.client.get(f"/v1/runs/{run['id']}/events")
    return str(run["thread_id"])


async def rich_account(service: Service, learner: Learner) -> dict[str, str]:
    """Give a learner some of everything that the page shows; return the ids that lead there."""
    client = learner.client
    thread = await talk(learner, "I want to learn to test my API")
    suggested = await client.post("/v1/goals/suggest", json={"wish": "test my API", "count": 2})
    [goal, *_] = (one["goal"]["id"] for one in suggested.json()["suggestions"])
    broken = await client.post(f"/v1/goals/{goal}/breakdown", json={})
    first = broken.json()["tasks"][0]["id"]
    done = {"status": "completed", "actual_hours": 3.5}
    assert (await client.patch(f"/v1/tasks/{first}", json=done)).status_code == 200
    asked = "Write `even(xs)`: how many numbers are even. `even([1, 2, 4])` -> `2`"
    task = await learner.make("tasks", title="Count even numbers", description=asked, goal_id=goal)
    submitted = {"file_path": "even.py", "programming_language": "python", "code": WRONG_CODE}
    judged = await client.post(f"/v1/tasks/{task['id']}/validate", json=submitted)
    assert judged.status_code == 201, judged.text
    place = {"start_line": 2, "end_line": 3, "severity": "high", "kind": "essential"}
    finding = {
        **place,
        "problem": "It counts everything",
        "rule": "review",
        "fingerprint": "f" * 16,
    }
    async with service.services.open_tools(learner.id) as tools:
        await record_snapshot(
            tools,
            SnapshotIn(file_path="even.py", language="python", code=WRONG_CODE, task_id=task["id"]),
            verdict=Verdict(passed=False, score=0.0, feedback="No.", issues=[finding]),
        )
    return {"goal": goal, "task": task["id"], "thread": thread}


async def test_axe_finds_nothing_in_any_view_in_both_themes_and_on_a_phone(
    scripted: Service, outbox: Engine, tmp_path: Path
) -> None:
    ana, newcomer = await scripted.sign_in("ana"), await scripted.sign_in("bruno")
    async with ana.client, newcomer.client, listening(scripted.app) as url:
        ids = await rich_account(scripted, ana)
        lake = open_lake(scripted.services.settings.lake_location)
        await asyncio.to_thread(flush, outbox, lake)
        seen = await visit(
            url,
            "accessible",
            token=ana.token,
            newcomer=newcomer.token,
            shots=os.environ.get("GOALS_TEST_SHOTS", ""),
            goal=ids["goal"],
            task=ids["task"],
            thread=ids["thread"],
        )

    assert seen["found"] == []
    assert seen["wide"] == [], "these scroll sideways"
    assert seen["checked"] == 36


async def test_the_page_is_light_and_asks_nobody_else(scripted: Service) -> None:
    async with listening(scripted.app) as url:
        seen = await visit(url, "weight")

    assert seen["elsewhere"] == []
    assert 50_000 < seen["bytes"] < BYTES_AT_MOST


@pytest.fixture
def no_lake(tmp_path: Path) -> None:
    """Put a file where the lake's folder should be."""
    (tmp_path / "lake").write_text("no folder")


@pytest.mark.usefixtures("no_lake")
async def test_who_is_signed_out_is_told_and_comes_back_to_where_they_were(
    scripted: Service,
) -> None:
    ana = await scripted.sign_in("ana")
    expired = make_token(JWT, user_id=ana.id, hours=-1, now=datetime.now(UTC))
    async with ana.client, listening(scripted.app) as url:
        seen = await visit(url, "ended", token=ana.token, expired=expired)

    assert seen["refused"] == "That name and password, or that token, is not right."
    assert seen["away"].startswith("The records cannot be read at the moment")
