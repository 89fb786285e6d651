"""The OpenAPI document as others use it: linted by Redocly, and made into a client that works."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from api.openapi import openapi_document
from api.settings import Settings
from tests.service import Service
from tests.talkers import listening

FOLDER: Final = Path(__file__).parent
TOOLS: Final = FOLDER.parents[1] / ".venv/clients/bin"
LINTER: Final = FOLDER / "node_modules/.bin/redocly"
SECONDS: Final = 120
GENERATOR: Final = {
    "post_hooks": [],
    "content_type_overrides": {"application/zip": "application/octet-stream"},
}
"""As its users configure it: it knows zip files by no name."""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Return the file with the OpenAPI document."""
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(openapi_document(Settings(_env_file=None))))
    return file


async def run(*command: str | Path, cwd: Path) -> str:
    """Return what a program has printed; it must end well."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert process.returncode == 0, f"{out.decode()}\n{err.decode()}"
    return out.decode() + err.decode()


async def test_redocly_finds_nothing_wrong(document: Path, tmp_path: Path) -> None:
    if shutil.which("node") is None or not LINTER.exists():
        pytest.skip("node, or what `make test-clients` installs for it, is not there")

    said = await run(
        LINTER, "lint", document, "--config", FOLDER / "redocly.yaml", "--max-problems=20",
        "--format=summary", cwd=tmp_path,
    )  # fmt: skip

    assert "valid" in said
    assert "warning" not in said.replace("Deprecation warning", "").lower(), said


async def test_a_generated_client_makes_the_main_calls(
    scripted: Service, document: Path, tmp_path: Path
) -> None:
    generator = TOOLS / "openapi-python-client"
    if not generator.exists():
        pytest.skip("what `make test-clients` installs from requirements.lock is not there")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(GENERATOR))
    package = tmp_path / "goals_client"

    said = await run(
        generator, "generate", "--path", document, "--output-path", package, "--meta", "none",
        "--config", config, "--fail-on-warning", cwd=tmp_path,
    )  # fmt: skip
    async with listening(scripted.app) as url:
        program = FOLDER / "generated.py"
        found: Any = json.loads(await run(TOOLS / "python", program, tmp_path, url, cwd=tmp_path))

    assert "unable" not in said.lower(), said
    assert (found["registered"], found["token_type"]) == ("ana", "Bearer")
    assert found["changed"] == {
        **found["made"],
        "title": "Leer dos libros de SQL",
        "updated_at": found["changed"]["updated_at"],
    }
    assert found["listed"] == [found["made"]["id"]]
    assert found["suggested"] == 2
    assert found["exported"] >= 1
    assert found["codes"] == ["ACCOUNT_TAKEN", "AUTH_INVALID", "NOT_FOUND", "AUTH_INVALID"]
