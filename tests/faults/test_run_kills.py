"""The server is killed with SIGKILL in each node of a conversation: nothing is doubled or left.

A learner wishes for goals, a plan is proposed, they accept it, and at one point of that way the
process dies. The next server takes the run up; the rows and events are those of one run.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from db.failpoints import FAILPOINTS, Failpoint
from tests.event_path import wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
READY: Final = "Uvicorn running on "
LEASE_SECONDS: Final = "1"
SECRET: Final = "a secret of fault tests, at least 32 bytes"
MESSAGE: Final = {"message": "Quiero aprender a probar mi API"}
OTHER_WAYS: Final = ("agent.break_down_goal", "agent.change_status", "agent.validate_code")
DAILY: Final = frozenset({"agent.persist.done"})
READ_AGAIN: Final = "agent.talk_begun"
"""A talk is read with its message: who takes one up reads it again, and is killed there too."""


def cases() -> Iterator[Any]:
    """Yield every point of a run; one is in the daily tests."""
    for failpoint in FAILPOINTS:
        if failpoint.startswith(("agent.", "run.")) and not failpoint.startswith(OTHER_WAYS):
            marks = [] if failpoint in DAILY else [pytest.mark.faults]
            times = 2 if failpoint == READ_AGAIN else 1
            yield pytest.param([failpoint] * times, id=failpoint, marks=marks)


@dataclass
class Killable:
    """A server that may die under a request, and is then started again with the next failpoint."""

    database_url: str
    app_url: str
    home: Path
    failpoints: Sequence[str]
    token: str = ""
    deaths: int = 0
    _process: "subprocess.Popen[str] | None" = None
    _url: str = ""
    _read: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Return what the server is started with."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **kept,
            "DATABASE_URL": self.database_url,
            "DATABASE_APP_URL": self.app_url,
            "GOALS_HOME": str(self.home),
            "GOALS_CHAT": "scripted",
            "GOALS_EMBEDDINGS": "scripted",
            "GOALS_JWT_SECRET": SECRET,
            "GOALS_RUN_LEASE": LEASE_SECONDS,
            "GOALS_FAILPOINTS": "".join(self.failpoints[self.deaths :][:1]),
        }

    def goals(self, *arguments: str) -> str:
        """Run the program to its end and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "api", *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip()

    def start(self) -> None:
        """Start the server and wait until it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "api", "serve", "--port", "0"],
            cwd=ROOT,
            env=self.environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if READY in line:
                self._url = line.split(READY, 1)[1].split()[0]
                return
        raise AssertionError("the server ended before it listened")

    def stop(self) -> None:
        """End the server in order, if it lives."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
            self._process.communicate(timeout=30)

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Return the status and JSON of an answer; where the server dies, of its successor."""
        while True:
            try:
                return self._send(method, path, body, key)
            except (OSError, http_gone()) as error:
                assert self._process is not None
                died = self._process.wait(timeout=10)
                assert died == -signal.SIGKILL, error
                self.deaths += 1
                self._process.communicate(timeout=10)
                self.start()

    def _send(self, method: str, path: str, body: Any, key: str | None) -> tuple[int, Any]:
        request = urllib.request.Request(  # noqa: S310 - our own server
            self._url + path,
            None if body is None else json.dumps(body).encode(),
            {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self.token}",
                "Idempotency-Key": key or uuid.uuid4().hex,
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def http_gone() -> type[Exception]:
    """Return the error of a connection that ends in the middle of an answer."""
    import http.client

    return http.client.HTTPException


@contextmanager
def serving(database_url: str, app_url: str, home: Path, *failpoints: str) -> Iterator[Killable]:
    """Yield a server that dies at the first point, its successor at the next; Ana is signed in."""
    server = Killable(database_url, app_url, home, failpoints)
    server.token = server.goals("token", "--user", "ana").splitlines()[-1]
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("failpoints", list(cases()))
def test_a_server_killed_there_leaves_one_run_and_doubles_nothing(
    failpoints: list[Failpoint], database_url: str, app_url: str, tmp_path: Path
) -> None:
    key = str(uuid4())
    with serving(database_url, app_url, tmp_path, *failpoints) as server:
        status, run = server.call("POST", "/v1/runs", MESSAGE, key=key)
        assert status == 202, run
        proposed = ended(server, run["id"])
        question = f"/v1/interrupts/{question_of(database_url)}"
        status, decided = server.call("POST", question, {"rest": "accept"}, key=f"{key}-decide")
        assert status == 200, decided

        assert server.deaths == len(failpoints), f"nobody came past {failpoints[server.deaths]}"

    assert proposed["state"] in {"waiting", "finished"}
    counted = counts(database_url)
    assert counted == {
        "goals": 2,
        "goal.created": 2,
        "ai.goal_suggested": 2,
        "messages": 3,
        "running": 0,
        "open": 0,
        "reserved": 0,
    }
    assert_numbered_without_a_gap(database_url)


@pytest.mark.faults
@pytest.mark.parametrize("failpoint", ["request.before_commit", "request.committed"])
def test_a_write_whose_server_is_killed_is_done_once_and_answered(
    failpoint: Failpoint, database_url: str, app_url: str, tmp_path: Path
) -> None:
    with serving(database_url, app_url, tmp_path, failpoint) as server:
        status, goal = server.call("POST", "/v1/goals", {"title": "Probar"}, key="k1")
        again = server.call("POST", "/v1/goals", {"title": "Probar"}, key="k1")

        assert (server.deaths, status, again) == (1, 201, (201, goal))

    counted = counts(database_url)
    assert (counted["goals"], counted["goal.created"]) == (1, 1)


@pytest.mark.faults
@pytest.mark.parametrize(
    "failpoint", ["agent.break_down_goal", "agent.break_down_goal.done", "agent.change_status"]
)
def test_a_plan_or_status_whose_server_is_killed_is_written_once(
    failpoint: Failpoint, database_url: str, app_url: str, tmp_path: Path
) -> None:
    key = str(uuid4())
    with serving(database_url, app_url, tmp_path, failpoint) as server:
        goal = server.call("POST", "/v1/goals", {"title": "Probar", "criteria": ["a", "b"]})[1]
        wish = "está terminada" if failpoint == "agent.change_status" else "divídela en tareas"
        message = {"message": f"La meta {goal['id']} {wish}"}
        run = server.call("POST", "/v1/runs", message, key=key)[1]
        ended(server, run["id"])
        question = f"/v1/interrupts/{question_of(database_url)}"
        status, decided = server.call("POST", question, {"rest": "accept"}, key=f"{key}-decide")
        assert status == 200, decided

        assert server.deaths == 1, f"nobody came past {failpoint}"

    changed = "select count(*) from events where event_type in ('task.created', 'goal.completed')"
    made = len(decided["result"].get("tasks", "1"))
    assert int(query(database_url, changed)[0][0]) == made
    assert counts(database_url)["running"] == 0


@pytest.mark.faults
@pytest.mark.parametrize(
    "failpoint", ["agent.validate_code", "agent.validate_code.done", "agent.persist.done"]
)
def test_a_verdict_whose_server_is_killed_is_given_once(
    failpoint: Failpoint, database_url: str, app_url: str, tmp_path: Path
) -> None:
    code = {"file_path": "f.py", "programming_language": "python", "code": "def f(n): return n\n"}
    with serving(database_url, app_url, tmp_path, failpoint) as server:
        task = server.call("POST", "/v1/tasks", {"title": "f", "description": "f(1) == 1"})[1]
        path = f"/v1/tasks/{task['id']}/validate"
        status, verdict = server.call("POST", path, code, key=str(uuid4()))
        assert (status, verdict["passed"]) == (201, True)

        assert server.deaths == 1, f"nobody came past {failpoint}"

    snapshots = query(database_url, "select count(*) from code_snapshots")
    validated = query(
        database_url, "select count(*) from events where event_type = 'task.validated'"
    )
    assert (int(snapshots[0][0]), int(validated[0][0])) == (1, 1)


def ended(server: Killable, run_id: str) -> Any:
    """Return the run when it is not running any more, whoever brought it there."""
    found: list[Any] = []

    def over() -> bool:
        found[:] = [server.call("GET", f"/v1/runs/{run_id}")[1]]
        return bool(found[0]["state"] != "running")

    wait_until(over)
    return found[0]


def question_of(database_url: str) -> str:
    """Return the id of the one question that there is."""
    return str(query(database_url, "select id from interrupts")[0][0])


def counts(database_url: str) -> dict[str, int]:
    """Return how many rows and events there are."""
    statements = {
        "goals": "select count(*) from goals",
        "goal.created": "select count(*) from events where event_type = 'goal.created'",
        "ai.goal_suggested": "select count(*) from events where event_type = 'ai.goal_suggested'",
        "messages": "select count(*) from messages",
        "running": "select count(*) from runs where state = 'running'",
        "open": "select count(*) from interrupts where state = 'open'",
        "reserved": "select coalesce(sum(reserved_tokens), 0) from usage_days",
    }
    return {name: int(query(database_url, one)[0][0]) for name, one in statements.items()}


def assert_numbered_without_a_gap(database_url: str) -> None:
    """Require that each run's events are numbered from 1, once each."""
    uneven = query(
        database_url,
        "select run_id from run_events group by run_id"
        " having max(seq) <> count(*) or min(seq) <> 1",
    )
    assert uneven == []


def query(database_url: str, statement: str) -> list[Any]:
    """Return the rows of a statement."""
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(statement)))
    finally:
        engine.dispose()
