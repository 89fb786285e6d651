"""The files for Docker, read as data: whether an engine accepts them is not asked here."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
SECRETS = ["GOALS_JWT_SECRET", "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"]


def conditions(service: str) -> dict[str, str]:
    return {name: each["condition"] for name, each in SERVICES[service]["depends_on"].items()}


def test_the_stack_is_the_service_with_its_database_and_broker() -> None:
    assert set(SERVICES) == {"postgres", "rabbitmq", "migrate", "api", "worker"}


@pytest.mark.parametrize("service", ["postgres", "rabbitmq"])
def test_a_service_that_others_wait_for_has_a_health_check(service: str) -> None:
    check = SERVICES[service]["healthcheck"]

    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= set(check)


def test_migrations_wait_for_a_healthy_database() -> None:
    assert conditions("migrate") == {"postgres": "service_healthy"}
    assert SERVICES["migrate"]["restart"] == "no"


def test_the_api_starts_on_a_migrated_database_and_without_the_broker() -> None:
    assert conditions("api") == {
        "postgres": "service_healthy",
        "migrate": "service_completed_successfully",
    }


def test_the_worker_waits_for_the_broker_too() -> None:
    assert conditions("worker") == {
        "postgres": "service_healthy",
        "rabbitmq": "service_healthy",
        "migrate": "service_completed_successfully",
    }


def test_every_named_volume_is_declared() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]

    assert {mount.split(":")[0] for mount in mounts} == set(COMPOSE["volumes"])


def test_ports_are_published_on_the_loopback_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_without_a_value_stops_the_stack(secret: str) -> None:
    uses = re.findall(rf"\${{{secret}(:?[?-]?)", (ROOT / "compose.yaml").read_text())

    assert uses != []
    assert set(uses) == {":?"}


def test_the_containers_get_only_what_the_program_knows() -> None:
    known = {field.alias for field in Settings.model_fields.values()}

    assert set(SERVICES["api"]["environment"]) <= known


def test_the_example_of_the_settings_names_each_of_them() -> None:
    known = {field.alias for field in Settings.model_fields.values()}
    named = set(re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE))

    assert named == known | {"POSTGRES_PASSWORD", "POSTGRES_APP_PASSWORD", "RABBITMQ_PASSWORD"}


def test_the_example_of_the_settings_gives_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)

    assert Settings(_env_file=ROOT / ".env.example") == Settings(_env_file=None)


def test_the_image_takes_what_is_locked_and_is_not_root() -> None:
    assert "--require-hashes" in DOCKERFILE
    assert DOCKERFILE.index("\nUSER goals\n") < DOCKERFILE.index("\nCMD ")
    assert "/healthz" in DOCKERFILE
    assert 'CMD ["goals", "serve"]' in DOCKERFILE


def test_the_image_has_every_package_and_the_migrations() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}

    assert sent == {*packages, "alembic", "alembic.ini", "requirements.lock"}


def test_the_command_of_the_image_is_the_one_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, _, function = project["project"]["scripts"]["goals"].partition(":")

    assert f"from {module} import {function}\n" in DOCKERFILE
