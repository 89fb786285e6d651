"""Another issuer's keys: which are taken, how often they are asked for, and who waits."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.issuer import jwt_config, make_key_set
from api.jwks import MAX_DOCUMENT_BYTES, MAX_STALE_SECONDS, KeySet, checked_url, parse_keys
from api.settings import Settings
from tests.issuers import (
    AUDIENCE,
    EC_KEY,
    ED_KEY,
    ISSUER,
    RSA_KEY,
    USER,
    Issuer,
    claims,
    jwk,
    open_issuer,
    part,
    sign,
)
from tools.errors import AuthError, KeysUnavailable, SetupError
from tools.http import make_http_clients

OTHER: Final = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Source:
    """An issuer, its keys as the service has them, and the service's clock."""

    issuer: Issuer
    client: httpx2.AsyncClient
    now: float = 1_000.0
    keys: KeySet = field(init=False)

    def __post_init__(self) -> None:
        self.keys = KeySet(
            self.issuer.url,
            client=self.client,
            issuer=ISSUER,
            audience=AUDIENCE,
            clock=lambda: self.now,
        )

    async def code(self, token: str) -> str:
        with pytest.raises((AuthError, KeysUnavailable)) as caught:
            await self.keys.identify(token)
        return caught.value.code


@pytest_asyncio.fixture
async def source() -> AsyncIterator[Source]:
    """Yield an issuer with a key of each type."""
    keys = (jwk(RSA_KEY, kid="rsa"), jwk(EC_KEY, kid="ec"), jwk(ED_KEY, kid="ed"))
    async with open_issuer(*keys) as issuer, httpx2.AsyncClient() as client:
        yield Source(issuer, client)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        (RSA_KEY, "RS256", "rsa"),
        (RSA_KEY, "PS256", "rsa"),
        (RSA_KEY, "RS512", "rsa"),
        (EC_KEY, "ES256", "ec"),
        (ED_KEY, "EdDSA", "ed"),
        (EC_KEY, "ES256", None),
    ],
)
async def test_a_key_signs_by_the_algorithms_of_its_type(
    source: Source, key: Any, algorithm: str, kid: str | None
) -> None:
    token = sign(key, algorithm, kid=kid)

    assert await source.keys.identify(token) == USER
    assert source.issuer.asked == 1


async def test_no_trick_is_believed_and_none_leads_to_a_request(source: Source) -> None:
    await source.keys.refresh()
    pem = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    elsewhere = "http://127.0.0.1:9/keys"
    good = part({"alg": "RS256", "kid": "rsa"}), part(claims()), "AAAA"
    tricks = {
        "key confusion, PEM": _hmac(pem, kid="rsa"),
        "key confusion, JWK": _hmac(json.dumps(jwk(RSA_KEY)).encode(), kid="rsa"),
        "alg none": f"{part({'alg': 'none', 'kid': 'rsa'})}.{good[1]}.",
        "alg None, signed": f"{part({'alg': 'None', 'kid': 'rsa'})}.{good[1]}.AAAA",
        "an RSA key by another type's algorithm": sign(OTHER, "ES256", kid="rsa"),
        "an EC key by another curve's": sign(
            ec.generate_private_key(ec.SECP384R1()), "ES384", kid="ec"
        ),
        "its own key, embedded": _signed(OTHER, "ES256", jwk=jwk(OTHER), kid="ec"),
        "its own key, by address": _signed(OTHER, "ES256", jku=elsewhere, kid="ec"),
        "its own certificate": _signed(OTHER, "ES256", x5u=elsewhere, x5c=["AAAA"], kid="ec"),
        "a path": sign(OTHER, "ES256", kid="../../../dev/null"),
        "SQL": sign(OTHER, "ES256", kid="' or 1=1 --"),
        "a NUL": sign(OTHER, "ES256", kid="ec\0"),
        "10 kB": sign(OTHER, "ES256", kid="k" * 10_240),
        "no text": f"{part({'alg': 'ES256', 'kid': None})}.{good[1]}.AAAA",
        "a number": f"{part({'alg': 'ES256', 'kid': 1})}.{good[1]}.AAAA",
        "crit": _signed(EC_KEY, "ES256", crit=["exp"], exp=1, kid="ec"),
        "crit b64": f"{part({'alg': 'ES256', 'kid': 'ec', 'b64': False, 'crit': ['b64']})}..AAAA",
        "a huge header": f"{part({'alg': 'ES256', 'x': 'x' * 50_000})}.{good[1]}.AAAA",
        "no signature": ".".join(good[:2]) + ".",
        "another signature": ".".join(good),
        "five parts": ".".join([*good, "AAAA", "AAAA"]),
    }

    for trick, token in tricks.items():
        assert await source.code(token) == "AUTH_INVALID", trick
    assert source.issuer.asked == 1


