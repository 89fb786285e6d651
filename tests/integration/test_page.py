"""The page over HTTP: its guards, what browsers may keep of it, and what it shows to whom."""

import re
from dataclasses import replace

import pytest

from api.app import create_app
from api.jwks import KeySet
from api.settings import Settings
from tests.service import Service
from tools.http import make_http_clients


async def test_the_page_and_its_files_forbid_what_is_inline_or_elsewhere(service: Service) -> None:
    async with service.client() as client:
        page = await client.get("/")
        addresses = re.findall(r'(?:href|src)="(/page/[^"]+)"', page.text)
        files = [await client.get(address) for address in addresses]

    answers = [page, *files]
    policies = {answer.headers["content-security-policy"] for answer in answers}
    rules = dict(rule.split(" ", 1) for rule in policies.pop().split("; "))
    assert {answer.status_code for answer in answers} == {200}
    assert policies == set()
    assert rules["default-src"] == "'none'"
    assert {rules[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in str(rules)
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}
    assert {answer.headers["referrer-policy"] for answer in answers} == {"no-referrer"}
    assert page.headers["content-type"] == "text/html; charset=utf-8"


async def test_the_files_are_kept_for_ever_and_the_page_is_asked_for_again(
    service: Service,
) -> None:
    async with service.client() as client:
        page = await client.get("/")
        [style] = re.findall(r'href="(/page/[^"]+\.css)"', page.text)
        sheet = await client.get(style)
        again = await client.get("/", headers={"If-None-Match": page.headers["etag"]})

    assert "immutable" in sheet.headers["cache-control"]
    assert page.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert "content-security-policy" in again.headers


@pytest.mark.parametrize(
    "path",
    [
        "/page/0123456789abcdef/app.js",
        "/page/{version}/index.html",
        "/page/{version}/nothing.js",
        "/page/{version}/..%2f..%2fsettings.py",
        "/page/{version}/%2e%2e/app.py",
    ],
)
async def test_what_is_no_file_of_this_page_is_not_there(service: Service, path: str) -> None:
    async with service.client() as client:
        page = await client.get("/")
        [version] = set(re.findall(r"/page/([0-9a-f]{16})/", page.text))

        answer = await client.get(path.format(version=version))

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_the_page_asks_for_a_token_where_another_issuer_makes_them(
    service: Service,
) -> None:
    clients = make_http_clients(timeout=1)
    keys = KeySet("https://issuer.test/jwks", client=clients.asynchronous, issuer="i", audience="a")
    elsewhere = replace(service.services, jwt=keys, settings=Settings(_env_file=None))

    async with (
        service.client() as here,
        Service(create_app(elsewhere), elsewhere).client() as there,
    ):
        pages = [(await client.get("/")).text for client in (here, there)]
    await clients.aclose()

    assert 'data-sign-in="password"' in pages[0]
    assert 'data-sign-in="token"' in pages[1]
