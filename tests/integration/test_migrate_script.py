"""`migrate.sh`, as a person or a machine runs it."""

import os
import pty
import subprocess
from pathlib import Path

import psycopg
import pytest

from api.migrations import ROOT, current_revision, head_revision
from tests.database import connect

SCRIPT = ROOT / "migrate.sh"
PATIENCE = 60


def _run(*arguments: str, url: str, stdin: int = subprocess.DEVNULL) -> tuple[int, str, str]:
    finished = subprocess.run(
        [SCRIPT, *arguments],
        cwd="/",
        env=os.environ | {"DATABASE_URL": url},
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return finished.returncode, finished.stdout, finished.stderr


def _count_users(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("select count(*) from users").fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def url(database_url: str) -> str:
    """Return the URL of a migrated database with one user in it."""
    with connect(database_url) as connection:
        connection.execute(
            "insert into users (id, email, username, hashed_password)"
            " values ('usr_1', 'ana@example.org', 'ana', '')"
        )
    return database_url


@pytest.mark.parametrize("word", [["help"], ["--help"], []])
def test_help_names_every_command(word: list[str]) -> None:
    code, shown, _ = _run(*word, url="")

    assert code == 0
    commands = ("upgrade", "downgrade", "current", "history", "create", "reset", "help")
    for command in (*commands, "externalize", "internalize"):
        assert f"\n  {command} " in shown


def test_an_unknown_command_fails_and_shows_the_help() -> None:
    code, shown, error = _run("upgarde", url="")

    assert (code, shown) == (2, "")
    assert "Usage: ./migrate.sh COMMAND" in error


def test_create_without_a_message_fails() -> None:
    before = sorted(Path(ROOT / "alembic" / "versions").glob("*.py"))

    code, _, error = _run("create", url="")

    assert code == 2
    assert "say what changes" in error
    assert sorted(Path(ROOT / "alembic" / "versions").glob("*.py")) == before


def test_upgrade_current_history_and_downgrade_do_as_they_say(empty_database_url: str) -> None:
    upgraded, _, log = _run("upgrade", url=empty_database_url)
    _, shown, _ = _run("current", url=empty_database_url)
    _, history, _ = _run("history", url=empty_database_url)
    downgraded, _, _ = _run("downgrade", url=empty_database_url)

    assert (upgraded, downgraded) == (0, 0), log
    assert shown == f"{head_revision()} (head)\n"
    assert history.count("Rev: ") == int(head_revision())
    assert current_revision(empty_database_url) == f"{int(head_revision()) - 1:03d}"


def test_reset_without_a_terminal_refuses_and_keeps_the_data(url: str) -> None:
    code, _, error = _run("reset", url=url)

    assert code == 1
    assert "pass --yes" in error
    assert _count_users(url) == 1


@pytest.mark.parametrize(("answer", "code", "users"), [("no", 1, 1), ("", 1, 1), ("yes", 0, 0)])
def test_reset_at_a_terminal_asks_first(url: str, answer: str, code: int, users: int) -> None:
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())

    try:
        finished, _, log = _run("reset", url=url, stdin=terminal)
    finally:
        os.close(keyboard)
        os.close(terminal)

    assert finished == code, log
    assert _count_users(url) == users
    assert current_revision(url) == head_revision()


def test_reset_with_yes_asks_nobody(url: str) -> None:
    code, _, log = _run("reset", "--yes", url=url)

    assert code == 0, log
    assert _count_users(url) == 0


def test_a_database_that_is_not_there_is_an_exit_code(url: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        connect(f"{url}&port=1")

    code, _, error = _run("current", url=f"{url}&port=1")

    assert code == 1
    assert "connection" in error