async def test_what_a_genuine_token_says_of_other_keys_is_not_read(source: Source) -> None:
    token = _signed(EC_KEY, "ES256", kid="ec", jku="http://127.0.0.1:9/", jwk=jwk(OTHER), x5u="x")

    assert await source.keys.identify(token) == USER
    assert source.issuer.asked == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://elsewhere.example"}, "AUTH_INVALID"),
        ({"aud": "them"}, "AUTH_INVALID"),
        ({"sub": ...}, "AUTH_INVALID"),
        ({"exp": 1}, "AUTH_EXPIRED"),
        ({"exp": "32503680000"}, "AUTH_INVALID"),
    ],
)
async def test_the_claims_are_checked_as_with_a_secret(
    source: Source, changes: dict[str, Any], code: str
) -> None:
    assert await source.code(sign(EC_KEY, "ES256", kid="ec", **changes)) == code


async def test_a_new_key_is_taken_within_a_minute_and_a_withdrawn_one_is_gone(
    source: Source,
) -> None:
    await source.keys.refresh()
    source.issuer.keys = [jwk(OTHER, kid="new")]
    token = sign(OTHER, "ES256", kid="new")

    at_once = await source.code(token)
    source.now += 30
    half_a_minute_later = await source.keys.identify(token)

    assert at_once == "AUTH_INVALID"
    assert half_a_minute_later == USER
    assert await source.code(sign(EC_KEY, "ES256", kid="ec")) == "AUTH_INVALID"
    assert source.issuer.asked == 2


async def test_a_token_that_was_accepted_is_not_when_its_keys_name_is_another_keys(
    source: Source,
) -> None:
    token = sign(EC_KEY, "ES256", kid="ec")
    before = await source.keys.identify(token)
    source.issuer.keys = [jwk(OTHER, kid="ec")]
    source.now += 30

    await source.keys.refresh()

    assert before == USER
    assert await source.code(token) == "AUTH_INVALID"


async def test_whatever_arrives_the_source_is_asked_twice_a_minute(source: Source) -> None:
    for second in range(120):
        for number in range(3):
            token = sign(OTHER, "ES256", kid=f"unknown-{second}-{number}")
            assert await source.code(token) == "AUTH_INVALID"
        source.now += 1

    assert source.issuer.asked == 4


async def test_known_tokens_go_on_while_the_source_is_away_and_others_are_503(
    source: Source,
) -> None:
    known, unknown = sign(EC_KEY, "ES256", kid="ec"), sign(OTHER, "ES256", kid="new")
    await source.keys.identify(known)
    source.now += 60

    for broken in (
        {"status": "500 Oops"},
        {"status": "302 Found", "headers": b"location: http://127.0.0.1:9/\r\n"},
        {"status": "200 OK", "headers": b"", "body": b"<html>"},
        {"body": b'{"keys": []}'},
        {"body": b'{"keys": ' + b"[" * 20_000},
        {"body": b'{"keys": [' + b" " * MAX_DOCUMENT_BYTES + b"]}"},
    ):
        for name, value in broken.items():
            setattr(source.issuer, name, value)
        asked = source.issuer.asked

        with pytest.raises(KeysUnavailable) as caught:
            await source.keys.identify(unknown)

        assert (caught.value.status, caught.value.code) == (503, "AUTH_KEYS_UNAVAILABLE")
        assert caught.value.retry_after == 30
        assert source.issuer.asked == asked + 1
        assert await source.keys.identify(known) == USER
        source.now += 30

    source.issuer.body, source.issuer.keys = None, [jwk(OTHER, kid="new")]
    assert await source.keys.identify(unknown) == USER


async def test_keys_that_nobody_could_confirm_for_a_day_are_not_trusted_any_more(
    source: Source,
) -> None:
    known = sign(EC_KEY, "ES256", kid="ec")
    await source.keys.identify(known)
    source.issuer.status = "500 Oops"

    source.now += MAX_STALE_SECONDS
    still = await source.keys.identify(known)
    source.now += 1

    assert still == USER
    assert await source.code(known) == "AUTH_KEYS_UNAVAILABLE"


