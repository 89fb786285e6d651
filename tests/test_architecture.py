"""The rules of the house that a program can check."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["importlinter"]["root_packages"]
INNER_PACKAGES = [name for name in PACKAGES if name != "api"]
LINES_AT_MOST = 400
READERS_OF_THE_ENVIRONMENT = {
    "agent/run.py",  # refuses to run unless LangGraph's strict mode, a variable, is on
    "db/failpoints.py",  # off unless the environment of the process names one
}
PARTS_OF_A_REQUIREMENT = {
    "psycopg_pool",  # psycopg[pool]
    "pydantic_monty",  # pydantic-monty, by its client
    "opentelemetry",  # fastapi has its API; the SDK is the extra `otel`, imported where it is on
    "pydantic_core",  # pydantic
    "starlette",  # fastapi
}
HEAVY = {
    "botocore",
    "duckdb",
    "fastapi",
    "langchain_core",
    "langchain_openai",
    "langchain_postgres",
    "langgraph",
    "matplotlib",
    "openai",
    "opentelemetry",
    "prometheus_client",
    "pyarrow",
}
NEEDED_LATER = {
    "ag_ui",
    "agent.graph",
    "agent.run",
    "alembic",
    "api.settings",
    "db.embedded",
    "httpx2",
    "jwt",
    "limits",
    "numpy",
    "psutil",
    "psycopg_pool",
    "pydantic_settings",
    "rich",
    "structlog",
    "tools.users_service",
}
EMPTY_NAMES = {"utils", "util", "helpers", "common", "core", "manager", "base_service"}
AN_IGNORE = re.compile(r"#\s*(?:type:\s*ignore|noqa)(?P<rest>.*)")
AN_IGNORE_WITH_REASON = re.compile(r"(\[[\w, -]+\]|:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)\W*\w\S* \S")


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module


def reads_environment(path: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
        for node in ast.walk(ast.parse(path.read_text()))
    )


def heavy_modules_after(statement: str, heavy: set[str] = HEAVY) -> set[str]:
    """Return which of the `heavy` modules a fresh process has loaded after `statement`."""
    report = "; import json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", statement + report],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    return {name for name in heavy if name in loaded}


def test_imports_follow_the_layers() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([lint_imports], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_with_a_common_name_is_the_one_of_this_repository(package: str) -> None:
    found = importlib.util.find_spec(package)

    assert found is not None
    assert found.origin == str(ROOT / package / "__init__.py")


def test_the_migrations_do_not_hide_the_library_of_their_name() -> None:
    library = importlib.util.find_spec("alembic.command")

    assert not (ROOT / "alembic" / "__init__.py").exists()
    assert library is not None
    assert not Path(str(library.origin)).is_relative_to(ROOT / "alembic")


def test_only_the_edges_commit() -> None:
    inner = modules("agent", "tools", "db", "evals")

    assert names([path for path in inner if ".commit(" in path.read_text()]) == []


def test_only_the_api_reads_settings_and_the_environment() -> None:
    settings = {"api.settings", "pydantic_settings", "dotenv"}

    readers = [
        path
        for path in modules(*INNER_PACKAGES)
        if reads_environment(path) or settings & set(imported(path))
    ]

    assert set(names(readers)) - READERS_OF_THE_ENVIRONMENT == set()


def test_the_command_line_starts_without_heavy_libraries() -> None:
    show_help = "from typer.testing import CliRunner; from api.cli import app"
    show_help += "; assert CliRunner().invoke(app, ['--help']).exit_code == 0"

    assert heavy_modules_after(show_help) == set()


def test_the_application_is_imported_without_what_is_only_needed_later() -> None:
    # FastAPI brings OpenTelemetry's interfaces along wherever they are installed.
    later = (HEAVY - {"fastapi", "opentelemetry"}) | NEEDED_LATER

    assert heavy_modules_after("import api.app", later) == set()


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    too_long = [
        path for path in modules(*PACKAGES) if len(path.read_text().split("\n")) > LINES_AT_MOST
    ]

    assert names(too_long) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert names([path for path in modules(*PACKAGES) if path.stem in EMPTY_NAMES]) == []


def test_python_is_parsed_by_one_thread_at_a_time() -> None:
    unguarded = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in modules(*PACKAGES)
        for before, (number, line) in pairwise(
            [(0, ""), *enumerate(path.read_text().splitlines(), start=1)]
        )
        if re.search(r"ast\.parse\(|literal_eval\([\"']", line)
        and "silent_warnings()" not in before[1]
    ]

    assert unguarded == []


def test_every_ignore_says_why() -> None:
    ignores = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in modules(*PACKAGES, "alembic", "tests")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (found := AN_IGNORE.search(line))
        and AN_IGNORE_WITH_REASON.match(found["rest"].strip()) is None
    ]

    assert ignores == []


def test_every_library_that_is_imported_is_a_requirement() -> None:
    providers = metadata.packages_distributions()
    required = {
        canonicalize_name(Requirement(text).name) for text in PROJECT["project"]["dependencies"]
    }

    imports = {
        name.split(".")[0] for path in modules(*PACKAGES, "alembic") for name in imported(path)
    }
    foreign = imports - set(PACKAGES) - sys.stdlib_module_names
    unasked = {
        name
        for name in foreign - PARTS_OF_A_REQUIREMENT
        if not required & {canonicalize_name(each) for each in providers.get(name, [])}
    }

    assert unasked == set()
