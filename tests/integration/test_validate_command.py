"""`goals validate` as a person and an editor run it, and commands that packages add to `goals`."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import respx
from jsonschema import Draft4Validator
from typer.testing import CliRunner, Result

from api import plugins
from api.cli import app
from tests.database import connect

SCHEMA: Final = Path(__file__).parents[1] / "schemas" / "sarif-2.1.0-rtm.5.json"
WRONG: Final = "def doble(n):\n    unused = 1\n    return n + 1\n"
RIGHT: Final = "def doble(n):\n    return n * 2\n"
FEEDBACK: Final = "http://goals.test/v1/feedback"

Goals = Callable[..., Result]


@pytest.fixture
def goals(
    database_url: str, app_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Goals:
    """Return the program in an empty folder, with scripted models, and ana's task `tsk_1`."""
    for name in os.environ:
        if name.startswith(("GOALS_", "OPENAI_", "DATABASE_", "AMQP_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DATABASE_APP_URL", app_url)
    monkeypatch.setenv("GOALS_JWT_SECRET", "a secret of tests, 32 bytes long")
    monkeypatch.setenv("GOALS_CHAT", "scripted")
    monkeypatch.setenv("GOALS_EMBEDDINGS", "scripted")
    monkeypatch.setenv("GOALS_HOME", str(tmp_path / "home"))
    with connect(database_url) as connection:
        connection.execute(
            "insert into users (id, email, username, hashed_password)"
            " values ('usr_a', 'ana@example.org', 'ana', '')"
        )
        for task, description in (("tsk_1", "doble(4) == 8"), ("tsk_2", "dobla un número")):
            connection.execute(
                "insert into tasks (id, user_id, title, description) values (%s, 'usr_a', %s, %s)",
                [task, "Doblar", description],
            )

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["validate", *arguments])

    return run


def write(code: str | bytes, name: str = "doble.py") -> str:
    Path(name).write_bytes(code if isinstance(code, bytes) else code.encode())
    return name


def count(database_url: str, table: str) -> int:
    with connect(database_url) as connection:
        row = connection.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_a_wrong_file_fails_and_says_where(goals: Goals, database_url: str) -> None:
    file = write(WRONG)

    ended = goals(file, "--task", "tsk_1", "--user", "ana", "--facts")

    assert (ended.exit_code, ended.stderr) == (1, "")
    assert ended.stdout.splitlines() == [
        "doble.py: failed (score 0)",
        "  fail doble(4): expected 8, got 5",
        "doble.py:2: low Local variable `unused` is assigned to but never used [ruff/F841]",
    ]
    assert count(database_url, "code_snapshots") == 0


def test_a_right_file_passes_in_full_and_is_stored(goals: Goals, database_url: str) -> None:
    file = write(RIGHT)

    ended = goals(file, "--task", "tsk_1", "--user", "ana", "--hint", "nudge")

    assert ended.exit_code == 0, ended.output
    verdict, run, *words = ended.stdout.splitlines()
    assert (verdict, run) == ("doble.py: passed (score 1)", "  pass doble(4)")
    assert words
    assert count(database_url, "code_snapshots") == 1


def test_without_evidence_there_is_no_verdict_and_the_exit_code_says_so(goals: Goals) -> None:
    file = write(RIGHT)

    ended = goals(file, "--task", "tsk_2", "--user", "ana", "--facts")

    assert ended.exit_code == 1
    assert ended.stdout.splitlines()[0] == "doble.py: no verdict: too little could be checked"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [(RIGHT, 0), (WRONG, 0), ("def doble(n:\n", 1), (f'key = "AKIA{"Z7Q2M4X9T1B6W3K8"}"\n', 1)],
    ids=["right", "wrong", "syntax", "secret"],
)
def test_without_a_task_only_what_is_grave_fails(goals: Goals, code: str, exit_code: int) -> None:
    file = write(code)

    shown = goals(file, "--facts")
    sarif = goals(file, "--facts", "--sarif")

    assert (shown.exit_code, sarif.exit_code) == (exit_code, exit_code), shown.output
    assert shown.stdout.splitlines()[0] == "doble.py: no task, no verdict"


@pytest.mark.parametrize("depth", [["--facts"], []])
def test_sarif_is_valid_and_alone_on_the_output(goals: Goals, depth: list[str]) -> None:
    file = write(WRONG)

    ended = goals(file, "--task", "tsk_1", "--user", "ana", "--sarif", *depth)

    assert ended.exit_code == 1
    log = json.loads(ended.stdout)
    Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(log)
    results = log["runs"][0]["results"]
    assert [result["ruleId"] for result in results] == ["ruff/F841", "run/fail"]


def test_json_is_the_whole_answer(goals: Goals) -> None:
    file = write("const f = (n) => n;\n", "f.mjs")

    ended = goals(file, "--json", "--facts")

    answer = json.loads(ended.stdout)
    assert (ended.exit_code, answer["mode"], answer["passed"]) == (0, "facts", None)


def test_the_language_is_as_it_is_said_where_it_is_said(goals: Goals) -> None:
    file = write(RIGHT, "doble.txt")

    ended = goals(file, "--task", "tsk_1", "--user", "ana", "--facts", "--language", "Python")

    assert ended.exit_code == 0, ended.output


@pytest.mark.parametrize(
    ("code", "name", "sentence"),
    [
        (None, "gone.py", "gone.py cannot be read: No such file or directory"),
        ("", "empty.py", "empty.py is empty"),
        ("x" * 2_097_152, "a.py", "a.py is too large: at most 1,000,000 characters are taken"),
        ("x" * 4_000_001, "a.py", "a.py is too large: at most 1,000,000 characters are taken"),
        ("all:\n", "Makefile", "the language of Makefile is not known by its name: say --language"),
    ],
)
def test_a_file_that_cannot_be_judged_is_one_clear_line(
    goals: Goals, code: str | bytes | None, name: str, sentence: str
) -> None:
    if code is not None:
        write(code, name)

    ended = goals(name, "--facts")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == f"goals: {sentence}\n"


