"""The program as its users start it."""

import signal
from pathlib import Path

import duckdb
import pytest

from tests.e2e.conftest import Program

CODE = {"file_path": "doble.py", "programming_language": "python"}
TASK = {"title": "Doblar", "description": "doble(n): el doble. Ejemplo: doble(4) == 8"}


def events_in_parquet(home: Path) -> dict[str, int]:
    files = home / "lake" / "events" / "**" / "*.parquet"
    rows = duckdb.execute(
        f"select event_type, count(*) from read_parquet('{files}', union_by_name = true, "
        "hive_partitioning = true) group by 1"
    ).fetchall()
    return {str(kind): int(count) for kind, count in rows}


def test_the_whole_job_over_http_ends_in_parquet_when_the_server_stops(program: Program) -> None:
    token = program.run("token", "--user", "ana").stdout.strip()
    with program.serve() as server:
        assert server.call("GET", "/readyz") == (200, {"status": "ok"})
        _, suggested = server.call(
            "POST", "/v1/goals/suggest", {"wish": "Quiero probar mi API", "count": 1}, token=token
        )
        goal = suggested["suggestions"][0]["goal"]
        status, plan = server.call("POST", f"/v1/goals/{goal['id']}/breakdown", {}, token=token)
        assert (status, len(plan["tasks"])) == (201, 3)
        _, task = server.call("POST", "/v1/tasks", TASK, token=token)
        judged = [
            server.call(
                "POST", f"/v1/tasks/{task['id']}/validate", {**CODE, "code": code}, token=token
            )[1]["passed"]
            for code in ("def doble(n):\n    return n + 1\n", "def doble(n):\n    return n * 2\n")
        ]
        assert judged == [False, True]
        _, found = server.call("GET", "/v1/search?q=doble", token=token)
        assert found["hits"]

        assert server.stop() == 0

    counts = events_in_parquet(program.home)
    assert counts["ai.goal_suggested"] == 1
    assert counts["ai.validation_completed"] == 2
    assert counts["ai.feedback_generated"] == 3
    assert (counts["task.failed"], counts["task.completed"]) == (1, 1)
    left = program.run("psql", "-Atc", "select count(*) from events where parquet_path is null")
    assert left.stdout.strip() == "0"


@pytest.mark.faults
def test_rows_survive_a_killed_server_and_the_next_one_goes_on(program: Program) -> None:
    token = program.run("token", "--user", "ana").stdout.strip()
    with program.serve() as server:
        server.call("POST", "/v1/goals", {"title": "Sobrevivir"}, token=token)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()

    with program.serve() as server:
        _, goals = server.call("GET", "/v1/goals", token=token)

    assert [goal["title"] for goal in goals["items"]] == ["Sobrevivir"]


def test_the_worker_carries_what_another_process_wrote(program: Program) -> None:
    program.run("token", "--user", "ana")

    code = program.run_worker_until("worker.started")

    assert code == 0
    assert events_in_parquet(program.home) == {"user.created": 1}


def test_without_a_model_and_a_key_one_line_names_the_two_ways_out(program: Program) -> None:
    done = program.run("serve", GOALS_CHAT="local", GOALS_LOCAL_MODEL="/nowhere/model.gguf")

    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert "goals models pull" in done.stderr
    assert "OPENAI_API_KEY" in done.stderr


def test_a_database_that_does_not_answer_is_one_line(program: Program) -> None:
    done = program.run(
        "migrate", DATABASE_URL="postgresql://nobody@127.0.0.1:1/x", GOALS_JWT_SECRET="x" * 32
    )

    assert done.returncode != 0
    assert done.stderr.startswith("goals: the database does not answer")
    assert "Traceback" not in done.stderr


def test_a_database_of_ones_own_needs_a_secret(program: Program) -> None:
    done = program.run("token", "--user", "ana", DATABASE_URL="postgresql://nobody@127.0.0.1:1/x")

    assert done.returncode != 0
    assert "GOALS_JWT_SECRET is not set" in done.stderr


def test_wrong_settings_are_named_and_not_echoed(program: Program) -> None:
    done = program.run("doctor", GOALS_PORT="canary")

    assert done.returncode != 0
    assert "GOALS_PORT" in done.stderr
    assert "canary" not in done.stderr


def test_the_doctor_finds_a_sound_installation_sound(program: Program) -> None:
    done = program.run("doctor")

    assert done.returncode == 0, done.stdout
    assert "PostgreSQL 18" in done.stdout
    assert "at head" in done.stdout


def test_the_doctor_names_what_is_wrong_and_its_fix(program: Program) -> None:
    done = program.run(
        "doctor",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/x",
        AMQP_URL="amqp://guest:guest@127.0.0.1:1/",
        GOALS_CHAT="local",
        GOALS_LOCAL_MODEL="/nowhere/model.gguf",
        LANGGRAPH_STRICT_MSGPACK="false",
    )

    assert done.returncode == 1
    for part in ("database", "broker", "model", "tokens", "strict msgpack"):
        assert f"✗ {part}" in done.stdout or f"! {part}" in done.stdout
    assert "goals models pull" in done.stdout
    assert "correct AMQP_URL" in done.stdout


def test_the_doctor_sees_a_broker_that_answers(program: Program, amqp_url: str) -> None:
    done = program.run("doctor", AMQP_URL=amqp_url)

    assert done.returncode == 0, done.stdout
    assert "RabbitMQ answers" in done.stdout


@pytest.mark.faults
def test_the_lake_answers_sql_and_scrub_finds_it_whole(program: Program) -> None:
    program.run("token", "--user", "ana")
    program.run_worker_until("worker.started")

    asked = program.run("lake", "query", "select event_type, count(*) as n from events group by 1")
    scrubbed = program.run("lake", "scrub")
    refused = program.run("lake", "query", "drop table events")

    assert asked.returncode == 0
    assert "user.created" in asked.stdout
    assert (scrubbed.returncode, scrubbed.stdout) == (0, "1 files read, 0 findings\n")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


def test_an_address_that_is_none_is_one_line_and_nothing_starts(program: Program) -> None:
    done = program.run("worker", AMQP_URL="not an address")

    assert done.returncode == 1
    assert done.stderr.startswith("goals: AMQP_URL is no address of a broker")


def test_a_relay_without_a_broker_is_one_line(program: Program) -> None:
    done = program.run("relay")

    assert done.returncode == 1
    assert "AMQP_URL is not set" in done.stderr.strip().splitlines()[-1]


@pytest.mark.faults
def test_the_worker_carries_events_through_the_broker(program: Program, amqp_url: str) -> None:
    program.run("token", "--user", "ana")

    code = program.run_worker_until("sink.batch_done", AMQP_URL=amqp_url, GOALS_FLUSH_SECONDS="0.2")

    assert code == 0
    assert events_in_parquet(program.home) == {"user.created": 1}
