"""Stand-alone mode: registering, signing in, and what is not told to whom."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

import httpx2
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import text

from api.app import create_app
from api.jwks import KeySet
from db.engine import make_engine, make_sessions
from tests.integration.test_rate_limits import make_rates
from tests.service import Service
from tools.passwords import Passwords

PASSWORD: Final = "cuatro palabras al azar ñ"
JSON: Final = {"content-type": "application/json"}
ANA: Final = {"username": "Ana", "email": "Ana@Example.com", "password": PASSWORD}


@pytest_asyncio.fixture
async def client(service: Service) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client that has not signed in."""
    async with service.client() as client:
        yield client


def form(**changes: str) -> dict[str, str]:
    return {"grant_type": "password", "username": "ana", "password": PASSWORD, **changes}


def without_id(answer: httpx2.Response) -> list[tuple[str, str]]:
    return [pair for pair in answer.headers.multi_items() if pair[0] != "x-request-id"]


async def close_account(service: Service, username: str) -> None:
    async with service.services.system.begin() as session:
        values = {"username": username}
        await session.execute(
            text("update users set is_active = false where username = :username"), values
        )


async def sign_in(client: httpx2.AsyncClient, **changes: str) -> httpx2.Response:
    return await client.post("/v1/auth/token", data=form(**changes))


async def test_who_registers_signs_in_and_is_let_in(
    client: httpx2.AsyncClient, service: Service
) -> None:
    registered = await client.post("/v1/auth/register", json=ANA)
    by_name = await sign_in(client, username=" ANA ")
    by_address = await sign_in(client, username="ANA@example.com")

    assert registered.status_code == 201, registered.text
    assert "password" not in registered.text
    assert (registered.json()["username"], registered.json()["email"]) == ("ana", "ana@example.com")
    token = by_name.json()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 12 * 3_600)
    assert by_name.headers["cache-control"] == "no-store"
    for answer in (by_name, by_address):
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert (await client.get("/v1/goals", headers=bearer)).status_code == 200
    assert await service.rows("select event_type::text from events order by id") == [
        *("user.created", "user.login", "user.login")
    ]
    assert await service.count("select count(*) from users where last_login_at is not null") == 1
    assert (await service.rows("select hashed_password from users"))[0].startswith("$argon2id$")


async def test_a_taken_name_or_address_is_a_conflict_that_does_not_say_which(
    client: httpx2.AsyncClient, service: Service
) -> None:
    await client.post("/v1/auth/register", json=ANA)

    answers = [
        await client.post("/v1/auth/register", json={**ANA, **changes})
        for changes in (
            {"username": "ANA", "email": "other@example.com"},
            {"username": "ａｎａ", "email": "other@example.com"},
            {"username": "other", "email": "ANA@EXAMPLE.COM"},
        )
    ]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (409, "ACCOUNT_TAKEN")
    assert len({answer.content for answer in answers}) == 1
    assert await service.count("select count(*) from users") == 1


async def test_an_account_that_only_its_case_tells_apart_is_taken_too(
    client: httpx2.AsyncClient, service: Service
) -> None:
    await service.sign_in("ANA")

    answer = await client.post("/v1/auth/register", json=ANA)

    assert (answer.status_code, answer.json()["code"]) == (409, "ACCOUNT_TAKEN")


