"""SIGTERM under load: nothing is lost, runs end or are taken up elsewhere, listeners are told."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx2
import pytest

from tests.event_path import wait_until
from tests.faults.test_run_kills import READY, ROOT, SECRET, query
from tests.talkers import frames

pytestmark = pytest.mark.faults

EXIT_SECONDS: Final = 30.0
PATIENCE: Final = 60.0
KEYED: Final = {"Idempotency-Key": "stopping"}
NOBODY_WAITS: Final = (
    "select 1 from runs having count(*) filter"
    " (where state = 'running' and lease_until < now() at time zone 'utc') = 0"
)


@asynccontextmanager
async def slow_model(*, words: int, pause: float) -> AsyncIterator[str]:
    """Yield the address of a model that says so many words, each after a pause in seconds."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.slow_model", str(words), str(pause)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/v1"
    finally:
        process.kill()
        await process.wait()


@dataclass
class Running:
    """A server and where it listens."""

    process: "subprocess.Popen[bytes]"
    log: Path
    url: str = ""

    async def wait_until_it_listens(self) -> None:
        """Wait until the log says so."""
        async with asyncio.timeout(PATIENCE):
            while READY not in self.log.read_text():
                assert self.process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)
        self.url = self.log.read_text().split(READY, 1)[1].split()[0]

    async def stop(self) -> float:
        """Ask it to end and return how many seconds that takes; it must end with 0."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(self.process.wait, EXIT_SECONDS)
        assert code == 0
        return time.monotonic() - began


@dataclass
class Machine:
    """Servers over one database, asking one model."""

    database_url: str
    app_url: str
    home: Path
    model: str
    servers: list[Running] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **kept,
            "DATABASE_URL": self.database_url,
            "DATABASE_APP_URL": self.app_url,
            "GOALS_HOME": str(self.home),
            "GOALS_CHAT": "openai",
            "OPENAI_BASE_URL": self.model,
            "OPENAI_API_KEY": "none",
            "GOALS_EMBEDDINGS": "scripted",
            "GOALS_JWT_SECRET": SECRET,
        }

    def start(self) -> Running:
        log = self.home / f"server-{len(self.servers)}.log"
        with log.open("wb") as writing:
            process = subprocess.Popen(
                [sys.executable, "-m", "api", "serve", "--port", "0"],
                cwd=ROOT,
                env=self.environment(),
                stderr=writing,
            )
        self.servers.append(Running(process, log))
        return self.servers[-1]

    def token(self) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "api", "token", "--user", "ana"],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()[-1]


@asynccontextmanager
async def machine(
    database_url: str, app_url: str, home: Path, *, words: int, pause: float
) -> AsyncIterator[Machine]:
    async with slow_model(words=words, pause=pause) as model:
        servers = Machine(database_url, app_url, home, model)
        try:
            yield servers
        finally:
            for server in servers.servers:
                server.process.kill()
                server.process.wait()


def client(server: Running, token: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
    )


async def until(database_url: str, statement: str) -> None:
    """Wait until a statement has a row."""
    await asyncio.to_thread(wait_until, lambda: bool(query(database_url, statement)))


async def write_until_refused(server: Running, token: str) -> tuple[list[str], int]:
    """Make goals until the server takes no more; return what was confirmed, and what was cut."""
    made: list[str] = []
    cut = 0
    async with client(server, token) as writer:
        while True:
            title = uuid4().hex
            try:
                answer = await writer.post("/v1/goals", json={"title": title})
            except httpx2.ConnectError:
                return made, cut
            except httpx2.TransportError:
                cut += 1
                continue
            assert answer.status_code == 201, answer.text
            made.append(title)


async def listen(server: Running, token: str, run_id: str, *, after: int = 0) -> list[Any]:
    headers = {"Last-Event-ID": str(after)}
    async with (
        client(server, token) as listener,
        listener.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as response,
    ):
        return [frame async for frame in frames(response)]


async def test_writes_are_answered_or_refused_and_a_short_run_ends_before_the_server(
    database_url: str, app_url: str, tmp_path: Path
) -> None:
    async with machine(database_url, app_url, tmp_path, words=10, pause=0.2) as machines:
        token = machines.token()
        server = machines.start()
        await server.wait_until_it_listens()
        async with client(server, token) as caller:
            run = (await caller.post("/v1/runs", json={"message": "Hola"}, headers=KEYED)).json()
        writers = [asyncio.create_task(write_until_refused(server, token)) for _ in range(8)]
        listening = asyncio.create_task(listen(server, token, run["id"]))
        await until(database_url, "select 1 from goals")

        seconds = await server.stop()
        written = [await writer for writer in writers]
        heard = await listening

    titles = {row[0] for row in query(database_url, "select title from goals")}
    confirmed = {title for made, _ in written for title in made}
    recorded = query(database_url, "select count(*) from events where event_type = 'goal.created'")
    assert seconds <= EXIT_SECONDS
    assert sum(cut for _, cut in written) <= len(writers)
    assert confirmed <= titles
    assert int(recorded[0][0]) == len(titles)
    assert heard[-1].event == "run_finished"
    assert query(database_url, "select state from runs")[0][0] == "finished"


async def test_a_long_run_is_handed_to_another_server_at_once_and_its_listener_told(
    database_url: str, app_url: str, tmp_path: Path
) -> None:
    async with machine(database_url, app_url, tmp_path, words=60, pause=0.25) as machines:
        token = machines.token()
        first, second = machines.start(), machines.start()
        await first.wait_until_it_listens()
        await second.wait_until_it_listens()
        async with client(first, token) as caller:
            run = (await caller.post("/v1/runs", json={"message": "Hola"}, headers=KEYED)).json()
            said = {"model": "goals-planner", "messages": [{"role": "user", "content": "Buenas"}]}
            talking = asyncio.create_task(
                caller.post("/v1/chat/completions", json={**said, "stream": True})
            )
            waiting = asyncio.create_task(
                caller.post("/v1/chat/completions", json={**said, "metadata": {"thread_id": "b"}})
            )
            listening = asyncio.create_task(listen(first, token, run["id"]))
            await until(database_url, "select 1 from runs having count(*) = 3")

            seconds = await first.stop()
            stopped = time.monotonic()
            heard, streamed, refused = await listening, await talking, await waiting
        await until(database_url, NOBODY_WAITS)
        taken_after = time.monotonic() - stopped
        last = int(next(one.id for one in reversed(heard) if one.id))
        rest = await listen(second, token, run["id"], after=last)

    states = query(database_url, "select state from runs order by state")
    numbers = [int(one.id) for one in (*heard, *rest) if one.id]
    assert seconds <= EXIT_SECONDS
    assert heard[-1].event == "stopping"
    assert '"code": "STOPPING"' in streamed.text or '"code":"STOPPING"' in streamed.text
    assert "[DONE]" not in streamed.text.splitlines()[-1]
    assert (refused.status_code, refused.json()["code"]) == (503, "STOPPING")
    assert refused.headers["retry-after"] == "1"
    assert taken_after < 5.0
    assert rest[-1].event == "run_finished"
    assert numbers == list(range(1, len(numbers) + 1))
    assert json.loads(rest[-1].data)["outcome"] == "success"
    assert states[0][0] in {"finished", "running"}
