"""`goals serve --workers`: several processes on one port, each replaced where it dies."""

import contextlib
import http.client
import json
import os
import signal
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.e2e.conftest import Program
from tests.scrapes import parse

PATIENCE = 120.0
NOBODY = "postgresql://nobody@127.0.0.1:1/x"
pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Asked:
    """What came of requests that were sent one after another, each on a connection of its own."""

    statuses: Counter[int]
    lost: int


def ask_until(url: str, path: str, stop: threading.Event, found: list[Asked]) -> None:
    statuses: Counter[int] = Counter()
    lost = 0
    at = urlsplit(url)
    while not stop.is_set():
        connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            statuses[connection.getresponse().status] += 1
        except (OSError, http.client.HTTPException):
            lost += 1
        finally:
            connection.close()
    found.append(Asked(statuses, lost))


def workers_of(pid: int) -> dict[int, psutil.Process]:
    """Return the serving processes by their number."""
    found = {}
    for child in psutil.Process(pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie, until it is waited for
            command = child.cmdline()
            if "serve-worker" in command:
                found[int(command[command.index("serve-worker") + 1])] = child
    return found


def metrics_ports(log: Path) -> list[int]:
    """Return where processes show their metrics; the log's last line may be half written."""
    return [
        json.loads(line)["port"]
        for line in log.read_text().splitlines(keepends=True)
        if line.endswith("\n") and '"metrics.listening"' in line
    ]


def requests_counted(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        page = parse(answer.read().decode())
    labels = frozenset({("method", "GET"), ("route", "/healthz"), ("status", "2xx")})
    return page.samples.get(("goals_http_requests_total", labels), 0.0)


def test_two_processes_answer_one_is_killed_and_comes_back_and_all_stop(program: Program) -> None:
    with program.serve(workers=2, GOALS_METRICS_PORT="0") as server:
        supervisor = server.process.pid
        before = workers_of(supervisor)
        assert before.keys() == {0, 1}
        stop, found = threading.Event(), list[Asked]()
        askers = [
            threading.Thread(target=ask_until, args=(server.url, "/healthz", stop, found))
            for _ in range(4)
        ]
        for asker in askers:
            asker.start()
        deadline = time.monotonic() + PATIENCE
        while not all(map(requests_counted, metrics_ports(server.log))):
            assert time.monotonic() < deadline, "one of them answers nobody"

        before[1].kill()
        while (now := workers_of(supervisor)).keys() != {0, 1} or now[1].pid == before[1].pid:
            assert time.monotonic() < deadline, "nobody took the place of the one that died"
        while len(ports := metrics_ports(server.log)) < 3 or not requests_counted(ports[2]):
            assert time.monotonic() < deadline, "the new one answers nobody"
        stop.set()
        for asker in askers:
            asker.join()

        assert server.stop() == 0
        assert [each.is_running() for each in (*before.values(), *now.values())].count(True) == 0

    answered = sum((each.statuses for each in found), Counter[int]())
    assert answered.keys() == {200}
    assert answered.total() > 100
    assert sum(each.lost for each in found) <= len(askers)  # those that the killed one had


def test_the_processes_end_with_the_one_that_started_them(program: Program) -> None:
    with program.serve(workers=2) as server:
        workers = list(workers_of(server.process.pid).values())

        os.kill(server.process.pid, signal.SIGKILL)

        gone, alive = psutil.wait_procs(workers, timeout=PATIENCE)
        assert (len(gone), alive) == (2, [])


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"GOALS_CHAT": "local", "GOALS_LOCAL_MODEL": "/nowhere/model.gguf"}, "goals models pull"),
        ({"DATABASE_URL": NOBODY}, "DATABASE_APP_URL"),
        ({"DATABASE_URL": NOBODY, "DATABASE_APP_URL": NOBODY}, "GOALS_JWT_SECRET"),
    ],
)
def test_what_no_process_could_start_with_is_one_line(
    program: Program, environment: dict[str, str], says: str
) -> None:
    done = program.run("serve", "--workers", "2", "--port", "0", **environment)

    assert done.returncode == 1
    assert [says in line for line in done.stderr.strip().splitlines() if "goals:" in line] == [True]
