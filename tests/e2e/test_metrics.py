"""The metrics of a worker as Prometheus finds them."""

import json
import signal
import socket
import subprocess
import urllib.request

from tests.e2e.conftest import GOALS, ROOT, STOP_SECONDS, Program
from tests.scrapes import Scrape, parse


def read_metrics(port: int) -> Scrape:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as response:
        return parse(response.read().decode())


def test_a_worker_answers_prometheus_and_stops_as_ever(program: Program) -> None:
    program.run("token", "--user", "ana")
    process = subprocess.Popen(
        [*GOALS, "worker"],
        cwd=ROOT,
        env=program.environment | {"GOALS_METRICS_PORT": "0", "GOALS_FLUSH_SECONDS": "0.01"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = (json.loads(line) for line in process.stderr if line.startswith("{"))

    port = next(entry["port"] for entry in said if entry["event"] == "metrics.listening")
    next(entry for entry in said if entry["event"] == "sink.batch_done")
    found = read_metrics(port)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=STOP_SECONDS)

    assert process.returncode == 0
    assert found.value("goals_database_up") == 1
    assert found.value("goals_sink_written_events_total", family="user") == 1
    assert found.value("goals_lake_events", family="user") == 1
    assert found.value("goals_outbox_events_waiting", waiting_for="sink") == 0


def test_a_metrics_port_that_is_taken_is_one_line(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        done = program.run("worker", GOALS_METRICS_PORT=str(port))

    assert done.returncode == 1
    said = done.stderr.strip().splitlines()
    assert [line for line in said if line.startswith("goals: ")] == said[-1:]
    assert "GOALS_METRICS_PORT" in said[-1]
    assert str(port) in said[-1]
    assert "Traceback" not in done.stderr