def test_a_file_that_is_no_utf_8_is_judged_as_it_can_be_read(goals: Goals) -> None:
    content = b"x = '\xff'\n"
    file = write(content, "a.py")

    ended = goals(file, "--facts", "--json")

    answer = json.loads(ended.stdout)
    assert ended.exit_code == 0
    assert answer["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("depth", [["--facts"], []])
def test_a_task_of_somebody_else_is_an_error(goals: Goals, depth: list[str]) -> None:
    file = write(RIGHT)

    ended = goals(file, "--task", "tsk_1", *depth)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == "goals: there is no such task (NOT_FOUND)\n"


@pytest.mark.parametrize("task", ["tsk_9", "../feedback", "..", "a b", "x" * 50])
def test_what_is_no_task_is_an_error(goals: Goals, task: str) -> None:
    file = write(RIGHT)

    ended = goals(file, "--task", task, "--facts")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "(NOT_FOUND)" in ended.stderr


@pytest.mark.parametrize(
    "wrong",
    [["--sarif", "--json"], ["--hint", "solution"], ["--url", "http://goals.test"]],
)
def test_what_cannot_be_asked_is_an_error(goals: Goals, wrong: list[str]) -> None:
    file = write(RIGHT)

    ended = goals(file, *wrong)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr


def test_what_the_installation_lacks_is_an_error_and_no_verdict(
    goals: Goals, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(RIGHT)
    monkeypatch.setenv("GOALS_CHAT", "local")
    monkeypatch.setenv("GOALS_LOCAL_MODEL", "/nowhere/model.gguf")

    whole = goals(file, "--task", "tsk_1", "--user", "ana")
    facts = goals(file, "--task", "tsk_1", "--user", "ana", "--facts")
    monkeypatch.setenv("GOALS_PORT", "many")
    settings = goals(file, "--facts")

    assert (whole.exit_code, facts.exit_code, settings.exit_code) == (2, 0, 2)
    assert "goals models pull" in whole.stderr
    assert settings.stderr.startswith("goals: the settings are wrong: GOALS_PORT")


ANSWER: Final[dict[str, Any]] = {
    "mode": "full",
    "passed": None,
    "score": None,
    "runs": [],
    "issues": [
        {
            "start_line": 1,
            "severity": "high",
            "problem": "no\x1b[2J\u202e",
            "rule": "review/essential",
            "source": "model",
        }
    ],
    "unavailable": [{"analyzer": "ruff", "reason": "took longer than 1 s"}],
    "evidence": "Syntax: sound.",
    "feedback": "Syntax: sound.\n\nLook at the sum.",
    "next_step": "Try 4",
}


def test_a_running_service_is_asked_where_it_is_named(
    goals: Goals, httpx2_mock: respx.Router
) -> None:
    file = write(RIGHT)
    route = httpx2_mock.post(FEEDBACK).respond(201, json=ANSWER)

    ended = goals(file, "--url", "http://goals.test", "--token", "t0k")

    sent = route.calls.last.request
    assert sent.headers["authorization"] == "Bearer t0k"
    assert json.loads(sent.content)["code"] == RIGHT
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.splitlines() == [
        "doble.py: no task, no verdict",
        "doble.py:1: high no\ufffd[2J\ufffd [review/essential]",
        "  no answer from ruff: took longer than 1 s",
        "",
        "Look at the sum.",
        "",
        "Try 4",
    ]


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, {"detail": "the token has expired", "code": "AUTH_EXPIRED"}, "the token has expired"),
        (502, "<html>", "the service answered 502"),
        (200, "<html>", "the service answered 200"),
    ],
)
def test_what_a_service_refuses_is_one_line(
    goals: Goals, httpx2_mock: respx.Router, status: int, body: Any, sentence: str
) -> None:
    file = write(RIGHT)
    content = body if isinstance(body, str) else json.dumps(body)
    httpx2_mock.post(FEEDBACK).respond(status, text=content)

    ended = goals(file, "--url", "http://goals.test", "--token", "t0k")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"goals: {sentence}")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://goals.test", "not a url"])
def test_a_service_that_does_not_answer_is_one_line(goals: Goals, url: str) -> None:
    file = write(RIGHT)

    ended = goals(file, "--url", url, "--token", "t0k")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"goals: {url} does not answer: ")
    assert ended.stderr.count("\n") == 1


@pytest.fixture
def added_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package that adds `goals measure`, and a `validate` that must not count."""
    module = tmp_path / "measuring_things.py"
    module.write_text(
        "import typer\n"
        "app = typer.Typer(help='Measure things.')\n"
        "@app.command()\n"
        "def run(suite: str = 'all') -> None:\n"
        "    typer.echo(f'measured {suite}')\n"
    )
    installed = tmp_path / "measuring_things-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: measuring-things\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(
        "[goals.commands]\nmeasure = measuring_things:app\nvalidate = measuring_things:app\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._added.cache_clear()
    yield
    plugins._added.cache_clear()


def test_a_package_adds_its_command_and_replaces_none(added_command: None) -> None:
    run = CliRunner().invoke

    shown = run(app, ["--help"])
    measured = run(app, ["measure", "run", "--suite", "validation"])
    own = run(app, ["validate", "--help"])

    assert "measure" in shown.stdout
    assert "Measure things." in shown.stdout
    assert (measured.exit_code, measured.stdout) == (0, "measured validation\n")
    assert "--sarif" in own.stdout
