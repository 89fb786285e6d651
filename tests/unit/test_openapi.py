"""The OpenAPI document: valid, complete, and with names that a generator of clients can keep."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from typer.testing import CliRunner

from api.app import create_app
from api.bootstrap import Services
from api.cli import app
from api.openapi import openapi_document
from api.settings import Settings
from tests.openapi import METHODS
from tests.service import JWT

NOTHING: Any = None
WITHOUT_BODY = {"204", "304"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document(Settings(_env_file=None))


def each_operation(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document, cls=OpenAPIV31SpecValidator)

    assert document["openapi"].startswith("3.1")


def test_an_operations_id_is_its_functions_name_and_no_others(document: dict[str, Any]) -> None:
    url = "postgresql+psycopg://"
    services = Services(
        settings=Settings(_env_file=None),
        database_url=url,
        app_url=url,
        sessions=NOTHING,
        system=NOTHING,
        embedder=NOTHING,
        jwt=JWT,
    )
    served = iter_route_contexts(create_app(services).routes)
    functions = {
        route.endpoint.__name__
        for context in served
        if isinstance(route := context.original_route, APIRoute) and route.include_in_schema
    }

    ids = Counter(operation["operationId"] for _, operation in each_operation(document))

    assert set(ids) == functions
    assert max(ids.values()) == 1


def test_no_two_schemas_have_one_name(document: dict[str, Any]) -> None:
    # FastAPI then writes the module's name before it, which moves with the code.
    assert [name for name in document["components"]["schemas"] if "__" in name] == []


def test_every_operation_says_what_it_is_and_every_answer_what_it_has(
    document: dict[str, Any],
) -> None:
    silent = [
        name
        for name, operation in each_operation(document)
        if not (operation["tags"] and operation["summary"] and operation["description"])
    ]
    empty = [
        f"{name}: {status}"
        for name, operation in each_operation(document)
        for status, answer in operation["responses"].items()
        if not answer["description"] or ("content" in answer) is (status in WITHOUT_BODY)
    ]

    assert silent == []
    assert empty == []


def test_every_signed_operation_says_how_it_refuses(document: dict[str, Any]) -> None:
    signed = [each for each in each_operation(document) if each[1]["security"]]
    needed = {"401", "422", "500", "503"}

    silent = [name for name, operation in signed if not needed <= set(operation["responses"])]
    missing_404 = [
        name
        for name, operation in signed
        if re.search(r"\{\w+\}", name) and "404" not in operation["responses"]
    ]

    assert (silent, missing_404) == ([], [])


def test_the_command_prints_it_or_writes_it(tmp_path: Path, document: dict[str, Any]) -> None:
    file = tmp_path / "openapi.json"

    printed = CliRunner().invoke(app, ["openapi"])
    written = CliRunner().invoke(app, ["openapi", "--output", str(file)])

    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert json.loads(printed.stdout)["paths"] == document["paths"]
    assert file.read_text() == printed.stdout
