"""What README and docs tell people to type is typed, in order, as they would."""

import sys
from pathlib import Path
from typing import Final

import pytest

from tests.documents import ROOT, Shell, blocks, documents
from tests.e2e.conftest import Program

TYPED: Final = {"console"}
NOT_TYPED: Final = {"", "mermaid", "text", "json", "sql", "python", "toml", "ini"}
ELSEWHERE: Final = {
    "make ": "what this is a part of",
    "docker ": "containers are not everywhere",
    "cd clients/vscode": "make test-vscode",
    "code --install-extension": "make test-vscode",
    "./migrate.sh externalize": "tests/integration/test_external_users.py",
    "./migrate.sh internalize": "tests/integration/test_external_users.py",
    "./migrate.sh upgrade --external-users": "tests/integration/test_migrate_script.py",
    "GOALS_USERS=service": "tests/integration/test_users_elsewhere.py",
    ".venv/bin/goals bench": "tests/e2e/test_bench.py and its neighbours: minutes",
    ".venv/bin/goals eval": "a suite takes a minute; .ci/run has all of them",
    ".venv/bin/pytest": "these are the tests",
    ".venv/bin/goals serve": "it is started before the first command",
}
"""Commands that are not typed here, by how they begin, and what runs them instead."""
PASSES_OR_NOT: Final = ".venv/bin/goals validate"
CODE: Final = "def suma_pares(numeros):\n    return sum(n for n in numeros if n % 2 == 0)\n"


def reason(command: str) -> str | None:
    return next((why for begin, why in ELSEWHERE.items() if command.startswith(begin)), None)


def typed_on(page: Path) -> list[str]:
    """Return the commands of a page that are typed here."""
    return [
        command
        for block in blocks(page)
        if block.language in TYPED
        for command in block.commands()
        if reason(command) is None
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that looks like a clone in which everything is installed."""
    place = tmp_path / "clone"
    (place / ".venv/bin").mkdir(parents=True)
    goals = place / ".venv/bin/goals"
    goals.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m api "$@"\n')
    goals.chmod(0o755)
    (place / ".venv/bin/python").symlink_to(sys.executable)
    (place / "migrate.sh").symlink_to(ROOT / "migrate.sh")
    (place / "pares.py").write_text(CODE)
    return place


def test_every_block_is_of_a_kind_that_is_looked_at() -> None:
    kinds = {block.language for page in documents() for block in blocks(page)}

    assert kinds <= TYPED | NOT_TYPED


def test_no_reason_is_left_of_a_command_that_is_gone() -> None:
    commands = [
        command
        for page in documents()
        for block in blocks(page)
        if block.language in TYPED
        for command in block.commands()
    ]

    unused = {begin for begin in ELSEWHERE if not any(one.startswith(begin) for one in commands)}

    assert unused <= {"docker ", ".venv/bin/pytest", ".venv/bin/goals eval"}


@pytest.mark.documents
@pytest.mark.parametrize(
    "page",
    [one for one in documents() if any(block.language in TYPED for block in blocks(one))],
    ids=lambda one: str(one.relative_to(ROOT)),
)
def test_every_command_of_the_page_works(page: Path, folder: Path, program: Program) -> None:
    failed = {}
    with program.serve() as server:
        address = server.url.removeprefix("http://")
        environment = program.environment | {
            "GOALS_PORT": address.rsplit(":", 1)[1],
            "PYTHONPATH": str(ROOT),
        }
        token = program.run("token", "--user", "ana").stdout.strip()
        _, task = server.call("POST", "/v1/tasks", {"title": "Suma de pares"}, token=token)
        _, goal = server.call("POST", "/v1/goals", {"title": "Sumar"}, token=token)
        with Shell(folder, environment) as shell:
            for command in typed_on(page):
                typed = (
                    command.replace("127.0.0.1:8000", address)
                    .replace("tsk_…", task["id"])
                    .replace("gol_…", goal["id"])
                )
                code, said = shell.run(typed, answer="y" if "erase" in typed else "")
                if code and not (code == 1 and command.startswith(PASSES_OR_NOT)):
                    failed[command] = said

    assert failed == {}