async def test_of_many_who_register_the_same_name_at_once_one_gets_it(
    client: httpx2.AsyncClient, service: Service
) -> None:
    answers = await asyncio.gather(*(client.post("/v1/auth/register", json=ANA) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert await service.count("select count(*) from events") == 1


async def test_an_account_that_cannot_be_is_refused_and_its_password_not_repeated(
    client: httpx2.AsyncClient, service: Service
) -> None:
    for changes in (
        {"username": "ab"},
        {"password": "corta y secreta"[:14]},
        {"password": "ana example com 12"},
        {"is_superuser": True},
    ):
        answer = await client.post("/v1/auth/register", json={**ANA, **changes})

        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION")
        assert str({**ANA, **changes}["password"]) not in answer.text
    for field in ("username", "email", "password"):
        body = json.dumps(ANA, ensure_ascii=False).replace(str(ANA[field]), f"{ANA[field]}\\u0000")
        answer = await client.post("/v1/auth/register", content=body.encode(), headers=JSON)

        assert (answer.status_code, answer.json()["code"]) == (422, "TEXT_INVALID")
    assert await service.count("select count(*) from users") == 0


async def test_a_password_is_the_same_however_it_was_typed(client: httpx2.AsyncClient) -> None:
    composed, decomposed = "contrase\u00f1as al azar", "contrasen\u0303as al azar"
    await client.post("/v1/auth/register", json={**ANA, "password": composed})

    answer = await sign_in(client, password=decomposed)

    assert answer.status_code == 200, answer.text


async def test_wrong_password_closed_account_no_password_and_nobody_get_the_same_answer(
    client: httpx2.AsyncClient, service: Service
) -> None:
    await service.sign_in("developer")
    await client.post("/v1/auth/register", json=ANA)
    await client.post(
        "/v1/auth/register", json={**ANA, "username": "closed", "email": "c@example.com"}
    )
    await close_account(service, "closed")

    wrong = await sign_in(client, password="another password")
    others = [
        await sign_in(client, username="closed"),
        await sign_in(client, username="developer", password="!"),
        await sign_in(client, username="nobody"),
        await sign_in(client, username="nobody@example.com"),
    ]

    assert (wrong.status_code, wrong.json()["code"]) == (400, "AUTH_INVALID")
    assert wrong.json()["error"] == "invalid_grant"
    assert wrong.headers["content-type"] == "application/problem+json"
    for answer in others:
        assert (answer.status_code, answer.content) == (wrong.status_code, wrong.content)
        assert without_id(answer) == without_id(wrong)
    assert await service.count("select count(*) from events where event_type = 'user.login'") == 0


async def test_a_closed_account_is_out_at_once_whatever_token_it_has(
    client: httpx2.AsyncClient, service: Service
) -> None:
    await client.post("/v1/auth/register", json=ANA)
    token = (await sign_in(client)).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}

    before = await client.get("/v1/goals", headers=bearer)
    await close_account(service, "ana")
    after = await client.get("/v1/goals", headers=bearer)

    assert before.status_code == 200
    assert (after.status_code, after.json()["code"]) == (401, "AUTH_INVALID")


async def test_a_form_that_is_none_has_oauths_error_and_our_code(service: Service) -> None:
    start = b"grant_type=password&username=a"
    for body, error, code in (
        (b"", "invalid_request", "VALIDATION"),
        (start, "invalid_request", "VALIDATION"),
        (b"username=ana&password=x", "invalid_request", "VALIDATION"),
        (b"grant_type=implicit&password=x", "unsupported_grant_type", "UNSUPPORTED_GRANT"),
        (start + b"&username=b&password=x", "invalid_request", "VALIDATION"),
        (start + b"&password=%00", "invalid_request", "TEXT_INVALID"),
        (start + b"&password=%ff", "invalid_request", "VALIDATION"),
        (start + b"\xc3\xb1&password=x", "invalid_request", "VALIDATION"),
        (start + b"&password=" + b"x" * 129, "invalid_request", "VALIDATION"),
        (b"&".join(b"f%d=1" % n for n in range(50)), "invalid_request", "VALIDATION"),
    ):
        answer = await post_form(service.app, body)

        problem = answer.json()
        assert (answer.status_code, problem["error"], problem["code"]) == (400, error, code)
        assert problem["error_description"] == problem["detail"]
        assert answer.headers["cache-control"] == "no-store"
    assert (await post_form(service.app, b"x" * 2_000_000)).status_code == 413


async def test_json_is_no_form(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/v1/auth/token", json=form())

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_guessing_is_limited_by_name_and_by_address(
    client: httpx2.AsyncClient, service: Service
) -> None:
    rates = make_rates(service.services.sessions, sign_in="3/hour")
    services = replace(service.services, rates=rates)
    app = create_app(services)

    by_name = [
        (await post_form(app, encoded(username="ana"), address=f"192.0.2.{n}")).json()["code"]
        for n in range(4)
    ]
    by_address = [
        (await post_form(app, encoded(username=f"user{n}"), address=f"2001:db8::{n}")).json()[
            "code"
        ]
        for n in range(4)
    ]
    elsewhere = await post_form(app, encoded(username="bob"), address="2001:db8:0:1::1")

    assert by_name == [*["AUTH_INVALID"] * 3, "RATE_LIMITED"]
    assert by_address == [*["AUTH_INVALID"] * 3, "RATE_LIMITED"]
    assert elsewhere.json()["code"] == "AUTH_INVALID"
    assert {len(key) for key in await service.rows("select key from rate_windows")} == {16}


async def test_with_another_issuers_keys_nobody_registers_or_signs_in_here(
    service: Service,
) -> None:
    keys = KeySet(
        "https://issuer.example/keys",
        client=httpx2.AsyncClient(),
        issuer="https://issuer.example",
        audience="goals",
    )
    external = replace(service.services, jwt=keys)
    closed = replace(
        service.services, settings=service.services.settings.model_copy(update={"sign_in": False})
    )

    for services in (external, closed):
        async with Service(create_app(services), services).client() as client:
            answers = [
                await client.post("/v1/auth/register", json=ANA),
                await client.post("/v1/auth/token", data=form()),
            ]
            schema = (await client.get("/openapi.json")).json()

        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
        assert not any(path.startswith("/v1/auth") for path in schema["paths"])
        assert list(schema["components"]["securitySchemes"]) == ["HTTPBearer"]


async def test_the_authorize_button_of_the_docs_signs_in(
    client: httpx2.AsyncClient,
) -> None:
    await client.post("/v1/auth/register", json=ANA)
    schema = (await client.get("/openapi.json")).json()
    flow = schema["components"]["securitySchemes"]["Password"]["flows"]["password"]

    # What Swagger UI sends: an empty client by Basic, and the form.
    answer = await client.post(
        f"/{flow['tokenUrl']}", data=form(), headers={"Authorization": "Basic Og=="}
    )

    assert answer.status_code == 200
    assert {"HTTPBearer": []} in schema["paths"]["/v1/goals"]["get"]["security"]
    assert {"Password": []} in schema["paths"]["/v1/goals"]["get"]["security"]
    assert (await client.get("/docs")).status_code == 200


async def test_while_many_sign_in_few_hash_others_are_sent_away_and_no_connection_is_held(
    service: Service, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, hashed: str, password: str) -> bool:
        assert go_on.wait(30)
        return real(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    engine = make_engine(database_url, pool_size=1, pool_timeout=0.5)
    passwords = Passwords(at_once=1, waiting=3, memory=64, passes=1)
    services = replace(service.services, sessions=make_sessions(engine), passwords=passwords)
    app = create_app(services)

    answers = []
    for number, answering in enumerate(
        asyncio.as_completed([post_form(app, encoded()) for _ in range(10)])
    ):
        answers.append(await answering)
        if number == 5:
            async with engine.connect() as connection:
                await connection.execute(text("select 1"))
            go_on.set()
    await engine.dispose()

    codes = [answer.json()["code"] for answer in answers]
    assert codes == [*["OVERLOADED"] * 6, *["AUTH_INVALID"] * 4]
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers[:6])


def encoded(**changes: str) -> bytes:
    return urlencode(form(**changes)).encode()


async def post_form(app: FastAPI, body: bytes, *, address: str = "192.0.2.1") -> httpx2.Response:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 40_000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await client.post("/v1/auth/token", content=body, headers=headers)
