"""docs/users-service.openapi.yaml: it is sound, the stub keeps it, and we read no more."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import pytest
import pytest_asyncio
import yaml
from fastapi import FastAPI
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from api.auth import make_token
from api.migrations import ROOT
from api.users_stub import USERS, create_stub
from tests.service import JWT
from tools.users_contract import TheirCourse, TheirCourses, TheirUser

CONTRACT: Final = yaml.safe_load((ROOT / "docs" / "users-service.openapi.yaml").read_text())
SCHEMAS: Final = CONTRACT["components"]["schemas"]
SERVICE_TOKEN: Final = "a token of the service's own"


def faults_of(name: str, value: Any) -> list[str]:
    """Return why `value` does not fit the contract's schema of that name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(value)]


def signed_in(stub: FastAPI, user_id: str | None) -> httpx2.AsyncClient:
    """Return a client of the stub that is signed in as that user, or as a service."""
    bearer = SERVICE_TOKEN
    if user_id is not None:
        bearer = make_token(JWT, user_id=user_id, hours=1, now=datetime.now(UTC))
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=stub),
        base_url="http://users",
        headers={"Authorization": f"Bearer {bearer}"},
    )


@pytest.fixture
def stub() -> FastAPI:
    return create_stub(JWT, service_token=SERVICE_TOKEN)


@pytest_asyncio.fixture
async def ana(stub: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with signed_in(stub, "usr_ana") as client:
        yield client


def test_the_contract_is_sound_openapi() -> None:
    OpenAPIV31SpecValidator(CONTRACT).validate()


def test_the_contract_names_no_secret_of_an_account() -> None:
    assert not any("password" in name for name in SCHEMAS["User"]["properties"])


@pytest.mark.parametrize(
    ("shape", "name"), [(TheirUser, "User"), (TheirCourse, "Course"), (TheirCourses, "Courses")]
)
def test_we_read_only_what_the_contract_has_and_need_only_what_it_promises(
    shape: type[BaseModel], name: str
) -> None:
    needed = {field for field, info in shape.model_fields.items() if info.is_required()}

    assert set(shape.model_fields) <= set(SCHEMAS[name]["properties"])
    assert needed == set(SCHEMAS[name]["required"])


def test_the_stub_has_the_operations_of_the_contract_and_no_others(stub: FastAPI) -> None:
    offered = {(path, method) for path, item in stub.openapi()["paths"].items() for method in item}

    assert offered == {
        (path, method) for path, item in CONTRACT["paths"].items() for method in item
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/users/usr_ana", "User"),
        ("/courses", "Courses"),
        ("/courses?limit=1&status=active", "Courses"),
        ("/courses/crs_api", "Course"),
    ],
)
async def test_the_stub_answers_as_the_contract_says(
    ana: httpx2.AsyncClient, path: str, name: str
) -> None:
    response = await ana.get(path)

    assert response.status_code == 200
    assert faults_of(name, response.json()) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/users/usr_bruno", 403),
        ("/users/usr_nobody", 403),
        ("/courses?user_id=usr_bruno", 403),
        ("/courses/crs_web", 404),
        ("/courses/crs_none", 404),
        ("/courses?cursor=x", 422),
    ],
)
async def test_the_stub_refuses_as_the_contract_says(
    ana: httpx2.AsyncClient, path: str, status: int
) -> None:
    template = "/users/{user_id}" if path.startswith("/users") else path.split("?", maxsplit=1)[0]
    template = "/courses/{course_id}" if path.startswith("/courses/") else template

    response = await ana.get(path)

    assert response.status_code == status
    assert str(status) in CONTRACT["paths"][template]["get"]["responses"]


async def test_the_stub_pages_through_all_of_a_users_courses(ana: httpx2.AsyncClient) -> None:
    first = (await ana.get("/courses", params={"limit": 1})).json()
    second = (await ana.get("/courses", params={"limit": 1, "cursor": first["next_cursor"]})).json()

    assert [row["id"] for row in first["items"] + second["items"]] == ["crs_api", "crs_sql"]
    assert second["next_cursor"] is None


async def test_a_service_reads_anybodys_and_a_stranger_nobodys(stub: FastAPI) -> None:
    async with signed_in(stub, None) as service:
        found = [
            (await service.get(path)).status_code
            for path in ("/users/usr_bruno", "/users/usr_nobody", "/courses?user_id=usr_bruno")
        ]
        stranger = await service.get("/users/usr_ana", headers={"Authorization": "Bearer x"})

    assert found == [200, 404, 200]
    assert stranger.status_code == 401


def test_the_stubs_accounts_are_read_by_our_own_shape() -> None:
    read = [TheirUser.model_validate(user) for user in USERS]

    assert [one.is_active for one in read] == [True, True, False]