async def test_one_fetch_serves_all_who_wait_and_a_known_key_waits_for_none(
    source: Source,
) -> None:
    known = sign(EC_KEY, "ES256", kid="ec")
    await source.keys.identify(known)
    source.now += 30
    source.issuer.keys.append(jwk(OTHER, kid="new"))
    source.issuer.held = asyncio.Event()

    new = sign(OTHER, "ES256", kid="new")
    waiting = [asyncio.create_task(source.keys.identify(new)) for _ in range(20)]
    gone = asyncio.create_task(source.keys.identify(new))
    await source.issuer.arrivals.get()
    await source.issuer.arrivals.get()
    gone.cancel()
    meanwhile = await source.keys.identify(known)
    assert not any(task.done() for task in waiting)
    source.issuer.held.set()

    assert meanwhile == USER
    assert await asyncio.gather(*waiting) == [USER] * 20
    assert source.issuer.asked == 2


async def test_the_keys_are_fetched_before_anybody_asks(source: Source) -> None:
    async with source.keys.kept_fresh():
        await source.issuer.arrivals.get()
        assert await source.keys.identify(sign(EC_KEY, "ES256", kid="ec")) == USER

    assert source.issuer.asked == 1


@pytest.mark.parametrize(
    "member",
    [
        {"kty": "oct", "k": "A" * 64, "kid": "one"},
        {**jwk(EC_KEY), "d": "AAAA"},
        {**jwk(EC_KEY), "use": "enc"},
        {**jwk(EC_KEY), "key_ops": ["sign"]},
        {**jwk(EC_KEY), "alg": "HS256"},
        {**jwk(EC_KEY), "alg": "RS256"},
        {**jwk(EC_KEY), "alg": ["ES256"]},
        {**jwk(EC_KEY), "kid": 7},
        {**jwk(EC_KEY), "x": "AAAA"},
        {**jwk(EC_KEY), "crv": "secp256k1"},
        {**jwk(EC_KEY), "crv": ["P-256"]},
        {**jwk(EC_KEY), "kty": "RSA"},
        jwk(rsa.generate_private_key(public_exponent=65_537, key_size=1_024)),  # noqa: S505 - what is too weak
        "one",
        None,
        {},
    ],
)
def test_a_key_that_is_not_for_this_is_passed_over(member: Any) -> None:
    document = json.dumps({"keys": [member, jwk(ED_KEY, kid="good")]}).encode()

    assert [key.key_id for key in parse_keys(document)] == ["good"]


def test_a_key_that_is_bound_to_one_algorithm_signs_by_no_other() -> None:
    (key,) = parse_keys(json.dumps({"keys": [jwk(RSA_KEY, alg="PS256")]}).encode())

    assert key.algorithms == {"PS256"}


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/keys",
        "ftp://issuer.example/keys",
        "file:///etc/passwd",
        "https://",
        "https://name:password@issuer.example/keys",
        "http://127.0.0.1.example/keys",
        "issuer.example",
    ],
)
def test_keys_come_by_https_or_from_this_machine(url: str) -> None:
    with pytest.raises(SetupError) as caught:
        checked_url(url)

    assert "password@" not in caught.value.detail
    assert checked_url("http://[::1]:80/keys") == "http://[::1]:80/keys"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"GOALS_JWT_SECRET": "x" * 32}, "GOALS_JWT_SECRET and GOALS_JWKS_URL"),
        ({"GOALS_SIGN_IN": "true"}, "GOALS_SIGN_IN"),
        ({"GOALS_JWT_ISSUER": ""}, "GOALS_JWT_ISSUER"),
        ({"GOALS_JWKS_URL": "http://issuer.example/keys"}, "https://"),
    ],
)
async def test_settings_that_contradict_keys_of_others_are_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], named: str
) -> None:
    given = {"GOALS_JWKS_URL": "https://issuer.example/keys", "GOALS_JWT_ISSUER": ISSUER}
    for name in ("GOALS_JWT_SECRET", "GOALS_SIGN_IN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**given, **changes}.items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    clients = make_http_clients(timeout=1)

    with pytest.raises(SetupError, match=named):
        make_key_set(settings, clients)
    with pytest.raises(SetupError, match="issuer of GOALS_JWKS_URL"):
        jwt_config(settings)
    await clients.aclose()


def _hmac(secret: bytes, *, kid: str) -> str:
    """Return a token signed by HS256 with a public key: PyJWT itself refuses to make one."""
    signed = f"{part({'alg': 'HS256', 'kid': kid})}.{part(claims())}"
    signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _signed(key: Any, algorithm: str, **headers: Any) -> str:
    return jwt.encode(claims(), key, algorithm=algorithm, headers=headers)
